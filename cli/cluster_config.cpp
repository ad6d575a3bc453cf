#include "cli/cluster_config.hpp"

#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "kube/credentials.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::cli {
namespace {

namespace fs = std::filesystem;

Result<kube::KubeconfigFile> read_one(const fs::path& path) {
  auto text = kube::read_credential(path);
  if (!text) return tl::unexpected(text.error());
  auto documents = policy::yaml::parse_stream(path.string(), *text);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->size() != 1) return fail(ErrorKind::invalid, path.string(), "want one YAML document");
  return kube::KubeconfigFile{.path = path, .json = policy::yaml::to_json(documents->front().root)};
}

Result<kube::Config> read_all(const std::vector<fs::path>& paths, const std::string& context) {
  std::vector<kube::KubeconfigFile> files;
  for (const fs::path& path : paths) {
    auto file = read_one(path);
    if (!file) return tl::unexpected(file.error());
    files.push_back(*std::move(file));
  }
  return kube::read_kubeconfig(files, context);
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Of KUBECONFIG's files those that are there, as client-go takes them.
std::vector<fs::path> files_of(std::string_view list) {
  std::vector<fs::path> found;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(':'));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    if (!name.empty() && is_there(name)) found.emplace_back(name);
  }
  return found;
}

}  // namespace

std::string process_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets one
  return value ? value : "";
}

Result<std::optional<kube::Config>> cluster_of_door(const std::string& kubeconfig, const Environment& environment,
                                                    const fs::path& service_account) {
  Result<kube::Config> config = kube::Config{};
  if (!kubeconfig.empty()) {
    config = read_all({kubeconfig}, {});
  } else if (is_there(service_account / "token") && !environment("KUBERNETES_SERVICE_HOST").empty()) {
    config = kube::in_cluster_config(environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"), service_account);
  } else {
    return std::optional<kube::Config>();
  }
  if (!config) return tl::unexpected(config.error());
  return std::optional<kube::Config>(*std::move(config));
}

Result<kube::Config> cluster_of_user(const std::string& kubeconfig, const std::string& context, const Environment& environment,
                                     const fs::path& service_account) {
  if (!kubeconfig.empty()) return read_all({kubeconfig}, context);
  if (const std::string list = environment("KUBECONFIG"); !list.empty()) {
    const auto files = files_of(list);
    if (files.empty()) return fail(ErrorKind::not_found, "KUBECONFIG", "names no file that is there");
    return read_all(files, context);
  }
  const fs::path home = fs::path(environment("HOME")) / ".kube" / "config";
  if (is_there(home)) return read_all({home}, context);
  if (!environment("KUBERNETES_SERVICE_HOST").empty()) {
    return kube::in_cluster_config(environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"), service_account);
  }
  return fail(ErrorKind::not_found, "kubeconfig", "no cluster: want --kubeconfig, KUBECONFIG or ~/.kube/config");
}

}  // namespace portcullis::cli
