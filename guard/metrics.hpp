// What the guard counts. docs/metrics.md says what each means.
#pragma once

#include <array>

#include "guard/reason.hpp"
#include "guard/route_class.hpp"
#include "observe/metrics.hpp"

namespace portcullis::guard {

class GuardMetrics {
 public:
  // Tenants' own classes are counted as one: their names are no bounded set.
  static constexpr std::size_t own_classes = route_class_count;

  // A request that was judged as one of `route_class` (its index, or own_classes).
  void count(std::size_t route_class, Verdict verdict, Reason reason) {
    requests_[route_class][static_cast<std::size_t>(verdict)].add();
    decisions_[static_cast<std::size_t>(verdict)][static_cast<std::size_t>(reason)].add();
  }
  // A request that was refused before it had a class.
  void count_unclassed(Reason reason) { decisions_[static_cast<std::size_t>(Verdict::refuse)][static_cast<std::size_t>(reason)].add(); }
  // A request that passed because its class or tenant is in shadow mode. Its decision is counted as passed.
  void count_shadow(std::size_t route_class, Reason reason) {
    shadow_[route_class].add();
    shadow_reasons_[static_cast<std::size_t>(reason)].add();
  }
  void expose(observe::Scrape& scrape) const;

  observe::Histogram duration;

 private:
  std::array<std::array<observe::Counter, reason_names.size()>, verdict_names.size()> decisions_;
  std::array<std::array<observe::Counter, verdict_names.size()>, route_class_count + 1> requests_;
  std::array<observe::Counter, route_class_count + 1> shadow_;
  std::array<observe::Counter, reason_names.size()> shadow_reasons_;
};

}  // namespace portcullis::guard
