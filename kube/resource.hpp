// A resource type as it is asked for: where it is served, and what its objects are called.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::kube {

struct Resource {
  std::string group;  // "" for the core group
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;

  // "pods", "deployments.apps": how budgets, metrics and logs name it.
  [[nodiscard]] std::string name() const { return group.empty() ? plural : plural + "." + group; }
  // "/api/v1/pods", "/apis/apps/v1/deployments": the collection over all namespaces.
  [[nodiscard]] std::string path() const { return (group.empty() ? "/api/" : "/apis/" + group + "/") + version + "/" + plural; }
  // The collection of one namespace.
  [[nodiscard]] std::string path_in(std::string_view name_space) const {
    return (group.empty() ? "/api/" : "/apis/" + group + "/") + version + "/namespaces/" + std::string(name_space) + "/" + plural;
  }
  friend bool operator==(const Resource&, const Resource&) = default;
};

}  // namespace portcullis::kube
