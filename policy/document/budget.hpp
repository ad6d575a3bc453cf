// Budgets as documents write them: which resources they may bound, whose budget a namespace draws on, and what an object with
// a given usage takes from it. A budget of an entry of a tenant's namespaces is what all its namespaces may use together.
//
// A dimension is a resource of one budget: "pods" of the tenant's own, "acme-proj-*/pods" of an entry's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "policy/document/documents.hpp"
#include "policy/object/amount.hpp"
#include "policy/object/charge.hpp"
#include "policy/object/cluster_facts.hpp"

namespace portcullis::policy {

// "" for what a budget may bound, else what is wanted instead.
std::string budget_resource_refusal(std::string_view resource);

// The entry as a dimension names it: the namespace, or its `prefix*`.
std::string entry_name(const TenantNamespace& entry);

// All dimensions of a tenant with what they hold at most: the tenant's own first, then entry by entry.
std::vector<Amount> budget_limits(const Tenant& tenant);

// What an object in a namespace of this entry takes from each of its budgets; only what they bound, each above zero.
std::vector<Amount> budget_amounts(const Tenant& tenant, const TenantNamespace& entry, const Usage& usage);
// The same for what an update adds: max(0, wanted - before) by dimension.
std::vector<Amount> budget_amounts(const Tenant& tenant, const TenantNamespace& entry, const Usage& wanted, const Usage& before);

// Does any budget that holds here bound something that objects of this resource use?
bool is_counted(const Tenant& tenant, const TenantNamespace& entry, std::string_view resource, std::string_view group);

// The objects that somebody must count so that these budgets are known: `pods` of "" for requests.cpu, `deployments` of apps
// for count/deployments.apps. Sorted, each once.
struct CountedResource {
  std::string group, resource;
  friend bool operator<(const CountedResource& a, const CountedResource& b) {
    return std::tie(a.group, a.resource) < std::tie(b.group, b.resource);
  }
  friend bool operator==(const CountedResource& a, const CountedResource& b) { return a.group == b.group && a.resource == b.resource; }
};
CountedResource counted_resource(std::string_view resource);  // of one resource of a budget, without an entry
std::vector<CountedResource> counted_resources(const DocumentSet& documents);

// What the ledger would say, from what is known of the budgets: for dry runs, policies that only warn, and the command line.
ChargeOutcome would_grant(const std::vector<Amount>& added, std::string_view tenant, std::string_view entry, const ClusterFacts& facts);

}  // namespace portcullis::policy
