#include "policy/object/group.hpp"

#include <algorithm>
#include <array>

namespace portcullis::policy {
namespace {

constexpr std::array<KindName, 9> workloads{{{"Pod", ""},
                                             {"Deployment", "apps"},
                                             {"StatefulSet", "apps"},
                                             {"ReplicaSet", "apps"},
                                             {"DaemonSet", "apps"},
                                             {"Job", "batch"},
                                             {"CronJob", "batch"},
                                             {"ReplicationController", ""},
                                             {"PodTemplate", ""}}};

struct Scalable {
  std::string_view resource;
  KindName name;
};
constexpr std::array<Scalable, 4> scalables{{{"deployments", {"Deployment", "apps"}},
                                             {"statefulsets", {"StatefulSet", "apps"}},
                                             {"replicasets", {"ReplicaSet", "apps"}},
                                             {"replicationcontrollers", {"ReplicationController", ""}}}};

// Kubernetes' names of resources are the lower-case plural of the kind for every custom resource with a pod template that we
// know of (rollouts, clonesets).
bool is_resource_of(std::string_view resource, std::string_view kind) {
  return resource.size() == kind.size() + 1 && resource.back() == 's' &&
         std::equal(kind.begin(), kind.end(), resource.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

}  // namespace

KindName judged_kind(const Subject& subject, std::span<const WorkloadKind> extra) {
  if (subject.subresource == "scale") {
    const std::string_view group = canonical_group(subject.resource_group, "Scale");
    for (const Scalable& each : scalables)
      if (each.resource == subject.resource && each.name.group == group) return each.name;
    for (const WorkloadKind& each : extra)
      if (each.group == subject.resource_group && is_resource_of(subject.resource, each.kind)) return {each.kind, each.group};
  }
  return {subject.kind, canonical_group(subject.group, subject.kind)};
}

bool is_workload(KindName name, std::span<const WorkloadKind> extra) {
  for (const KindName& each : workloads)
    if (each.kind == name.kind && each.group == name.group) return true;
  return std::any_of(extra.begin(), extra.end(),
                     [&](const WorkloadKind& each) { return each.kind == name.kind && each.group == name.group; });
}

}  // namespace portcullis::policy
