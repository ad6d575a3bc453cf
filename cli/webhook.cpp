// portcullis webhook: the API server's door.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/certificate_keeping.hpp"
#include "cli/command.hpp"
#include "cli/serve.hpp"
#include "webhook/handler.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t streams_max = 100;  // the API server opens several connections of its own accord

net::Server::HandlerFactory handlers(const Services& services) {
  auto metrics = std::make_shared<webhook::WebhookMetrics>();
  services.keep(metrics);
  services.metrics.add_source([&counts = *metrics](observe::Scrape& scrape) { counts.expose(scrape); });
  return webhook::make_handlers(services.store, services.log, *metrics);
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  auto keeping = std::make_shared<KeepingOptions>();
  declare_serve_options(app, *options);
  declare_keeping_options(app, *keeping);
  return [options, keeping](Streams& streams) {
    Door door{.name = "webhook", .needs_guard_policy = false, .streams_max = streams_max, .keep_certificate = {}, .handlers = handlers};
    if (options->tls_cert.empty() && options->tls_key.empty()) {
      auto keeper = certificate_keeping(*keeping);
      if (!keeper) {
        streams.err << "error: " << keeper.error().message() << '\n';
        return ExitCode::not_judged;
      }
      door.keep_certificate = *std::move(keeper);
    }
    return serve(door, *options, streams);
  };
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
