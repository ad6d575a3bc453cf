// What each tenant's objects use of its budgets, kept up from what the cluster's watches say, object by object. Pure: the
// QuotaLedger feeds it on the kube thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/store.hpp"
#include "kube/usage_observer.hpp"
#include "webhook/quota_core.hpp"

namespace portcullis::webhook {

class UsageAccounts {
 public:
  struct Account {
    Amounts limits;                                             // by dimension, as the documents have them
    std::map<std::string, std::string, std::less<>> resources;  // of each dimension: "pods", "deployments.apps"
    Amounts used;
  };

  // Other documents: all accounts begin at zero, and every object has to be counted anew.
  void open(config::Store::Snapshot documents);
  // The tenant whose account it is in, "" for none.
  std::string_view change(std::string_view name_space, const policy::Usage* now, const policy::Usage* before);
  // Everything of `resource` up to `version` has been said. "": the API server does not serve it.
  void progress(std::string_view resource, std::string_view version);
  void forget(std::string_view resource);

  // The full sum of one resource's objects, of which `each` tells every one: where it says otherwise than what was kept up object by
  // object, it is used from now on.
  struct Correction {
    std::string tenant, dimension;
    std::int64_t kept = 0, summed = 0;
  };
  using Tell = std::function<void(std::string_view name_space, const policy::Usage& usage)>;
  std::vector<Correction> verify(std::string_view resource, const std::function<void(const Tell& tell)>& each);

  [[nodiscard]] const std::map<std::string, Account, std::less<>>& accounts() const { return accounts_; }
  [[nodiscard]] const config::Store::Snapshot& documents() const { return documents_; }
  // Of all accounts: "pods", "deployments.apps".
  [[nodiscard]] std::set<std::string, std::less<>> resources() const;
  // Whether a budget of `tenant` bounds objects of `resource`.
  [[nodiscard]] bool counts(std::string_view tenant, std::string_view resource) const;
  [[nodiscard]] std::uint64_t version(std::string_view resource) const;
  // Only the dimensions whose objects are known.
  [[nodiscard]] UsageView view(const Account& account) const;
  // What a write asks for. None where the documents have changed since it was judged.
  [[nodiscard]] std::optional<Claim> claim(const policy::Charge& charge) const;

 private:
  struct Budget {
    policy::PolicySnapshot::NamespaceOwner owner;
    Account* account = nullptr;  // null: nothing that is used there is counted
  };
  [[nodiscard]] Budget budget_of(std::string_view name_space);

  config::Store::Snapshot documents_;
  std::map<std::string, Account, std::less<>> accounts_;        // by tenant
  std::map<std::string, std::uint64_t, std::less<>> versions_;  // by resource
};

// A resourceVersion as a number; 0 when it is none.
std::uint64_t version_number(std::string_view version);

}  // namespace portcullis::webhook
