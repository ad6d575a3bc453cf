// What the two doors share: their options, and the life of the process around a server. Documents are loaded or all their
// errors said; listeners open; then signals and changed files are waited for until the drain.
//
// SIGHUP: documents, certificate and decision log are opened anew. SIGTERM: readiness off, requests still answered for the
// drain delay (Endpoints need that long to forget us), then the connections end, within 25 s. SIGINT, a person's Ctrl-C,
// does not wait for Endpoints. A second signal ends all at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/log.hpp"
#include "cli/cluster_side.hpp"
#include "cli/command.hpp"
#include "cli/readiness.hpp"
#include "config/store.hpp"
#include "net/server.hpp"
#include "observe/metrics.hpp"

namespace portcullis::cli {

struct ServeOptions {
  std::string config, tls_cert, tls_key, client_ca, client_auth, metrics_listen, audit_log, hash_key, log_level = "info";
  std::vector<std::string> listen;
  unsigned threads = 0, drain_delay_seconds = 15;
};

// What a door's handlers are made of; all of it outlives them.
struct Services {
  config::Store& store;
  audit::Log& log;
  observe::Metrics& metrics;
  Readiness& readiness;
  ClusterSide* cluster;  // null outside of a cluster
  std::vector<std::shared_ptr<void>>& kept;
  // What the door's handlers and metrics share lives until the server and the last scrape are over.
  void keep(std::shared_ptr<void> shared) const { kept.push_back(std::move(shared)); }
};

// What runs beside a door, and the words of its ready lines.
struct Beside {
  std::shared_ptr<void> running;   // kept with what the handlers share
  std::vector<std::string> ready;  // "admin http://127.0.0.1:9901"
};

struct Door {
  std::string_view name;  // "webhook", "guard": in logs, metrics and the ready line
  bool needs_guard_policy = false;
  std::size_t streams_max = 0;  // of one HTTP/2 connection
  // Reaches the cluster; null outside of one. Empty: the door knows of none.
  std::function<Result<std::unique_ptr<ClusterSide>>()> connect{};
  // Where nobody gives a pair: starts what looks after one, and goes on until it is destroyed. Empty: a pair must be given.
  std::function<Result<std::shared_ptr<void>>(net::Server&, const Services&)> keep_certificate;
  // Starts what runs beside the server, once that has started. Empty: nothing does.
  std::function<Result<Beside>(const Services&)> beside{};
  // Registers the door's metrics and returns what makes a handler for each loop.
  std::function<net::Server::HandlerFactory(const Services&)> handlers;
};

// The key in `file`; "" where no file is named. Errors: cannot be read, too short, too long.
Result<std::string> read_hash_key(const std::string& file);

void declare_serve_options(CLI::App& app, ServeOptions& options);

// Returns after the drain: fine; or not_judged where it could not start. Without --config the documents are the cluster's:
// then it waits for a set that holds, not ready, until one is there or a signal ends it.
ExitCode serve(const Door& door, const ServeOptions& options, Streams& streams);

}  // namespace portcullis::cli
