// portcullis guard: Traefik's door, and the operator's beside it.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "cli/admin_side.hpp"
#include "cli/command.hpp"
#include "cli/serve.hpp"
#include "cli/server_metrics.hpp"
#include "guard/handler.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t streams_max = 250;  // one Traefik puts all its requests on one connection

struct GuardOptions : ServeOptions {
  std::string admin_listen;
};

net::Server::HandlerFactory handlers(const Services& services, const std::shared_ptr<guard::Guard>& guard) {
  guard->follow(services.store);
  guard::add_guard_metrics(services.metrics, *guard);
  // The factory lives only until the server has started; what the handlers share must live as long as they do.
  services.keep(guard);
  return guard::make_handlers(*guard, services.log);
}

Result<Beside> start_admin(const Services& services, const std::shared_ptr<guard::Guard>& guard, const net::ListenAddress& address) {
  auto started = AdminSide::start(guard, address);
  if (!started) return tl::unexpected(started.error());
  const std::shared_ptr<AdminSide> side = *std::move(started);
  add_server_metrics(services.metrics, "admin", side->server());
  return Beside{side, {side->ready_line()}};
}

ExitCode run(const GuardOptions& options, Streams& streams) {
  std::optional<net::ListenAddress> admin;
  if (!options.admin_listen.empty()) {
    auto parsed = net::parse_local_address(options.admin_listen);
    if (!parsed) {
      streams.err << "error: " << std::move(parsed.error()).within("--admin-listen").message() << '\n';
      return ExitCode::not_judged;
    }
    admin = *std::move(parsed);
  }
  const auto guard = std::make_shared<guard::Guard>();
  Door door{.name = "guard", .needs_guard_policy = true, .streams_max = streams_max, .keep_certificate = {}, .handlers = {}};
  door.handlers = [guard](const Services& services) { return handlers(services, guard); };
  if (admin) door.beside = [guard, address = *admin](const Services& services) { return start_admin(services, guard, address); };
  return serve(door, options, streams);
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<GuardOptions>();
  declare_serve_options(app, *options);
  with_environment(app.add_option("--admin-listen", options->admin_listen, "serve bans to operators here: loopback, or a socket's path"))
      ->type_name("ADDR:PORT|SOCKET");
  return [options](Streams& streams) { return run(*options, streams); };
}

}  // namespace

const Command guard_command{
    .words = "guard",
    .summary = "answer Traefik's forward-auth requests",
    .examples =
        "  portcullis guard --config documents/ --listen 127.0.0.1:9000\n"
        "  portcullis guard --config documents/ --listen 0.0.0.0:9000 --tls-cert tls.crt --tls-key tls.key\n"
        "  portcullis guard ... --metrics-listen 0.0.0.0:9090 --admin-listen /run/portcullis/admin.sock\n",
    .declare = declare,
};

}  // namespace portcullis::cli
