#include "kube/wanted.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace portcullis::kube {
namespace {

using policy::FactKind;

// What every API server serves since 1.23, so that nothing needs to be asked. Secrets are not among them: they are read by nobody here,
// and a budget of them counts none.
struct BuiltIn {
  std::string_view group, version, plural, kind;
  std::string_view pod_template, replicas;  // of a workload, components with a dot between
  bool namespaced = true;
};
constexpr std::array built_ins{
    BuiltIn{"", "v1", "namespaces", "Namespace", "", "", false},
    BuiltIn{"", "v1", "pods", "Pod", "", ""},
    BuiltIn{"", "v1", "services", "Service", "", ""},
    BuiltIn{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "", ""},
    BuiltIn{"", "v1", "configmaps", "ConfigMap", "", ""},
    BuiltIn{"", "v1", "serviceaccounts", "ServiceAccount", "", ""},
    BuiltIn{"", "v1", "endpoints", "Endpoints", "", ""},
    BuiltIn{"", "v1", "limitranges", "LimitRange", "", ""},
    BuiltIn{"", "v1", "podtemplates", "PodTemplate", "", ""},
    BuiltIn{"", "v1", "resourcequotas", "ResourceQuota", "", ""},
    BuiltIn{"", "v1", "replicationcontrollers", "ReplicationController", "spec.template", "spec.replicas"},
    BuiltIn{"apps", "v1", "deployments", "Deployment", "spec.template", "spec.replicas"},
    BuiltIn{"apps", "v1", "statefulsets", "StatefulSet", "spec.template", "spec.replicas"},
    BuiltIn{"apps", "v1", "daemonsets", "DaemonSet", "spec.template", ""},
    BuiltIn{"apps", "v1", "replicasets", "ReplicaSet", "spec.template", "spec.replicas"},
    BuiltIn{"batch", "v1", "jobs", "Job", "spec.template", "spec.parallelism"},
    BuiltIn{"batch", "v1", "cronjobs", "CronJob", "spec.jobTemplate.spec.template", ""},
    BuiltIn{"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "", ""},
    BuiltIn{"networking.k8s.io", "v1", "ingresses", "Ingress", "", ""},
};
// Whose spec or status says how much they use; every other kind is only counted.
constexpr std::array<std::string_view, 3> measured{"pods", "services", "persistentvolumeclaims"};

Path path_of(std::string_view dotted) {
  Path path;
  while (!dotted.empty()) {
    const std::size_t dot = dotted.find('.');
    path.emplace_back(dotted.substr(0, dot));
    dotted.remove_prefix(dot == std::string_view::npos ? dotted.size() : dot + 1);
  }
  return path;
}

Resource resource_of(const BuiltIn& each) {
  return {std::string(each.group), std::string(each.version), std::string(each.plural), std::string(each.kind), each.namespaced};
}

const BuiltIn* built_in(std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view plural = name.substr(0, dot), group = dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
  const auto* const at =
      std::find_if(built_ins.begin(), built_ins.end(), [&](const BuiltIn& each) { return each.plural == plural && each.group == group; });
  return at == built_ins.end() ? nullptr : at;
}

void plan_facts(const Wanted& wanted, const Discovery& discovery, std::map<std::string, PlannedResource>& out) {
  for (const BuiltIn& each : built_ins) {
    const Resource resource = resource_of(each);
    Roles roles;
    if (each.plural == "namespaces" && wanted.facts.has(FactKind::namespaces)) {
      roles.facts = FactRole::namespaces;
      roles.metadata_only = true;
    } else if (each.plural == "horizontalpodautoscalers" && wanted.facts.has(FactKind::autoscalers)) {
      roles.facts = FactRole::autoscalers;
    } else if (!each.pod_template.empty() && wanted.facts.has(FactKind::workloads)) {
      roles.facts = FactRole::workloads;
      roles.layout = WorkloadLayout{resource.group, resource.kind, path_of(each.pod_template), path_of(each.replicas)};
    } else {
      continue;
    }
    out[resource.name()] = {resource, std::move(roles)};
  }
  if (!wanted.facts.has(FactKind::workloads)) return;
  for (const TemplatedKind& each : wanted.workload_kinds) {
    Roles roles;
    roles.facts = FactRole::workloads;
    roles.layout = WorkloadLayout{each.group, each.kind, each.pod_template, each.replicas};
    auto resource = discovery.by_kind(each.group, each.version, each.kind);
    const std::string name = resource ? resource->name() : each.kind + "." + each.group;
    out[name] = {std::move(resource), std::move(roles)};
  }
}

}  // namespace

std::map<std::string, PlannedResource> plan(const Wanted& wanted, const Discovery& discovery) {
  std::map<std::string, PlannedResource> out;
  plan_facts(wanted, discovery, out);
  for (const std::string& name : wanted.counted) {
    const bool is_measured = std::find(measured.begin(), measured.end(), name) != measured.end();
    if (const auto at = out.find(name); at != out.end()) {
      at->second.roles.counted = true;
      if (is_measured) at->second.roles.metadata_only = false;
      continue;
    }
    PlannedResource planned;
    planned.roles.counted = true;
    planned.roles.metadata_only = !is_measured;
    if (const BuiltIn* known = built_in(name)) {
      planned.resource = resource_of(*known);
    } else {
      const std::size_t dot = name.find('.');
      planned.resource = discovery.by_plural(dot == std::string::npos ? "" : std::string_view(name).substr(dot + 1), name.substr(0, dot));
    }
    out[name] = std::move(planned);
  }
  return out;
}

bool wants_discovery(const Wanted& wanted) {
  if (!wanted.workload_kinds.empty() && wanted.facts.has(FactKind::workloads)) return true;
  return std::any_of(wanted.counted.begin(), wanted.counted.end(), [](const std::string& name) { return built_in(name) == nullptr; });
}

}  // namespace portcullis::kube
