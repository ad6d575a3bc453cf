// portcullis guard: Traefik's door.
#include "guard/guard.hpp"

#include <CLI/CLI.hpp>
#include <atomic>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "audit/keyed_hash.hpp"
#include "cli/admin_side.hpp"
#include "cli/command.hpp"
#include "cli/serve.hpp"
#include "cli/server_metrics.hpp"
#include "guard/access_log.hpp"
#include "guard/explain.hpp"
#include "guard/handler.hpp"
#include "guard/redis_url.hpp"
#include "guard/shared_store.hpp"
#include "observe/log.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t streams_max = 250;  // one Traefik puts all its requests on one connection

struct GuardDoorOptions {
  ServeOptions serve;
  std::string redis, redis_password_file, redis_ca, redis_mode = "strict";
  std::string access_log, admin_listen;
};

// What keys are hashed with, the same on all replicas that have the same file.
Result<guard::SipKey> shared_seed(const std::string& file) {
  auto key = read_hash_key(file);
  if (!key) return tl::unexpected(key.error());
  auto hash = audit::KeyedHash::create(*key);
  if (!hash) return tl::unexpected(hash.error());
  std::string digits;
  hash->append(digits, "keys of the guard's limits", 32);
  guard::SipKey seed;
  std::from_chars(digits.data(), digits.data() + 16, seed.k0, 16);
  std::from_chars(digits.data() + 16, digits.data() + 32, seed.k1, 16);
  return seed;
}

Result<std::unique_ptr<guard::SharedStore>> open_store(const GuardDoorOptions& options) {
  if (options.redis.empty()) {
    if (!options.redis_password_file.empty() || !options.redis_ca.empty())
      return fail(ErrorKind::invalid, "", "--redis-password-file and --redis-ca say nothing without --redis");
    return std::unique_ptr<guard::SharedStore>();
  }
  if (options.serve.hash_key.empty())
    return fail(ErrorKind::invalid, "", "--redis wants --hash-key: replicas share their keys' hashes, so they must share the key");
  auto url = guard::parse_redis_url(options.redis);
  if (!url) return tl::unexpected(url.error());
  guard::StoreOptions store;
  store.url = *std::move(url);
  store.password_file = options.redis_password_file;
  store.ca_file = options.redis_ca;
  store.mode = options.redis_mode == "lease" ? guard::StoreMode::lease : guard::StoreMode::strict;
  return guard::SharedStore::open(std::move(store));
}

Result<std::shared_ptr<guard::Guard>> make_guard(const GuardDoorOptions& options) {
  guard::GuardOptions made;
  auto store = open_store(options);
  if (!store) return tl::unexpected(store.error());
  if (*store != nullptr) {
    auto seed = shared_seed(options.serve.hash_key);
    if (!seed) return tl::unexpected(seed.error());
    made.seed = *seed;
  }
  made.store = *std::move(store);
  made.feedback = !options.access_log.empty();
  return std::make_shared<guard::Guard>(std::move(made));
}

// The access log's reader and whom it tells. The reader's thread asks it itself when it last read a line.
struct Listener {
  std::shared_ptr<guard::Guard> guard;
  std::unique_ptr<guard::AccessLogReader> reader;
  std::atomic<guard::AccessLogReader*> started{nullptr};
};

Result<std::shared_ptr<Listener>> listen_to(const std::string& file, const std::shared_ptr<guard::Guard>& guard) {
  auto listener = std::make_shared<Listener>();
  listener->guard = guard;
  guard::AccessLogReader::Options options;
  options.file = file;
  options.finished = [feedback = guard->feedback()](const guard::FinishedRequest& request) { feedback->finished(request); };
  options.tick = [feedback = guard->feedback(), at = listener.get()] {
    if (const guard::AccessLogReader* const reader = at->started.load()) feedback->heard(reader->stats().last_line);
  };
  auto started = guard::AccessLogReader::start(std::move(options));
  if (!started) return tl::unexpected(started.error());
  listener->reader = *std::move(started);
  listener->started = listener->reader.get();
  return listener;
}

net::Server::HandlerFactory handlers(const Services& services, const std::shared_ptr<guard::Guard>& guard,
                                     const std::shared_ptr<Listener>& listener) {
  guard->follow(services.store);
  guard->run_clock();
  guard::add_guard_metrics(services.metrics, *guard);
  // The factory lives only until the server has started; what the handlers share must live as long as they do.
  services.keep(guard);
  if (listener) {
    services.metrics.add_source([at = listener.get()](observe::Scrape& scrape) { at->reader->expose(scrape); });
    services.keep(listener);
  }
  return guard::make_handlers(*guard, services.log);
}

AdminAnswer explain(guard::Guard& guard, std::string_view body) {
  const auto question = guard::parse_question(body);
  if (!question) return {400, nlohmann::json{{"error", question.error().message()}}.dump()};
  return {200, guard::explain(guard, *question).dump()};
}

Result<Beside> start_admin(const Services& services, const std::shared_ptr<guard::Guard>& guard, const net::ListenAddress& address) {
  auto started = AdminSide::start(guard, address, [&guard = *guard](AdminHandler& handler) {
    handler.add("/v1/explain", [&guard](std::string_view body) { return explain(guard, body); });
  });
  if (!started) return tl::unexpected(started.error());
  const std::shared_ptr<AdminSide> side = *std::move(started);
  add_server_metrics(services.metrics, "admin", side->server());
  return Beside{side, {side->ready_line()}};
}

ExitCode run(const GuardDoorOptions& options, Streams& streams) {
  std::optional<net::ListenAddress> admin;
  if (!options.admin_listen.empty()) {
    auto parsed = net::parse_local_address(options.admin_listen);
    if (!parsed) return refuse(streams, std::move(parsed.error()).within("--admin-listen"));
    admin = *std::move(parsed);
  }
  auto guard = make_guard(options);
  if (!guard) return refuse(streams, guard.error());
  std::shared_ptr<Listener> listener;
  if (!options.access_log.empty()) {
    auto started = listen_to(options.access_log, *guard);
    if (!started) return refuse(streams, started.error());
    listener = *std::move(started);
  }
  Door door{.name = "guard", .needs_guard_policy = true, .streams_max = streams_max, .keep_certificate = {}, .handlers = {}};
  door.handlers = [&](const Services& services) { return handlers(services, *guard, listener); };
  if (admin) door.beside = [&](const Services& services) { return start_admin(services, *guard, *admin); };
  return serve(door, options.serve, streams);
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<GuardDoorOptions>();
  declare_serve_options(app, options->serve);
  with_environment(app.add_option("--redis", options->redis, "share limits through this Redis: redis://, rediss:// or unix://"))
      ->type_name("URL");
  with_environment(app.add_option("--redis-password-file", options->redis_password_file, "its password; the user stands in the URL"))
      ->type_name("FILE");
  with_environment(app.add_option("--redis-ca", options->redis_ca, "with rediss://, whom to trust, PEM (the system's roots)"))
      ->type_name("FILE");
  with_environment(app.add_option("--redis-mode", options->redis_mode, "strict (default): ask for each request; lease: borrow in slices"))
      ->check(one_of({"strict", "lease"}))
      ->type_name("WORD");
  with_environment(app.add_option("--access-log", options->access_log, "Traefik's JSON access log: outcomes of logins, ends of requests"))
      ->type_name("FILE");
  with_environment(app.add_option("--admin-listen", options->admin_listen, "serve operators here: loopback, or a socket's path"))
      ->type_name("ADDR:PORT|SOCKET");
  return [options](Streams& streams) { return run(*options, streams); };
}

}  // namespace

const Command guard_command{
    .words = "guard",
    .summary = "answer Traefik's forward-auth requests",
    .examples =
        "  portcullis guard --config documents/ --listen 127.0.0.1:9000 --access-log /var/log/traefik/access.log\n"
        "  portcullis guard --config documents/ --listen 0.0.0.0:9000 --tls-cert tls.crt --tls-key tls.key\n"
        "  portcullis guard ... --redis rediss://guard@redis.example:6379 --redis-password-file password --hash-key key\n",
    .declare = declare,
};

}  // namespace portcullis::cli
