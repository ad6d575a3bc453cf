// What an object uses of a budget, by ResourceQuota's resource names and Kubernetes' own arithmetic (kubernetes
// pkg/quota/v1/evaluator/core, component-helpers/resource/helpers.go, as of 1.35 with its default feature gates: resources
// resized in place and pod-level resources count). Exact: quantities are not rounded here, but a claim's storage, which
// Kubernetes rounds up to bytes itself.
//
// Every object counts as count/<plural>[.<group>]; pods, persistentvolumeclaims and services count for more. What is no
// quantity counts as absent: the API server has refused it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "policy/object/pod_template.hpp"
#include "policy/object/quantity.hpp"
#include "policy/object/value.hpp"

namespace portcullis::policy {

// By resource name: "pods", "requests.cpu", "limits.memory", "requests.storage", "services.loadbalancers",
// "count/deployments.apps", ...
using Usage = std::map<std::string, Quantity, std::less<>>;

// As it was read from the API server, or with what the API server fills in when it stores a pod: limits as the requests that
// are not there. To what is stored already that changes nothing.
enum class PodDefaults : std::uint8_t { as_stored, applied };

// Of a whole object, `resource` and `group` as URLs have them ("pods", "" or "deployments", "apps"). `now` decides about a pod
// whose grace has passed: it counts as an object only.
Usage usage_of(Value object, std::string_view resource, std::string_view group, Instant now, PodDefaults defaults = PodDefaults::as_stored);

// Of one pod that a controller would make from this template. What a LimitRange, a RuntimeClass or a webhook adds is not in
// it: it is the least that such a pod uses.
Usage pod_usage(const PodTemplate& pod);

// From when on a terminating pod counts as an object only; none for any other pod. No event tells of it: who keeps usage asks
// again then.
std::optional<Instant> usage_ends(Value pod);

}  // namespace portcullis::policy
