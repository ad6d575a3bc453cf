// The budgets of tenants as TenantQuota objects: what the ledger holds its grants against. In base units, so that nobody
// reads a quantity twice: millicores for cpu, bytes for memory and storage, one for counts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/document/documents.hpp"

namespace portcullis::cli {

// One for each tenant with a budget, in the tenants' order; only of `tenant` where that is not "".
std::vector<nlohmann::ordered_json> tenant_quotas(const policy::DocumentSet& documents, const std::string& tenant);

}  // namespace portcullis::cli
