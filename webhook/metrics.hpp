// What the webhook counts. docs/metrics.md says what each means.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "observe/metrics.hpp"
#include "policy/decision.hpp"

namespace portcullis::webhook {

class WebhookMetrics {
 public:
  WebhookMetrics();

  // A plain allow counts once without a rule; a finding once for its rule and weight.
  void count(const policy::Decision& decision);
  void expose(observe::Scrape& scrape) const;

  observe::Histogram validate_duration, mutate_duration;
  observe::Counter patches;       // mutations that sent one
  observe::Counter malformed;     // reviews that could not be read: 4xx
  observe::Counter late;          // 503: the deadline had passed before judging
  observe::Counter unavailable;   // 503: a fact or the ledger's word could not be had, and the policy says deny
  observe::Counter failed_open;   // let through, with or without a warning, though a rule could not be judged
  observe::Counter patch_errors;  // 500: a patch that could not be proven
  observe::Counter over_budget;   // denied unread: the work budget

 private:
  struct RuleCounters {
    std::string rule;
    std::array<observe::Counter, 3> by_verdict;  // allow (audit or excepted), warn, deny
  };
  observe::Counter plain_allows_, skipped_;
  std::vector<std::unique_ptr<RuleCounters>> rules_;
};

}  // namespace portcullis::webhook
