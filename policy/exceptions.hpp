// Which exception covers a finding: one that names the rule, the tenant, the namespace and the object, or a live owner of the
// object. Owners count only where a controller writes, and each must be the very object that the cluster knows by that name
// and uid: what an ownerReference says alone, anybody can write.
#pragma once

#include <span>
#include <string_view>

#include "base/clock.hpp"
#include "policy/document/documents.hpp"
#include "policy/object/group.hpp"
#include "policy/object/subject.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy {

inline constexpr int owners_max = 5;  // links of a chain that are followed: Pod, ReplicaSet, Deployment and what made that

struct Cover {
  const PolicyException* exception = nullptr;
  bool is_unknown = false;  // an exception may cover it by an owner that the facts do not show (yet)
};

Cover find_cover(std::span<const PolicyException> exceptions, std::string_view rule, const Subject& subject, KindName judged,
                 std::string_view name_space, const Facts& facts);

}  // namespace portcullis::policy
