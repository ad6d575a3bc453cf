// Which tenant owns a namespace: exact names first, then patterns, the longest first. Built once for up to 10,000 tenants;
// a look-up hashes the name once, and once more for every length that any pattern has.
#pragma once

#include <string_view>
#include <vector>

#include "policy/binding.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::policy {

class NamespaceIndex {
 public:
  explicit NamespaceIndex(const DocumentSet& documents);
  // tenant is null where nobody owns it.
  [[nodiscard]] Standing find(std::string_view name_space) const;
  [[nodiscard]] bool is_system(std::string_view name_space) const;

 private:
  struct Owner {
    const Tenant* tenant = nullptr;
    const TenantNamespace* name_space = nullptr;
  };
  const std::vector<std::string>& system_;
  TextMap<Owner> exact_, prefixes_;
  std::vector<std::size_t> prefix_lengths_;  // longest first
};

}  // namespace portcullis::policy
