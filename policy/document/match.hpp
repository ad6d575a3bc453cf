// What documents and judged objects are matched by: label selectors and the words of `match`.
// Label selectors: Kubernetes' metav1.LabelSelector (matchLabels and matchExpressions, all ANDed).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/object/selector.hpp"

namespace portcullis::policy {

enum class Operation { create, update, remove, connect };  // CREATE, UPDATE, DELETE, CONNECT
std::string_view operation_name(Operation operation);      // "CREATE", ...

// `Kind` or `Kind.group`: without a group any group.
struct KindPattern {
  std::string kind, group;
  bool any_group = true;
  [[nodiscard]] bool matches(std::string_view kind_found, std::string_view group_found) const {
    return kind == kind_found && (any_group || group == group_found);
  }
};

}  // namespace portcullis::policy
