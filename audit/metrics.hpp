// What the decision log says of itself to Prometheus. `log` must outlive every scrape.
#pragma once

#include "audit/log.hpp"
#include "observe/metrics.hpp"

namespace portcullis::audit {

void add_metrics(observe::Metrics& metrics, const Log& log);

}  // namespace portcullis::audit
