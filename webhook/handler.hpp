// The webhook's door: POST /validate and /mutate, GET /healthz and /readyz. One Handler a loop.
#pragma once

#include <functional>
#include <memory>

#include "audit/log.hpp"
#include "base/clock.hpp"
#include "config/store.hpp"
#include "net/server.hpp"
#include "webhook/metrics.hpp"

namespace portcullis::webhook {

struct WebhookOptions {
  policy::WorkBudget budget;
  std::function<Instant()> now;  // wall time; tests set it. Empty: the system clock
};

// `store`, `log` and `metrics` outlive the handlers.
net::Server::HandlerFactory make_handlers(const config::Store& store, audit::Log& log, WebhookMetrics& metrics,
                                          WebhookOptions options = {});

}  // namespace portcullis::webhook
