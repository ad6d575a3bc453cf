// The rights that the webhook needs in a cluster: what the rules of these documents ask to know, the ledger's object, and what
// keeps its certificates good. Never a right to read Secrets.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/engine.hpp"

namespace portcullis::cli {

// ClusterRole, ClusterRoleBinding, Role and RoleBinding, in this order.
std::vector<nlohmann::ordered_json> webhook_rights(const policy::PolicySnapshot& snapshot, const std::string& name_space);

// All of them, as `render rbac` prints them.
std::string rights(const policy::PolicySnapshot& snapshot, const std::string& name_space);

}  // namespace portcullis::cli
