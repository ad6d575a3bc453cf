#include "guard/metrics.hpp"

#include <string>

namespace portcullis::guard {

using observe::MetricType;

// Combinations that never were are left out, except that a metric always has one line: a name that appears only with its
// first event cannot be alerted on.
void GuardMetrics::expose(observe::Scrape& scrape) const {
  for (std::size_t verdict = 0; verdict < verdict_names.size(); ++verdict) {
    for (std::size_t reason = 0; reason < reason_names.size(); ++reason) {
      const auto count = decisions_[verdict][reason].value();
      if (count == 0 && (verdict != 0 || reason != 0)) continue;
      scrape.sample("portcullis_decisions_total", "Decisions by door, verdict and rule; without findings the rule is `none`.",
                    MetricType::counter,
                    {{"door", "guard"},
                     {"verdict", std::string(verdict_names[verdict])},
                     {"rule", reason == 0 ? "none" : std::string(reason_names[reason])}},
                    static_cast<double>(count));
    }
  }
  for (std::size_t reason = 1; reason < reason_names.size(); ++reason) {
    std::uint64_t count = 0;
    for (const Verdict verdict : {Verdict::slow, Verdict::refuse}) count += decisions_[static_cast<std::size_t>(verdict)][reason].value();
    scrape.sample("portcullis_guard_refusals_total", "Requests that did not pass, by reason.", MetricType::counter,
                  {{"reason", std::string(reason_names[reason])}}, static_cast<double>(count));
  }
  for (std::size_t route_class = 0; route_class <= own_classes; ++route_class) {
    const std::string name(route_class == own_classes ? "own" : policy::route_class_names[route_class]);
    for (std::size_t verdict = 0; verdict < verdict_names.size(); ++verdict) {
      scrape.sample("portcullis_guard_requests_total", "Judged requests by route class and verdict.", MetricType::counter,
                    {{"class", name}, {"verdict", std::string(verdict_names[verdict])}},
                    static_cast<double>(requests_[route_class][verdict].value()));
    }
    scrape.sample("portcullis_guard_shadow_total", "Requests that passed only because of shadow mode, by route class.", MetricType::counter,
                  {{"class", name}}, static_cast<double>(shadow_[route_class].value()));
  }
  for (std::size_t reason = static_cast<std::size_t>(first_judged_reason); reason < reason_names.size(); ++reason) {
    scrape.sample("portcullis_guard_shadow_reasons_total",
                  "Requests that passed only because of shadow mode, by what would have stopped them.", MetricType::counter,
                  {{"reason", std::string(reason_names[reason])}}, static_cast<double>(shadow_reasons_[reason].value()));
  }
  scrape.histogram("portcullis_guard_request_duration_seconds", "Time from the first byte of a request to its answer.", {},
                   duration.totals());
}

}  // namespace portcullis::guard
