// What the ledger counts.
#pragma once

#include <array>

#include "observe/metrics.hpp"
#include "policy/object/charge.hpp"
#include "webhook/quota_core.hpp"

namespace portcullis::webhook {

struct QuotaMetrics {
  static constexpr std::array<const char*, 4> outcomes{"granted", "over", "reserved", "unavailable"};
  static constexpr std::array<const char*, 4> results{"applied", "refused", "not_applied", "unknown"};

  std::array<observe::Counter, outcomes.size()> charges;  // by ChargeStatus
  std::array<observe::Counter, results.size()> writes;    // by WriteResult
  observe::Counter reads, looks, lists, reclaims, corrections;
  observe::Histogram charge_duration;

  void answered(policy::ChargeStatus status, double seconds) {
    charges.at(static_cast<std::size_t>(status)).add();
    charge_duration.observe(seconds);
  }
  void wrote(WriteResult result) { writes.at(static_cast<std::size_t>(result)).add(); }
  void expose(observe::Scrape& scrape) const;
};

}  // namespace portcullis::webhook
