// The metrics listener: /metrics for Prometheus, /healthz and /readyz for probes that cannot show a client certificate.
// Readiness names the documents in force and what refused the last set, since the old ones stay and nothing else would tell.
#pragma once

#include <atomic>

#include "config/store.hpp"
#include "net/server.hpp"
#include "observe/metrics.hpp"

namespace portcullis::cli {

class MetricsHandler final : public net::Handler {
 public:
  // `door` and `draining`: whose readiness this answers for.
  MetricsHandler(const observe::Metrics& metrics, const config::Store& store, const net::Server& door, const std::atomic<bool>& draining)
      : metrics_(metrics), store_(store), door_(door), draining_(draining) {}
  void answer(const net::Request& request, net::Response& response) override;

 private:
  const observe::Metrics& metrics_;
  const config::Store& store_;
  const net::Server& door_;
  const std::atomic<bool>& draining_;
};

}  // namespace portcullis::cli
