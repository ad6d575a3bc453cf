// What a workload will ask of a budget before any of its pods does: pods that can never fit, that do not fit now, and a
// rollout that has no room for its first new pod. The pods are the truth and are charged when they come; this only tells in
// time, and an update that neither grows nor changes the template is told nothing.
//
// An autoscaler goes on asking for its maxReplicas, whatever is refused: it is told, on every write, that they never fit. What
// it scales is looked up; where that is not there (yet), there is nothing to tell.
//
// Knows the template's own amounts: what a LimitRange, a RuntimeClass or a webhook adds comes on top, so every figure is "at
// least".
#pragma once

#include <string_view>

#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {

// Findings for Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, the Platform's workloadKinds
// and scale, none for what a controller owns, whose owner was told; and for HorizontalPodAutoscaler.
void find_forecast(const Subject& subject, const Facts& facts, Findings& findings);

// "all namespaces of tenant `acme`", or "namespaces `acme-proj-*` of tenant `acme`", whose budget a dimension belongs to.
std::string budget_holder(std::string_view dimension, const Facts& facts);

// Kubernetes tries again what was refused, more and more rarely: workqueue's default limiter ends at 1,000 s.
inline constexpr std::string_view retry_hint = "refused pods are tried again, at the latest 16 min 40 s after there is room";

}  // namespace portcullis::policy::rule
