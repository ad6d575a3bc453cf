#include "cli/serve.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "audit/metrics.hpp"
#include "base/text.hpp"
#include "cli/documents.hpp"
#include "cli/metrics_handler.hpp"
#include "cli/server_metrics.hpp"
#include "cli/version.hpp"
#include "config/watch.hpp"
#include "observe/log.hpp"
#include "observe/process_metrics.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t hash_key_bytes_min = 16, hash_key_bytes_max = 4096;
constexpr unsigned threads_max = 1024;
constexpr unsigned drain_delay_seconds_max = 20;  // leaves 5 s of the 25 to end what is left
constexpr std::chrono::milliseconds signal_poll{50};

// The signals that steer the process, blocked in every thread from before the first is started, so that only take() sees
// them. The former mask comes back at the end.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, each);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~Signals() {
    // Those that came while we were ending would kill us now, and the exit code would say that something went wrong.
    while (take_within(std::chrono::milliseconds(0)) != 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int take() {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }
  // 0 when none came before the timeout.
  int take_within(std::chrono::milliseconds timeout) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec time{static_cast<time_t>(seconds.count()),
                        static_cast<long>(std::chrono::duration_cast<std::chrono::nanoseconds>(timeout - seconds).count())};
    const int signal = sigtimedwait(&set_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t set_{}, before_{};
};

// Requests hold secrets: no core dump, no debugger of the same user. Sockets need descriptors.
void harden_process() {
#if !defined(__SANITIZE_ADDRESS__)  // LeakSanitizer reads the process as a debugger does
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace

Result<std::string> read_hash_key(const std::string& file) {
  if (file.empty()) return std::string();
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::unavailable, file, "--hash-key: cannot be read");
  std::string key(hash_key_bytes_max + 1, '\0');
  in.read(key.data(), static_cast<std::streamsize>(key.size()));
  key.resize(static_cast<std::size_t>(in.gcount()));
  if (key.size() > hash_key_bytes_max)
    return fail(ErrorKind::limit_exceeded, file, "--hash-key: larger than " + std::to_string(hash_key_bytes_max) + " bytes");
  if (key.ends_with('\n')) key.pop_back();
  if (key.size() < hash_key_bytes_min)
    return fail(ErrorKind::invalid, file,
                "--hash-key: found " + std::to_string(key.size()) + " bytes, want " + std::to_string(hash_key_bytes_min) + " or more");
  return key;
}

namespace {

// `kept`: without files the door's pair comes later, from what looks after it.
Result<std::optional<net::TlsFiles>> tls_files(const ServeOptions& options, bool kept) {
  const auto refuse = [](const char* what) { return fail(ErrorKind::invalid, "", what); };
  if (options.tls_cert.empty() != options.tls_key.empty())
    return refuse(options.tls_cert.empty() ? "--tls-key without --tls-cert: give both or neither"
                                           : "--tls-cert without --tls-key: give both or neither");
  if (!options.client_auth.empty() && options.client_ca.empty())
    return refuse("--client-auth without --client-ca: no certificate could be verified");
  if (options.tls_cert.empty() && !kept) {
    if (!options.client_ca.empty()) return refuse("--client-ca without --tls-cert and --tls-key: client certificates need TLS");
    return std::optional<net::TlsFiles>();
  }
  net::TlsFiles files;
  files.certificate = options.tls_cert;
  files.key = options.tls_key;
  if (!options.client_ca.empty()) {
    files.client_ca = options.client_ca;
    files.client_auth = options.client_auth == "optional" ? net::ClientAuth::optional : net::ClientAuth::require;
  }
  return std::optional(std::move(files));
}

Result<std::vector<net::ListenAddress>> listen_addresses(const std::vector<std::string>& texts, std::string_view option) {
  std::vector<net::ListenAddress> addresses;
  for (const std::string& text : texts) {
    auto address = net::parse_listen_address(text);
    if (!address) return tl::unexpected(std::move(address.error()).within(option));
    addresses.push_back(*std::move(address));
  }
  return addresses;
}

std::string url_of(std::string_view scheme, const net::ListenAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return std::string(scheme) + "://" + (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

// Every set of documents that was taken or refused, in the log and in the decision log.
void note_reloads(config::Store& store, audit::Log& log) {
  log.record_config("loaded", store.current()->hash(), "");
  store.on_reload([&log, before = std::string(store.current()->hash())](const config::Store::Snapshot& in_force,
                                                                        const policy::DocumentErrors& refused) mutable {
    const std::string hash(in_force->hash());
    if (!refused.empty()) {
      for (const Error& error : refused)
        observe::log(observe::Level::error, "documents_refused", {{"error", error.message()}, {"in_force", hash}});
      log.record_config("refused", hash, refused.front().message());
    } else if (hash != before) {
      observe::log(observe::Level::info, "documents_loaded", {{"hash", hash}});
      log.record_config("loaded", hash, "");
    }
    before = hash;
  });
}

// Reads everything again, one at a time, whoever asks: SIGHUP or a changed file.
class Reloader {
 public:
  Reloader(config::Store& store, audit::Log& log, net::Server& server, bool tls) : store_(store), log_(log), server_(server), tls_(tls) {}

  // What came of it is said by note_reloads.
  void reload_documents() {
    const std::lock_guard lock(mutex_);
    store_.reload();
  }
  void reload_certificate() {
    if (!tls_) return;
    const std::lock_guard lock(mutex_);
    if (const auto result = server_.reload_certificate(); !result) {
      observe::log(observe::Level::error, "certificate_refused", {{"error", result.error().message()}});
    } else {
      observe::log(observe::Level::info, "certificate_loaded");
    }
  }
  void reload_all() {
    reload_documents();
    reload_certificate();
    log_.reopen();
  }

 private:
  config::Store& store_;
  audit::Log& log_;
  net::Server& server_;
  const bool tls_;
  std::mutex mutex_;
};

Result<std::unique_ptr<config::Watch>> start_watch(const ServeOptions& options, Reloader& reloader) {
  std::vector<config::Watch::Target> targets;
  if (!options.config.empty()) targets.push_back({options.config, [&reloader] { reloader.reload_documents(); }});
  for (const std::string& file : {options.tls_cert, options.tls_key, options.client_ca})
    if (!file.empty()) targets.push_back({file, [&reloader] { reloader.reload_certificate(); }});
  return config::Watch::start(std::move(targets));
}

// Ends when no connection is left, at the bound, or at a second signal.
void drain(Signals& signals, net::Server& server, const net::Limits& limits, bool wait_for_endpoints) {
  const Deadline begin = Clock::now();
  const Deadline end = begin + limits.drain_time_max;
  const std::chrono::seconds delay = wait_for_endpoints ? limits.drain_delay : std::chrono::seconds(0);
  const Deadline earliest = begin + delay;
  server.drain(delay);
  while (Clock::now() < end) {
    if (const int signal = signals.take_within(Clock::now() < earliest ? signal_poll : std::chrono::milliseconds(0));
        signal == SIGTERM || signal == SIGINT) {
      observe::log(observe::Level::warn, "drain_cut_short", {{"connections", server.stats().connections_open}});
      return;
    }
    if (Clock::now() < earliest) continue;
    if (server.wait_until_idle(std::min(end, Clock::now() + signal_poll))) {
      observe::log(observe::Level::info, "drained");
      return;
    }
  }
  observe::log(observe::Level::warn, "drain_time_over", {{"connections", server.stats().connections_open}});
}

// What must happen first when a scope ends, however it ends.
// In one write: other threads say lines of their own meanwhile, and scripts wait for this one.
void say_ready(Streams& streams, const std::string& what) { streams.err << "ready " + what + '\n'; }

template <class Work>
class AtEnd {
 public:
  explicit AtEnd(Work work) : work_(std::move(work)) {}
  ~AtEnd() { work_(); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  Work work_;
};

}  // namespace

void declare_serve_options(CLI::App& app, ServeOptions& options) {
  with_environment(app.add_option("--config", options.config, "directory of documents"))->type_name("DIR");
  with_environment(app.add_option("--listen", options.listen, "address to serve; repeatable; port 0 takes a free one"))
      ->required()
      ->allow_extra_args(false)
      ->type_name("ADDR:PORT");
  with_environment(app.add_option("--tls-cert", options.tls_cert, "certificate chain, PEM"))->type_name("FILE");
  with_environment(app.add_option("--tls-key", options.tls_key, "private key, PEM"))->type_name("FILE");
  with_environment(app.add_option("--client-ca", options.client_ca, "verify client certificates against this bundle, PEM"))
      ->type_name("FILE");
  with_environment(app.add_option("--client-auth", options.client_auth, "optional or require (default with --client-ca)"))
      ->check(one_of({"optional", "require"}))
      ->type_name("WORD");
  with_environment(app.add_option("--metrics-listen", options.metrics_listen, "serve /metrics, /healthz and /readyz here, plain HTTP"))
      ->type_name("ADDR:PORT");
  with_environment(app.add_option("--audit-log", options.audit_log, "file of the decision log (standard output)"))->type_name("FILE");
  with_environment(app.add_option("--hash-key", options.hash_key, "file with the key of the log's hashes, 16 bytes or more (random)"))
      ->type_name("FILE");
  with_environment(app.add_option("--threads", options.threads, "loops, each a thread (one a core)"))
      ->check(CLI::Range(1U, threads_max))
      ->type_name("N");
  with_environment(app.add_option("--drain-delay", options.drain_delay_seconds, "seconds of answering after SIGTERM (15)"))
      ->check(CLI::Range(0U, drain_delay_seconds_max))
      ->type_name("SECONDS");
  with_environment(app.add_option("--log-level", options.log_level, "debug, info (default), warn or error"))
      ->check(one_of({"debug", "info", "warn", "error"}))
      ->type_name("WORD");
}

ExitCode serve(const Door& door, const ServeOptions& options, Streams& streams) {
  Signals signals;
  harden_process();
  if (observe::Level level{}; observe::parse_level(options.log_level, level)) observe::set_level(level);

  const bool kept_certificate = door.keep_certificate && options.tls_cert.empty();
  auto tls = tls_files(options, kept_certificate);
  if (!tls) return refuse(streams, tls.error());
  auto listen = listen_addresses(options.listen, "--listen");
  if (!listen) return refuse(streams, listen.error());
  auto metrics_listen = listen_addresses(options.metrics_listen.empty() ? std::vector<std::string>{} : std::vector{options.metrics_listen},
                                         "--metrics-listen");
  if (!metrics_listen) return refuse(streams, metrics_listen.error());
  auto key = read_hash_key(options.hash_key);
  if (!key) return refuse(streams, key.error());

  std::unique_ptr<ClusterSide> cluster;
  if (door.connect) {
    auto connected = door.connect();
    if (!connected) return refuse(streams, connected.error());
    cluster = *std::move(connected);
  }
  if (options.config.empty() && !cluster) return refuse(streams, {ErrorKind::invalid, "", "--config is required outside of a cluster"});
  audit::LogOptions log_options;
  if (!options.audit_log.empty()) log_options.file = options.audit_log;
  log_options.hash_key = *std::move(key);

  // In the order of life: what is later may use what is earlier.
  std::vector<std::shared_ptr<void>> kept;
  observe::Metrics metrics;
  observe::add_build_info(metrics, std::string(version));
  observe::add_process_metrics(metrics);
  if (cluster) cluster->add_metrics(metrics);
  Readiness readiness;
  std::atomic<bool> draining{false}, has_documents{false};
  readiness.require([&] { return draining ? std::string("draining") : std::string(); });
  readiness.require([&] { return has_documents ? std::string() : std::string("no documents yet"); });

  // Before the documents: a probe that gets no answer would end the process while it waits for them.
  std::unique_ptr<config::Store> store;
  std::unique_ptr<audit::Log> log;
  std::unique_ptr<net::Server> metrics_server;
  const AtEnd nobody_tells([&] {  // of documents, to a store that has gone
    if (cluster) cluster->stop();
  });
  const auto serve_metrics = [&]() -> Result<void> {
    if (metrics_listen->empty()) return {};
    net::ServerOptions metrics_options;
    metrics_options.door = "metrics";
    metrics_options.listen = *metrics_listen;
    metrics_options.threads = 1;
    auto started =
        net::Server::start(std::move(metrics_options), [&](unsigned) { return std::make_unique<MetricsHandler>(metrics, readiness); });
    if (!started) return tl::unexpected(started.error());
    metrics_server = *std::move(started);
    add_server_metrics(metrics, "metrics", *metrics_server);
    return {};
  };

  if (options.config.empty()) {
    if (auto served = serve_metrics(); !served) return refuse(streams, served.error());
    cluster->watch_documents(door.needs_guard_policy, metrics);
    observe::log(observe::Level::info, "waiting_for_documents");
    while (!(store = cluster->first_documents(signal_poll)))
      if (const int signal = signals.take_within(std::chrono::milliseconds(0)); signal == SIGTERM || signal == SIGINT)
        return ExitCode::fine;
  } else {
    auto opened = config::Store::open(options.config, door.needs_guard_policy);
    if (!opened) {
      print_errors(document_errors(options.config, opened.error()), streams.err);
      return ExitCode::not_judged;
    }
    store = *std::move(opened);
  }
  auto opened_log = audit::Log::open(std::move(log_options));
  if (!opened_log) return refuse(streams, opened_log.error());
  log = *std::move(opened_log);
  note_reloads(*store, *log);
  has_documents = true;
  readiness.tell([&store = *store] { return "documents " + std::string(store.current()->hash()); });
  readiness.tell([&store = *store] {
    const config::StoreStatus status = store.status();
    return status.last_error.empty() ? std::string() : "the last set was refused: " + status.last_error;
  });
  audit::add_metrics(metrics, *log);
  add_config_metrics(metrics, *store);
  if (cluster) {
    readiness.require_once([&cluster = *cluster] { return cluster.not_ready_because(); });
    cluster->follow(*store);
  }

  net::ServerOptions server_options;
  server_options.door = door.name;
  server_options.listen = *std::move(listen);
  server_options.tls = *tls;
  server_options.threads = options.threads;
  server_options.limits.streams_max = door.streams_max;
  server_options.limits.drain_delay = std::chrono::seconds(options.drain_delay_seconds);
  const net::Limits limits = server_options.limits;
  const Services services{*store, *log, metrics, readiness, cluster.get(), kept};
  auto server = net::Server::start(std::move(server_options), door.handlers(services));
  if (!server) return refuse(streams, server.error());
  const AtEnd nobody_asks([&] {  // for the state of a server that has gone
    readiness.forget();
    metrics_server.reset();
  });
  add_server_metrics(metrics, std::string(door.name), **server);
  readiness.require([&server = **server] { return server.has_certificate() ? std::string() : std::string("no certificate yet"); });
  if (!metrics_server)
    if (auto served = serve_metrics(); !served) return refuse(streams, served.error());

  std::shared_ptr<void> certificate_keeper;  // ends before the server that it serves
  if (kept_certificate) {
    auto started = door.keep_certificate(**server, services);
    if (!started) return refuse(streams, started.error());
    certificate_keeper = *std::move(started);
  }
  std::vector<std::string> beside_ready;
  if (door.beside) {
    auto started = door.beside(services);
    if (!started) return refuse(streams, started.error());
    services.keep(std::move(started->running));
    beside_ready = std::move(started->ready);
  }
  Reloader reloader(*store, *log, **server, tls->has_value() && !kept_certificate);
  auto watch = start_watch(options, reloader);
  if (!watch) return refuse(streams, watch.error());

  for (const net::ListenAddress& address : (*server)->addresses())
    say_ready(streams, std::string(door.name) + ' ' + url_of(*tls ? "https" : "http", address));
  if (metrics_server)
    for (const net::ListenAddress& address : metrics_server->addresses()) say_ready(streams, "metrics " + url_of("http", address));
  for (const std::string& line : beside_ready) say_ready(streams, line);
  streams.err.flush();

  int signal = 0;
  while ((signal = signals.take()) == SIGHUP) reloader.reload_all();
  observe::log(observe::Level::info, "draining", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  draining = true;
  drain(signals, **server, limits, signal == SIGTERM);
  return ExitCode::fine;
}

}  // namespace portcullis::cli
