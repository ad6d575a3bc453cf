// Why usage cannot be counted on: resources that budgets count and that are not known, not served though every API server has them,
// or seen too long ago. Pure.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>

#include "kube/cluster_status.hpp"

namespace portcullis::webhook {

// "" when all is well. `counted`: "pods", "deployments.apps".
std::string usage_obstacle(const kube::ClusterStatus& status, const std::set<std::string, std::less<>>& counted,
                           std::chrono::seconds age_max);

// The same of one resource that the API server was just heard to not serve; "" for one that may be absent: a CRD may go, and its
// objects go with it.
std::string not_served_obstacle(std::string_view resource);

}  // namespace portcullis::webhook
