#include "cli/render_quotas.hpp"

#include "policy/document/budget.hpp"

namespace portcullis::cli {

using Json = nlohmann::ordered_json;

std::vector<Json> tenant_quotas(const policy::DocumentSet& documents, const std::string& tenant) {
  std::vector<Json> out;
  for (const policy::Tenant& each : documents.tenants) {
    if (!tenant.empty() && each.name != tenant) continue;
    Json hard = Json::object();
    for (const policy::Amount& amount : policy::budget_limits(each)) hard[amount.resource] = amount.units;
    if (hard.empty()) continue;
    out.push_back({{"apiVersion", "portcullis.dev/v1"},
                   {"kind", "TenantQuota"},
                   {"metadata", {{"name", each.name}, {"labels", {{"app.kubernetes.io/part-of", "portcullis"}}}}},
                   {"spec", {{"tenant", each.name}, {"hard", std::move(hard)}}}});
  }
  return out;
}

}  // namespace portcullis::cli
