// Who waits for the ledger's word, and the objects that are looked out for because somebody asked for them. On the kube thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "webhook/ledger.hpp"
#include "webhook/quota_metrics.hpp"

namespace portcullis::webhook {

class WaitingCharges {
 public:
  // `metrics` counts the answers and outlives it.
  explicit WaitingCharges(QuotaMetrics& metrics) : metrics_(metrics) {}

  // The ticket that answer() wants. The object `uid` of `tenant` is looked out for from now on.
  std::uint64_t add(const std::string& tenant, const std::string& uid, Clock::time_point since, Ledger::Done done);
  void answer(std::uint64_t ticket, policy::ChargeOutcome outcome);
  // All who still wait.
  void refuse_all(const std::string& why);

  // Whose budget the object would be in; "" when nobody looks out for it.
  [[nodiscard]] std::string_view tenant_of(std::string_view uid) const;
  // A claim for the object has no answer yet.
  [[nodiscard]] bool waits_for(std::string_view uid) const;
  void forget(const std::string& uid) { expected_.erase(uid); }
  void forget_if(const std::function<bool(const std::string& tenant, const std::string& uid)>& is_over);

 private:
  struct Waiting {
    Ledger::Done done;
    Clock::time_point since;
    std::string uid;
  };
  struct Expected {
    std::string tenant;
    unsigned waiting = 0;
  };

  QuotaMetrics& metrics_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;  // by ticket
  std::unordered_map<std::string, Expected> expected_;  // by uid
  std::uint64_t last_ticket_ = 0;
};

}  // namespace portcullis::webhook
