// What the ledger's loop says for other threads: how each budget stands, and why nothing can be judged where that is so.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "observe/metrics.hpp"
#include "policy/object/charge.hpp"
#include "webhook/quota_core.hpp"

namespace portcullis::webhook {

class QuotaStandings {
 public:
  using Table = std::map<std::string, std::map<std::string, QuotaCore::Standing, std::less<>>, std::less<>>;  // by tenant and dimension

  void publish(Table table);
  void trouble(std::string why);  // "": none

  [[nodiscard]] std::string trouble() const;
  // Nothing is reserved.
  [[nodiscard]] policy::ChargeOutcome would_grant(const policy::Charge& charge) const;
  void expose(observe::Scrape& scrape) const;

 private:
  mutable std::mutex mutex_;
  Table table_;
  std::string trouble_ = "not started";
};

}  // namespace portcullis::webhook
