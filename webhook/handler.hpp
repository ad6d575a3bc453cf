// The webhook's door: POST /validate and /mutate, GET /healthz and /readyz. One Handler a loop.
//
// A review that draws on a budget gives its place on the loop back while the ledger is asked; its bytes are kept, and it is
// read and judged again with the ledger's word. What cannot be judged is answered 503 with Retry-After, never denied.
#pragma once

#include <functional>
#include <memory>

#include "audit/log.hpp"
#include "base/clock.hpp"
#include "config/store.hpp"
#include "kube/cluster.hpp"
#include "net/server.hpp"
#include "webhook/ledger.hpp"
#include "webhook/metrics.hpp"

namespace portcullis::webhook {

inline constexpr std::size_t waiting_reviews_max = 2'000;             // of one loop, that the ledger has been asked for; 503 above it
inline constexpr std::size_t waiting_bytes_max = 64UL * 1024 * 1024;  // of their bodies; likewise
inline constexpr std::chrono::milliseconds ledger_time_max{2'500};    // then the ledger's silence is an answer
inline constexpr std::chrono::milliseconds ledger_margin{200};        // of the review's own time, to say so

struct WebhookOptions {
  policy::WorkBudget budget{};
  std::function<Instant()> now{};                    // wall time; tests set it. Empty: the system clock
  const kube::Cluster* cluster = nullptr;            // null outside of a cluster
  Ledger* ledger = nullptr;                          // null: budgets cannot be judged
  std::function<std::string()> not_ready_because{};  // "" when reviews can be judged; empty: they can. From any thread
};

// `store`, `log`, `metrics` and what the options point to outlive the handlers.
net::Server::HandlerFactory make_handlers(const config::Store& store, audit::Log& log, WebhookMetrics& metrics,
                                          WebhookOptions options = {});

}  // namespace portcullis::webhook
