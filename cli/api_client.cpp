#include "cli/api_client.hpp"

#include <CLI/CLI.hpp>
#include <future>
#include <utility>

#include "cli/cluster_config.hpp"
#include "cli/command.hpp"
#include "cli/version.hpp"

namespace portcullis::cli {
namespace {

constexpr std::chrono::seconds call_time_max{15};
constexpr std::string_view default_name_space = "portcullis-system";

using Answer = Result<kube::ApiResponse>;

net::Task<void> ask(kube::Api& api, kube::ApiRequest request, Deadline deadline, std::shared_ptr<std::promise<Answer>> told) {
  Answer answer = co_await api.call(std::move(request), deadline);
  told->set_value(std::move(answer));
}

}  // namespace

void declare_api_options(CLI::App& app, ApiOptions& options) {
  with_environment(
      app.add_option("--kubeconfig", options.kubeconfig, "as kubectl reads it (KUBECONFIG, ~/.kube/config, the pod's account)"))
      ->type_name("FILE");
  with_environment(app.add_option("--context", options.context, "of the kubeconfig (its current one)"))->type_name("NAME");
  with_environment(app.add_option("--namespace", options.name_space, "the program's own (portcullis-system; in a pod its own)"))
      ->type_name("NS");
}

Result<std::unique_ptr<ApiClient>> ApiClient::open(const ApiOptions& options) {
  auto config = cluster_of_user(options.kubeconfig, options.context);
  if (!config) return tl::unexpected(config.error());
  std::unique_ptr<ApiClient> client(new ApiClient);
  client->in_cluster_ = config->token.file.string().starts_with(kube::service_account_directory);
  client->source_ = config->source;
  client->name_space_ = !options.name_space.empty()                          ? options.name_space
                        : client->in_cluster_ && !config->name_space.empty() ? config->name_space
                                                                             : std::string(default_name_space);
  client->background_ = std::make_unique<net::Background>("api");
  kube::ConnectionOptions connection_options;
  connection_options.version = version;
  auto connection = kube::Connection::open(*client->background_, *config, connection_options);
  if (!connection) return tl::unexpected(connection.error());
  client->connection_ = *std::move(connection);
  return client;
}

Result<kube::ApiResponse> ApiClient::call(kube::ApiRequest request) {
  auto told = std::make_shared<std::promise<Answer>>();
  std::future<Answer> answer = told->get_future();
  const Deadline deadline = Clock::now() + call_time_max;
  kube::Api& api = *connection_;
  background_->spawn("api_call", [&api, request = std::move(request), deadline, told] { return ask(api, request, deadline, told); });
  return answer.get();
}

}  // namespace portcullis::cli
