// What Prometheus' client libraries say of their process (prometheus.io/docs/instrumenting/writing_clientlibs, "Process
// metrics"), read from /proc at scrape time, and which build this is. What cannot be read is left out.
#pragma once

#include <string>

#include "observe/metrics.hpp"

namespace portcullis::observe {

void add_process_metrics(Metrics& metrics);
void add_build_info(Metrics& metrics, std::string version);

}  // namespace portcullis::observe
