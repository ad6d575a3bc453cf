#include "webhook/usage_accounts.hpp"

#include <algorithm>
#include <charconv>

#include "policy/document/budget.hpp"

namespace portcullis::webhook {
namespace {

// Of a resource that is not served: a view of nothing, older than any of something.
constexpr std::uint64_t version_of_nothing = 1;

std::string resource_name(const policy::CountedResource& counted) {
  return counted.group.empty() ? counted.resource : counted.resource + "." + counted.group;
}

void count(const policy::PolicySnapshot::NamespaceOwner& owner, const policy::Usage& usage, int sign, Amounts& used) {
  for (const policy::Amount& amount : policy::budget_amounts(*owner.tenant, *owner.name_space, usage))
    used[amount.resource] += sign * amount.units;
}

}  // namespace

UsageAccounts::Budget UsageAccounts::budget_of(std::string_view name_space) {
  if (!documents_) return {};
  const policy::PolicySnapshot::NamespaceOwner owner = documents_->owner_of(name_space);
  if (!owner) return {};
  const auto account = accounts_.find(owner.tenant->name);
  return {owner, account == accounts_.end() ? nullptr : &account->second};
}

std::uint64_t version_number(std::string_view version) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(version.data(), version.data() + version.size(), number);
  return problem == std::errc() && end == version.data() + version.size() ? number : 0;
}

void UsageAccounts::open(config::Store::Snapshot documents) {
  documents_ = std::move(documents);
  accounts_.clear();
  for (const policy::Tenant& tenant : documents_->documents().tenants) {
    Account account;
    for (const policy::Amount& limit : policy::budget_limits(tenant)) {
      account.limits[limit.resource] = limit.units;
      account.resources[limit.resource] = resource_name(policy::counted_resource(policy::split_dimension(limit.resource).resource));
      account.used[limit.resource] = 0;
    }
    if (!account.limits.empty()) accounts_.emplace(tenant.name, std::move(account));
  }
}

std::string_view UsageAccounts::change(std::string_view name_space, const policy::Usage* now, const policy::Usage* before) {
  const Budget budget = budget_of(name_space);
  if (!budget.account) return {};
  if (before) count(budget.owner, *before, -1, budget.account->used);
  if (now) count(budget.owner, *now, 1, budget.account->used);
  return budget.owner.tenant->name;
}

std::vector<UsageAccounts::Correction> UsageAccounts::verify(std::string_view resource, const std::function<void(const Tell& tell)>& each) {
  std::map<std::string_view, Amounts> sums;  // by tenant
  each([&](std::string_view name_space, const policy::Usage& usage) {
    const Budget budget = budget_of(name_space);
    if (budget.account) count(budget.owner, usage, 1, sums[budget.owner.tenant->name]);
  });
  std::vector<Correction> corrections;
  for (auto& [tenant, account] : accounts_) {
    const Amounts& summed = sums[tenant];
    for (const auto& [dimension, of] : account.resources) {
      std::int64_t& kept = account.used[dimension];
      const std::int64_t right = amount_of(summed, dimension);
      if (of != resource || kept == right) continue;
      corrections.push_back({tenant, dimension, kept, right});
      kept = right;
    }
  }
  return corrections;
}

void UsageAccounts::progress(std::string_view resource, std::string_view version) {
  const std::uint64_t number = version.empty() ? version_of_nothing : version_number(version);
  std::uint64_t& known = versions_.try_emplace(std::string(resource), 0).first->second;
  known = std::max(known, number);
}

void UsageAccounts::forget(std::string_view resource) {
  if (const auto found = versions_.find(resource); found != versions_.end()) versions_.erase(found);
}

std::set<std::string, std::less<>> UsageAccounts::resources() const {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, account] : accounts_)
    for (const auto& [dimension, resource] : account.resources) names.insert(resource);
  return names;
}

bool UsageAccounts::counts(std::string_view tenant, std::string_view resource) const {
  const auto account = accounts_.find(tenant);
  return account != accounts_.end() && std::any_of(account->second.resources.begin(), account->second.resources.end(),
                                                   [&](const auto& each) { return each.second == resource; });
}

std::uint64_t UsageAccounts::version(std::string_view resource) const {
  const auto found = versions_.find(resource);
  return found == versions_.end() ? 0 : found->second;
}

UsageView UsageAccounts::view(const Account& account) const {
  UsageView view;
  for (const auto& [dimension, resource] : account.resources) {
    const std::uint64_t at = version(resource);
    if (at == 0) continue;
    view.rv[dimension] = static_cast<std::int64_t>(at);
    view.used[dimension] = std::max<std::int64_t>(amount_of(account.used, dimension), 0);
  }
  return view;
}

std::optional<Claim> UsageAccounts::claim(const policy::Charge& charge) const {
  if (!documents_) return std::nullopt;
  const policy::PolicySnapshot::NamespaceOwner owner = documents_->owner_of(charge.name_space);
  if (!owner || owner.tenant->name != charge.tenant) return std::nullopt;
  Amounts wanted;
  for (const policy::Amount& amount : policy::budget_amounts(*owner.tenant, *owner.name_space, charge.usage))
    wanted[amount.resource] = amount.units;
  Claim claim{.object = {charge.resource, charge.name_space, charge.name},
              .uid = charge.object_uid,
              .old_version = version_number(charge.old_version),
              .needs = {}};
  for (const policy::Amount& added : charge.added) {
    const std::int64_t most = amount_of(wanted, added.resource);
    if (most < added.units) return std::nullopt;
    claim.needs.push_back({added.resource, most - added.units, most});
  }
  return claim;
}

}  // namespace portcullis::webhook
