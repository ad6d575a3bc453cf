// What an object uses of a budget, by ResourceQuota's resource names and Kubernetes' own arithmetic (kubernetes
// pkg/quota/v1/evaluator/core, component-helpers/resource/helpers.go). Exact: quantities are not rounded here.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "policy/object/quantity.hpp"
#include "policy/object/value.hpp"

namespace portcullis::policy {

// By resource name: "pods", "requests.cpu", "limits.memory", "requests.storage", "services.loadbalancers",
// "count/deployments.apps", ...
using Usage = std::map<std::string, Quantity, std::less<>>;

}  // namespace portcullis::policy
