// API groups that hold the same kinds under an older name. The API server converts where matchPolicy is Equivalent; a manifest
// on the command line is not converted, and both must be judged alike (threats A45, A46 for what is no conversion).
#pragma once

#include <span>
#include <string_view>

#include "policy/document/documents.hpp"
#include "policy/object/subject.hpp"

namespace portcullis::policy {

// The group that rules and documents name: extensions' Deployment, DaemonSet and ReplicaSet are apps', its Ingress and
// NetworkPolicy networking.k8s.io's. Every other group stays.
constexpr std::string_view canonical_group(std::string_view group, std::string_view kind) {
  if (group != "extensions") return group;
  if (kind == "Deployment" || kind == "DaemonSet" || kind == "ReplicaSet" || kind == "Scale") return "apps";
  if (kind == "Ingress" || kind == "NetworkPolicy") return "networking.k8s.io";
  return group;
}

struct KindName {
  std::string_view kind, group;
};

// The kind that a write is about, as policies and rules name it: of deployments/scale it is Deployment in apps, though the
// object of the review is a Scale; of every other write it is the object's own.
KindName judged_kind(const Subject& subject, std::span<const WorkloadKind> extra);

// Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, PodTemplate or an extra kind.
bool is_workload(KindName name, std::span<const WorkloadKind> extra);

}  // namespace portcullis::policy
