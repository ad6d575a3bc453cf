#include "webhook/usage_obstacle.hpp"

namespace portcullis::webhook {
namespace {

// Kinds that every API server has. Where one says 404 to them, it is no API server that spoke, and "there are none" is no answer.
bool is_built_in(std::string_view resource) {
  const std::size_t dot = resource.find('.');
  const std::string_view group = dot == std::string_view::npos ? std::string_view() : resource.substr(dot + 1);
  return group.find('.') == std::string_view::npos || group == "networking.k8s.io";
}

}  // namespace

std::string not_served_obstacle(std::string_view resource) {
  return is_built_in(resource) ? "the API server says that it does not know " + std::string(resource) : std::string();
}

std::string usage_obstacle(const kube::ClusterStatus& status, const std::set<std::string, std::less<>>& counted,
                           std::chrono::seconds age_max) {
  std::string why;
  if (!status.current) why = "usage is not known yet";
  for (const kube::ResourceStatus& each : status.resources) {
    if (!counted.contains(each.resource)) continue;
    if (!each.synced) why = "usage of " + each.resource + " is not known yet";
    if (each.synced && !each.served && is_built_in(each.resource)) why = not_served_obstacle(each.resource);
    if (each.synced && each.served && each.age > age_max) why = "usage of " + each.resource + " is too old";
  }
  return why;
}

}  // namespace portcullis::webhook
