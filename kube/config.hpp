// Where the API server is and who we are there: from a pod's ServiceAccount, or from kubeconfig files. What lies in a file of
// its own (token, roots, certificate) is named here, and read by kube/credentials.hpp again and again.
//
// Of kubeconfig (client-go's clientcmd/api/v1) the fields below; what would run a program, use a proxy, trust anybody or act
// as another (exec, auth-provider, proxy-url, insecure-skip-tls-verify, as, username) is refused, not skipped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portcullis::kube {

// Bytes that were given, or the file that has them; a file wins. Both empty: none.
struct Material {
  std::string bytes;
  std::filesystem::path file;
  [[nodiscard]] bool is_given() const { return !bytes.empty() || !file.empty(); }
};

struct Config {
  std::string host;  // a name or an IP literal without brackets
  std::uint16_t port = 443;
  bool plain = false;       // http://
  std::string base_path;    // of the server's URL, without a slash at its end: "" or "/k8s/clusters/c-1"
  std::string server_name;  // "" is `host`
  Material roots;           // none: the system's
  Material certificate, key;
  Material token;
  std::string name_space;  // where objects without one belong; ours in a cluster
  std::string source;      // for messages: "the ServiceAccount of this pod", "/home/a/.kube/config context `prod`"
};

inline constexpr std::string_view service_account_directory = "/var/run/secrets/kubernetes.io/serviceaccount";

// In a pod: `host` and `port` are KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. Errors: no token, no namespace.
Result<Config> in_cluster_config(std::string_view host, std::string_view port,
                                 const std::filesystem::path& directory = service_account_directory);

struct KubeconfigFile {
  std::filesystem::path path;
  std::string json;  // the file's YAML as JSON
};

// Several files are merged as client-go does: of two entries of one name the first is used. `context`: "" is the current one.
Result<Config> read_kubeconfig(const std::vector<KubeconfigFile>& files, std::string_view context = {});

}  // namespace portcullis::kube
