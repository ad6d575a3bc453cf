// portcullis webhook: the API server's door.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "base/text.hpp"
#include "cli/certificate_keeping.hpp"
#include "cli/cluster_config.hpp"
#include "cli/command.hpp"
#include "cli/serve.hpp"
#include "policy/document/formats.hpp"
#include "webhook/embedded_ledger.hpp"
#include "webhook/handler.hpp"
#include "webhook/quota_ledger.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t streams_max = 100;  // the API server opens several connections of its own accord

constexpr std::chrono::seconds ledger_stop_time_max{2};  // of what is left of the pod's grace once requests have ended
constexpr std::string_view default_name_space = "portcullis-system";

struct WebhookCommand {
  ServeOptions serve;
  KeepingOptions keeping;
  std::string kubeconfig, name_space, facts_age = "PT150S";
};

net::Server::HandlerFactory handlers(const Services& services, const std::string& name_space) {
  auto metrics = std::make_shared<webhook::WebhookMetrics>();
  services.keep(metrics);
  services.metrics.add_source([&counts = *metrics](observe::Scrape& scrape) { counts.expose(scrape); });
  webhook::WebhookOptions options;
  if (services.cluster) {
    ClusterSide& cluster = *services.cluster;
    webhook::QuotaLedgerOptions quota_options;
    quota_options.name_space = name_space;
    quota_options.replica = process_environment("HOSTNAME");
    quota_options.usage_age_max = cluster.facts_age_max();
    auto ledger =
        std::make_shared<webhook::QuotaLedger>(cluster.background(), cluster.api(), cluster.cluster(), services.store, quota_options);
    ledger->add_metrics(services.metrics);
    ledger->start();
    services.keep(ledger);
    cluster.before_stop([ledger] { ledger->stop(Clock::now() + ledger_stop_time_max); });
    options.ledger = ledger.get();
    options.cluster = &cluster.cluster();
    options.not_ready_because = [&cluster, ledger] {
      const std::string why = cluster.not_ready_because();
      return why.empty() ? ledger->not_ready_because() : why;
    };
    services.readiness.require_once([ledger] { return ledger->not_ready_because(); });
  } else {
    auto ledger = std::make_shared<webhook::EmbeddedLedger>(services.store);
    services.keep(ledger);
    options.ledger = ledger.get();
  }
  return webhook::make_handlers(services.store, services.log, *metrics, std::move(options));
}

void declare_cluster_options(CLI::App& app, WebhookCommand& command) {
  with_environment(app.add_option("--kubeconfig", command.kubeconfig, "the cluster, outside of its pods (the pod's account)"))
      ->type_name("FILE");
  with_environment(app.add_option("--namespace", command.name_space, "the program's own (the pod's, else portcullis-system)"))
      ->type_name("NS");
  with_environment(app.add_option("--facts-age-max", command.facts_age, "older facts of the cluster are not known (PT150S)"))
      ->check([](const std::string& text) {
        return policy::parse_duration(text) ? std::string()
                                            : "found " + portcullis::quoted(text) + ", want a duration such as PT150S or 5m";
      })
      ->type_name("DURATION");
}

ExitCode run(const WebhookCommand& command, Streams& streams) {
  const auto config = cluster_of_door(command.kubeconfig);
  if (!config) return refuse(streams, config.error().message());
  std::string name_space = command.name_space;
  if (name_space.empty() && *config) name_space = (*config)->name_space;
  if (name_space.empty()) name_space = default_name_space;
  Door door{.name = "webhook",
            .needs_guard_policy = false,
            .streams_max = streams_max,
            .keep_certificate = {},
            .handlers = [&name_space](const Services& services) { return handlers(services, name_space); }};
  if (*config)
    door.connect = [&config = **config, age = *policy::parse_duration(command.facts_age)] { return ClusterSide::connect(config, age); };
  if (command.serve.tls_cert.empty() && command.serve.tls_key.empty()) {
    if (!*config) return refuse(streams, "--tls-cert is required outside of a cluster, and --tls-key: the API server speaks TLS only");
    door.keep_certificate = certificate_keeping(command.keeping, **config, name_space);
  }
  return serve(door, command.serve, streams);
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto command = std::make_shared<WebhookCommand>();
  declare_serve_options(app, command->serve);
  declare_cluster_options(app, *command);
  declare_keeping_options(app, command->keeping);
  return [command](Streams& streams) { return run(*command, streams); };
}

}  // namespace

const Command webhook_command{
    .words = "webhook",
    .summary = "answer the API server's admission reviews",
    .examples =
        "  portcullis webhook --config documents/ --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key\n"
        "  portcullis webhook --config documents/ --listen 0.0.0.0:8443 --metrics-listen 0.0.0.0:9090     (in a cluster)\n"
        "  portcullis webhook ... --audit-log /var/log/portcullis/decisions.jsonl --hash-key hash.key\n",
    .declare = declare,
};

}  // namespace portcullis::cli
