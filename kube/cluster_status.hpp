// How far what is watched goes, for readiness, metrics and people.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "kube/reflector.hpp"
#include "kube/self_checks.hpp"
#include "observe/metrics.hpp"

namespace portcullis::kube {

// One watched resource, for readiness, metrics and doctor.
struct ResourceStatus {
  std::string resource;
  bool served = true;     // false: the API server does not know it (its CRD is not installed); it counts as empty
  bool synced = false;    // a whole list has been seen since the start
  Clock::duration age{};  // since the last proof of progress; meaningless before synced
  std::string version;
  std::uint64_t objects = 0, unreadable = 0;
  Reflector::Counts counts;
  std::optional<std::int64_t> rv_lag;  // Reflector::rv_lag
  SelfChecks::Counts checks;
  std::string trouble;  // why it is not synced or not going on: "403 Forbidden: want list and watch of pods", ""
};

struct ClusterStatus {
  bool current = false;  // says of everything that the last want() asked for
  std::vector<ResourceStatus> resources;
  [[nodiscard]] bool synced() const;                             // every wanted resource, at least once
  [[nodiscard]] bool fresh(std::chrono::seconds age_max) const;  // and none older
  [[nodiscard]] std::string trouble() const;                     // the first one's, with its resource; "" when all is well
};

// One sample of each metric for each of them.
void sample_status(observe::Scrape& scrape, const ClusterStatus& status);

}  // namespace portcullis::kube
