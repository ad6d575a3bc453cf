// What documents want to know -> the resources to watch, and what for. A function of the wants and of what the API server serves.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kube/discovery.hpp"
#include "kube/intake.hpp"
#include "kube/resource.hpp"
#include "policy/object/cluster_facts.hpp"

namespace portcullis::kube {

// A custom resource that holds a pod template (Platform's workloadKinds).
struct TemplatedKind {
  std::string group, version, kind;
  Path pod_template;  // by component: {"spec", "template"}
  Path replicas;      // empty: the kind has none
  friend bool operator==(const TemplatedKind&, const TemplatedKind&) = default;
};

// What the documents in force need to know.
struct Wanted {
  policy::FactKinds facts;  // budgets are not watched but published (Cluster::publish_budgets)
  // Resources whose objects use budgets, by their names: "pods", "persistentvolumeclaims", "services", "deployments.apps" for
  // count/deployments.apps, and so on. What the API server does not serve counts as none.
  std::set<std::string> counted;
  std::vector<TemplatedKind> workload_kinds;
  friend bool operator==(const Wanted&, const Wanted&) = default;
};

struct PlannedResource {
  std::optional<Resource> resource;  // none: the API server does not serve it
  Roles roles;
};

// By name ("pods", "deployments.apps"; of a workload kind that is not served, "Rollout.argoproj.io").
std::map<std::string, PlannedResource> plan(const Wanted& wanted, const Discovery& discovery);
// Can the plan not be made without discovery?
bool wants_discovery(const Wanted& wanted);

}  // namespace portcullis::kube
