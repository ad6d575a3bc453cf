// The API server for commands that ask, wait and end: a connection on a thread of its own, called from anywhere.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cli/api_objects.hpp"
#include "kube/connection.hpp"
#include "net/background.hpp"

namespace CLI {
class App;
}  // namespace CLI

namespace portcullis::cli {

struct ApiOptions {
  std::string kubeconfig, context, name_space;
};
// --kubeconfig, --context, --namespace.
void declare_api_options(CLI::App& app, ApiOptions& options);

class ApiClient {
 public:
  static Result<std::unique_ptr<ApiClient>> open(const ApiOptions& options);

  // Waits for the answer, `call_time_max` at most.
  Result<kube::ApiResponse> call(kube::ApiRequest request);
  // The program's namespace: --namespace, else that of the ServiceAccount in a pod, else portcullis-system.
  [[nodiscard]] const std::string& name_space() const { return name_space_; }
  [[nodiscard]] bool is_in_cluster() const { return in_cluster_; }
  [[nodiscard]] const std::string& source() const { return source_; }  // which files or account it came from

 private:
  ApiClient() = default;
  std::string name_space_, source_;
  bool in_cluster_ = false;
  std::unique_ptr<net::Background> background_;  // outlives the connection
  std::unique_ptr<kube::Connection> connection_;
};

}  // namespace portcullis::cli
