#include "policy/document/budget.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::policy {
namespace {

using Budget = std::map<std::string, Quantity>;

constexpr std::string_view count_prefix = "count/";
constexpr std::string_view storage_class_mark = ".storageclass.storage.k8s.io/";

// By plain name, with the objects that use them.
struct Plain {
  std::string_view name, resource;
};
constexpr std::array<Plain, 18> plain{{{"pods", "pods"},
                                       {"cpu", "pods"},
                                       {"memory", "pods"},
                                       {"ephemeral-storage", "pods"},
                                       {"requests.cpu", "pods"},
                                       {"requests.memory", "pods"},
                                       {"requests.ephemeral-storage", "pods"},
                                       {"limits.cpu", "pods"},
                                       {"limits.memory", "pods"},
                                       {"limits.ephemeral-storage", "pods"},
                                       {"requests.storage", "persistentvolumeclaims"},
                                       {"persistentvolumeclaims", "persistentvolumeclaims"},
                                       {"services", "services"},
                                       {"services.loadbalancers", "services"},
                                       {"services.nodeports", "services"},
                                       {"replicationcontrollers", "replicationcontrollers"},
                                       {"secrets", "secrets"},
                                       {"configmaps", "configmaps"}}};
constexpr std::string_view resource_quotas = "resourcequotas";

bool uses(std::string_view name, std::string_view resource, std::string_view group) {
  if (name.starts_with(count_prefix)) {
    name.remove_prefix(count_prefix.size());
    if (!name.starts_with(resource)) return false;
    name.remove_prefix(resource.size());
    return group.empty() ? name.empty() : name.size() == group.size() + 1 && name.front() == '.' && name.ends_with(group);
  }
  if (!group.empty()) return false;
  for (const Plain& each : plain)
    if (each.name == name) return each.resource == resource;
  if (name == resource_quotas) return resource == resource_quotas;
  return resource == (name.find(storage_class_mark) != std::string_view::npos ? "persistentvolumeclaims" : "pods");
}

void add_amounts(const Budget& budget, const std::string& entry, const Usage& wanted, const Usage* before, std::vector<Amount>& out) {
  for (const auto& [name, hard] : budget) {
    const auto used = wanted.find(name);
    if (used == wanted.end()) continue;
    std::int64_t units = base_units(name, used->second);
    if (before)
      if (const auto old = before->find(name); old != before->end()) units -= base_units(name, old->second);
    if (units <= 0) continue;
    Amount& amount = out.emplace_back();
    if (!entry.empty()) amount.resource.append(entry) += '/';
    amount.resource += name;
    amount.units = units;
  }
}

std::vector<Amount> amounts(const Tenant& tenant, const TenantNamespace& entry, const Usage& wanted, const Usage* before) {
  std::vector<Amount> out;
  add_amounts(tenant.budget, {}, wanted, before, out);
  if (!entry.budget.empty()) add_amounts(entry.budget, entry_name(entry), wanted, before, out);
  return out;
}

}  // namespace

std::string budget_resource_refusal(std::string_view resource) {
  if (resource == "secrets" || resource == "count/secrets")
    return "no budget of Secrets, which Portcullis has no right to read; a ResourceQuota of the namespace can count them";
  if (resource == resource_quotas) return {};
  for (const Plain& each : plain)
    if (each.name == resource) return {};
  constexpr std::string_view requests = "requests.", huge_pages = "hugepages-";
  std::string_view rest = resource;
  if (rest.starts_with(count_prefix)) {
    rest.remove_prefix(count_prefix.size());
    if (is_dns_subdomain(rest)) return {};
    return "count/ and the plural name of a resource with its group, such as count/deployments.apps";
  }
  if (const std::size_t mark = rest.find(storage_class_mark); mark != std::string_view::npos) {
    const std::string_view counts = rest.substr(mark + storage_class_mark.size());
    if (is_dns_subdomain(rest.substr(0, mark)) && (counts == "requests.storage" || counts == "persistentvolumeclaims")) return {};
    return "a storage class, .storageclass.storage.k8s.io/ and requests.storage or persistentvolumeclaims";
  }
  const bool is_request = rest.starts_with(requests);
  if (is_request) rest.remove_prefix(requests.size());
  if (rest.starts_with(huge_pages) && rest.size() > huge_pages.size()) return {};
  // Devices cannot be overcommitted, so ResourceQuota knows their requests only.
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 < rest.size() && is_dns_subdomain(rest.substr(0, slash)) &&
      rest.find('/', slash + 1) == std::string_view::npos && rest.substr(0, slash).find("kubernetes.io") == std::string_view::npos)
    return is_request ? std::string() : "requests." + printable(rest) + ", since devices are counted by what is requested";
  std::vector<std::string_view> names{resource_quotas};
  for (const Plain& each : plain)
    if (each.name != "secrets") names.push_back(each.name);
  return "a resource name of ResourceQuota" + did_you_mean(resource, names);
}

std::string entry_name(const TenantNamespace& entry) { return entry.pattern ? entry.name + '*' : entry.name; }

std::vector<Amount> budget_limits(const Tenant& tenant) {
  std::vector<Amount> all;
  for (const auto& [name, hard] : tenant.budget) all.push_back({name, base_units(name, hard)});
  for (const TenantNamespace& entry : tenant.namespaces)
    for (const auto& [name, hard] : entry.budget) all.push_back({entry_name(entry) + '/' + name, base_units(name, hard)});
  return all;
}

std::vector<Amount> budget_amounts(const Tenant& tenant, const TenantNamespace& entry, const Usage& usage) {
  return amounts(tenant, entry, usage, nullptr);
}

std::vector<Amount> budget_amounts(const Tenant& tenant, const TenantNamespace& entry, const Usage& wanted, const Usage& before) {
  return amounts(tenant, entry, wanted, &before);
}

bool is_counted(const Tenant& tenant, const TenantNamespace& entry, std::string_view resource, std::string_view group) {
  const auto any = [&](const Budget& budget) {
    return std::any_of(budget.begin(), budget.end(), [&](const auto& bound) { return uses(bound.first, resource, group); });
  };
  return any(tenant.budget) || any(entry.budget);
}

CountedResource counted_resource(std::string_view name) {
  for (const Plain& each : plain)
    if (each.name == name) return {{}, std::string(each.resource)};
  if (name == resource_quotas) return {{}, std::string(resource_quotas)};
  if (name.starts_with(count_prefix)) {
    name.remove_prefix(count_prefix.size());
    const std::size_t dot = name.find('.');
    return {std::string(dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1)), std::string(name.substr(0, dot))};
  }
  if (name.find(storage_class_mark) != std::string_view::npos) return {{}, "persistentvolumeclaims"};
  return {{}, "pods"};  // huge pages and devices
}

std::vector<CountedResource> counted_resources(const DocumentSet& documents) {
  std::vector<CountedResource> all;
  const auto add = [&](const Budget& budget) {
    for (const auto& [name, hard] : budget) all.push_back(counted_resource(name));
  };
  for (const Tenant& tenant : documents.tenants) {
    add(tenant.budget);
    for (const TenantNamespace& entry : tenant.namespaces) add(entry.budget);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

ChargeOutcome would_grant(const std::vector<Amount>& added, std::string_view tenant, std::string_view entry, const ClusterFacts& facts) {
  ChargeOutcome outcome;
  if (!facts.knows(FactKind::budgets)) {
    outcome.why = "budgets are not known";
    return outcome;
  }
  const std::vector<BudgetFact> own = facts.budgets(tenant, {}), of_entry = facts.budgets(tenant, entry);
  outcome.status = ChargeStatus::granted;
  for (const Amount& amount : added) {
    const Dimension dimension = split_dimension(amount.resource);
    const std::vector<BudgetFact>& known = dimension.entry.empty() ? own : of_entry;
    const auto budget =
        std::find_if(known.begin(), known.end(), [&](const BudgetFact& each) { return each.resource == dimension.resource; });
    if (budget == known.end()) {
      outcome = {};
      outcome.resource = amount.resource;
      outcome.why = "no usage of " + amount.resource + " is known";
      return outcome;
    }
    const bool is_over = budget->hard - budget->used < amount.units;
    if (!is_over && (outcome.status != ChargeStatus::granted || budget->hard - budget->used - budget->reserved >= amount.units)) continue;
    const ChargeStatus status = is_over ? ChargeStatus::over : ChargeStatus::reserved;
    outcome = {status, amount.resource, budget->hard, budget->used, budget->reserved, amount.units, {}};
    if (is_over) return outcome;
  }
  return outcome;
}

}  // namespace portcullis::policy
