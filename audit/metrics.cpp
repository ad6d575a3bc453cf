#include "audit/metrics.hpp"

namespace portcullis::audit {

void add_metrics(observe::Metrics& metrics, const Log& log) {
  metrics.add_source([&log](observe::Scrape& scrape) {
    const LogStats stats = log.stats();
    const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
      scrape.sample(name, help, observe::MetricType::counter, {}, static_cast<double>(value));
    };
    count("portcullis_audit_records_total", "Records of the decision log, of every kind.", stats.records);
    count("portcullis_audit_dropped_total", "Records lost; a gap record says how many and why.", stats.dropped);
    count("portcullis_audit_write_errors_total", "Writes that failed; what was to be written is kept and tried again.", stats.write_errors);
    count("portcullis_audit_waits_total", "Times a loop waited for room in its buffer.", stats.waits);
  });
}

}  // namespace portcullis::audit
