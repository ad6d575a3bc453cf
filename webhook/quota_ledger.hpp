// The Ledger of a cluster: budgets kept through the API server by all replicas at once. One QuotaCore a tenant does the
// thinking, QuotaLoop the work, on the Background's thread; this is the door that other threads come in by.
//
// `background`, `api`, `cluster` and `store` outlive it, and the Background is stopped before it is destroyed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "config/store.hpp"
#include "kube/cluster.hpp"
#include "observe/metrics.hpp"
#include "webhook/ledger.hpp"
#include "webhook/quota_core.hpp"

namespace portcullis::webhook {

struct QuotaLedgerOptions {
  std::string name_space;                                             // of the leases: the program's own
  std::string replica;                                                // who we are, for people: the pod's name
  std::chrono::seconds usage_age_max{150};                            // older views grant nothing
  std::chrono::seconds lease_duration{15};                            // a replica that has not renewed for so long grants nothing
  std::chrono::seconds answer_time_max{10};                           // of our webhooks in the API server: a later answer is thrown away
  std::chrono::milliseconds start_spread{500};                        // replicas that start together do not list together
  std::chrono::milliseconds sum_interval = std::chrono::minutes(10);  // between two full sums of what objects use
  QuotaTimes times{};
};

class QuotaLoop;

class QuotaLedger final : public Ledger {
 public:
  QuotaLedger(net::Background& background, kube::Api& api, kube::Cluster& cluster, config::Store& store, QuotaLedgerOptions options);
  ~QuotaLedger() override;
  QuotaLedger(const QuotaLedger&) = delete;
  QuotaLedger& operator=(const QuotaLedger&) = delete;

  void start();
  // Grants nothing more, releases what it can, takes its keys and its lease away. From any other thread; false at the deadline.
  bool stop(Deadline deadline);

  // From any thread.
  void charge(policy::Charge charge, Deadline deadline, Done done) override;
  policy::ChargeOutcome would_grant(const policy::Charge& charge) override;
  // Why no budget can be judged yet: "" once quotas, usage and leases have been seen.
  [[nodiscard]] std::string not_ready_because() const;
  void add_metrics(observe::Metrics& metrics) const;

 private:
  net::Background& background_;
  kube::Cluster& cluster_;
  config::Store& store_;
  std::shared_ptr<QuotaLoop> loop_;
};

}  // namespace portcullis::webhook
