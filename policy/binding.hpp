// Which policies bind a write. Compiled once: the parts of `match` that depend on the namespace alone (tiers, environments,
// tenancies, tenants, namespaces) choose from an index, the rest (kinds, operations, groups, selector) is asked of each
// candidate, so that judging costs what binds and not what is written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/document/documents.hpp"
#include "policy/object/cluster_facts.hpp"
#include "policy/object/group.hpp"
#include "policy/object/subject.hpp"

namespace portcullis::policy {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

// The namespace as policies see it; without an owner only policies that name no tier, environment, tenancy, tenant or
// namespace bind.
struct Standing {
  const Tenant* tenant = nullptr;
  const TenantNamespace* name_space = nullptr;
  int tier = 0;
  std::string_view name;
};

class PolicyIndex {
 public:
  explicit PolicyIndex(const DocumentSet& documents);

  // Indexes into documents.policies of those whose namespace parts hold, through `each(index)`, in no stated order.
  template <class Each>
  void for_each_at(const Standing& at, const Each& each) const {
    for (const std::uint32_t policy : unscoped_) each(policy);
    if (at.tenant == nullptr) return;
    if (const auto group = by_standing_.find(standing_key(at)); group != by_standing_.end())
      for (const std::uint32_t policy : group->second) each(policy);
    for_each_named(by_tenant_, at.tenant->name, at, each);
    for_each_named(by_namespace_, at.name, at, each);
  }

  // The rest of `match`: binds() asks for all of it, the other two for all but the selector, and for that alone. `behind` are
  // the labels of the workload that a Scale stands for, where they are known.
  static bool binds(const PolicyMatch& match, const Subject& subject, KindName judged) {
    return binds_by_request(match, subject, judged) && selects(match, subject, nullptr);
  }
  static bool binds_by_request(const PolicyMatch& match, const Subject& subject, KindName judged);
  static bool selects(const PolicyMatch& match, const Subject& subject, const Labels* behind);

 private:
  using Indexes = std::vector<std::uint32_t>;

  template <class Each>
  void for_each_named(const TextMap<Indexes>& named, std::string_view name, const Standing& at, const Each& each) const {
    const auto found = named.find(name);
    if (found == named.end()) return;
    for (const std::uint32_t policy : found->second)
      if (stands(documents_.policies[policy].match, at)) each(policy);
  }
  static bool stands(const PolicyMatch& match, const Standing& at);
  [[nodiscard]] std::uint64_t standing_key(const Standing& at) const;

  const DocumentSet& documents_;
  Indexes unscoped_;
  std::unordered_map<std::uint64_t, Indexes> by_standing_;  // tier, environment and tenancy of a namespace
  TextMap<Indexes> by_tenant_, by_namespace_;
  TextMap<std::uint32_t> environments_;
};

}  // namespace portcullis::policy
