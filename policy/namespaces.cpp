#include "policy/namespaces.hpp"

#include <algorithm>
#include <functional>

namespace portcullis::policy {

NamespaceIndex::NamespaceIndex(const DocumentSet& documents) : system_(documents.platform.system_namespaces) {
  for (const Tenant& tenant : documents.tenants) {
    for (const TenantNamespace& each : tenant.namespaces) {
      (each.pattern ? prefixes_ : exact_).emplace(each.name, Owner{&tenant, &each});
      if (each.pattern) prefix_lengths_.push_back(each.name.size());
    }
  }
  std::sort(prefix_lengths_.begin(), prefix_lengths_.end(), std::greater<>());
  prefix_lengths_.erase(std::unique(prefix_lengths_.begin(), prefix_lengths_.end()), prefix_lengths_.end());
}

Standing NamespaceIndex::find(std::string_view name_space) const {
  const auto standing = [&](const Owner& owner) {
    return Standing{owner.tenant, owner.name_space, owner.name_space->tier.value_or(owner.tenant->tier), name_space};
  };
  if (const auto found = exact_.find(name_space); found != exact_.end()) return standing(found->second);
  for (const std::size_t length : prefix_lengths_) {
    if (length > name_space.size()) continue;
    if (const auto found = prefixes_.find(name_space.substr(0, length)); found != prefixes_.end()) return standing(found->second);
  }
  return Standing{nullptr, nullptr, 0, name_space};
}

bool NamespaceIndex::is_system(std::string_view name_space) const {
  return std::find(system_.begin(), system_.end(), name_space) != system_.end();
}

}  // namespace portcullis::policy
