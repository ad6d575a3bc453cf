// portcullis guard: Traefik's door.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command.hpp"
#include "cli/serve.hpp"
#include "guard/handler.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t streams_max = 250;  // one Traefik puts all its requests on one connection

net::Server::HandlerFactory handlers(const Services& services) {
  auto guard = std::make_shared<guard::Guard>();
  guard->follow(services.store);
  guard::add_guard_metrics(services.metrics, *guard);
  // The factory lives only until the server has started; what the handlers share must live as long as they do.
  services.keep(guard);
  return guard::make_handlers(*guard, services.log);
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  declare_serve_options(app, *options);
  return [options](Streams& streams) {
    return serve({.name = "guard", .needs_guard_policy = true, .streams_max = streams_max, .keep_certificate = {}, .handlers = handlers},
                 *options, streams);
  };
}

}  // namespace

const Command guard_command{
    .words = "guard",
    .summary = "answer Traefik's forward-auth requests",
    .examples =
        "  portcullis guard --config documents/ --listen 127.0.0.1:9000\n"
        "  portcullis guard --config documents/ --listen 0.0.0.0:9000 --tls-cert tls.crt --tls-key tls.key\n"
        "  portcullis guard ... --metrics-listen 0.0.0.0:9090 --audit-log /var/log/portcullis/guard.jsonl\n",
    .declare = declare,
};

}  // namespace portcullis::cli
