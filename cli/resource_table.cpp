#include "cli/resource_table.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

namespace portcullis::cli {
namespace {

using Role = Resource::Role;
using Mended = Resource::Mended;

// A template that cannot change any more is mended on CREATE only. ReplicaSets are never mended: one that differs from its
// Deployment's template is made again and again.
const std::vector<Resource>& known_resources() {
  static const std::vector<Resource> table{
      {"Pod", "", "v1", "pods", {"ephemeralcontainers", "resize"}, Role::workload, Mended::on_create},
      {"ReplicationController", "", "v1", "replicationcontrollers", {"scale"}, Role::workload, Mended::on_update_too},
      {"PodTemplate", "", "v1", "podtemplates", {}, Role::workload, Mended::on_update_too},
      {"ConfigMap", "", "v1", "configmaps", {}, Role::configuration},
      {"ServiceAccount", "", "v1", "serviceaccounts", {}, Role::configuration},
      {"PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", {}},
      {"Service", "", "v1", "services", {}},
      {"Deployment", "apps", "v1", "deployments", {"scale"}, Role::workload, Mended::on_update_too},
      {"StatefulSet", "apps", "v1", "statefulsets", {"scale"}, Role::workload, Mended::on_update_too},
      {"DaemonSet", "apps", "v1", "daemonsets", {}, Role::workload, Mended::on_update_too},
      {"ReplicaSet", "apps", "v1", "replicasets", {"scale"}, Role::workload},
      {"Job", "batch", "v1", "jobs", {}, Role::workload, Mended::on_create},
      {"CronJob", "batch", "v1", "cronjobs", {}, Role::workload, Mended::on_update_too},
      {"HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers", {}, Role::autoscaler},
      {"Ingress", "networking.k8s.io", "v1", "ingresses", {}, Role::configuration},
      {"Gateway", "gateway.networking.k8s.io", "*", "gateways", {}, Role::configuration},
      {"Middleware", "traefik.io", "v1alpha1", "middlewares", {}, Role::configuration},
      {"MiddlewareTCP", "traefik.io", "v1alpha1", "middlewaretcps", {}, Role::configuration},
      {"IngressRoute", "traefik.io", "v1alpha1", "ingressroutes", {}, Role::configuration},
      {"IngressRouteTCP", "traefik.io", "v1alpha1", "ingressroutetcps", {}, Role::configuration},
      {"TLSOption", "traefik.io", "v1alpha1", "tlsoptions", {}, Role::configuration},
      {"TLSStore", "traefik.io", "v1alpha1", "tlsstores", {}, Role::configuration},
      {"ServersTransport", "traefik.io", "v1alpha1", "serverstransports", {}, Role::configuration},
      {"ServersTransportTCP", "traefik.io", "v1alpha1", "serverstransporttcps", {}, Role::configuration},
      {"Middleware", "traefik.containo.us", "v1alpha1", "middlewares", {}, Role::configuration},
      {"MiddlewareTCP", "traefik.containo.us", "v1alpha1", "middlewaretcps", {}, Role::configuration},
      {"IngressRoute", "traefik.containo.us", "v1alpha1", "ingressroutes", {}, Role::configuration},
      {"IngressRouteTCP", "traefik.containo.us", "v1alpha1", "ingressroutetcps", {}, Role::configuration},
      {"TLSOption", "traefik.containo.us", "v1alpha1", "tlsoptions", {}, Role::configuration},
      {"TLSStore", "traefik.containo.us", "v1alpha1", "tlsstores", {}, Role::configuration},
      {"ServersTransport", "traefik.containo.us", "v1alpha1", "serverstransports", {}, Role::configuration},
      {"SecretProviderClass", "secrets-store.csi.x-k8s.io", "*", "secretproviderclasses", {}, Role::configuration},
      {"Certificate", "cert-manager.io", "v1", "certificates", {}, Role::configuration},
      {"Application", "argoproj.io", "v1alpha1", "applications", {}, Role::configuration},
      {"Rollout", "argoproj.io", "v1alpha1", "rollouts", {}, Role::configuration},
      {"HelmRelease", "helm.toolkit.fluxcd.io", "*", "helmreleases", {}, Role::configuration},
  };
  return table;
}

}  // namespace

std::string guessed_plural(std::string_view kind) {
  std::string out(kind);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (out.ends_with('s')) return out + "es";
  if (out.ends_with('y')) return out.substr(0, out.size() - 1) + "ies";
  return out + "s";
}

bool is_never_sent(std::string_view group, std::string_view plural) {
  if (group == "portcullis.dev" || group == "coordination.k8s.io" || group == "events.k8s.io") return true;
  return group.empty() && (plural == "events" || plural == "secrets");
}

bool is_measured(const policy::CountedResource& resource) {
  constexpr std::string_view measured[]{"pods", "persistentvolumeclaims", "services"};
  return resource.group.empty() && std::find(std::begin(measured), std::end(measured), resource.resource) != std::end(measured);
}

std::vector<policy::CountedResource> budgeted_resources(const policy::DocumentSet& documents) {
  std::vector<policy::CountedResource> all{{"", "pods"}, {"", "persistentvolumeclaims"}, {"", "services"}};
  for (policy::CountedResource& each : policy::counted_resources(documents))
    if (!is_measured(each) && !is_never_sent(each.group, each.resource)) all.push_back(std::move(each));
  return all;
}

std::vector<Resource> resource_table(const policy::Platform& platform) {
  std::vector<Resource> table = known_resources();
  for (const policy::WorkloadKind& kind : platform.workload_kinds) {
    const auto known =
        std::find_if(table.begin(), table.end(), [&](const Resource& each) { return each.kind == kind.kind && each.group == kind.group; });
    Resource& resource =
        known == table.end() ? table.emplace_back(Resource{kind.kind, kind.group, kind.version, guessed_plural(kind.kind), {}}) : *known;
    resource.version = kind.version;
    resource.role = Role::workload;
    resource.mended = Mended::on_update_too;
    if (!kind.replicas.empty()) resource.subresources = {"scale"};
  }
  return table;
}

}  // namespace portcullis::cli
