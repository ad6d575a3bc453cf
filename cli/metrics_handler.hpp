// The metrics listener: /metrics for Prometheus, /healthz and /readyz for probes that cannot show a client certificate.
// Readiness names the documents in force and what refused the last set, since the old ones stay and nothing else would tell.
#pragma once

#include "cli/readiness.hpp"
#include "net/server.hpp"
#include "observe/metrics.hpp"

namespace portcullis::cli {

class MetricsHandler final : public net::Handler {
 public:
  MetricsHandler(const observe::Metrics& metrics, const Readiness& readiness) : metrics_(metrics), readiness_(readiness) {}
  void answer(const net::Request& request, net::Response& response) override;

 private:
  const observe::Metrics& metrics_;
  const Readiness& readiness_;
};

}  // namespace portcullis::cli
