#include "webhook/quota_ledger.hpp"

#include <utility>

#include "webhook/quota_loop.hpp"

namespace portcullis::webhook {

// Each member hands its work over to the kube thread and waits for no more than it says.

QuotaLedger::QuotaLedger(net::Background& background, kube::Api& api, kube::Cluster& cluster, config::Store& store,
                         QuotaLedgerOptions options)
    : background_(background),
      cluster_(cluster),
      store_(store),
      loop_(std::make_shared<QuotaLoop>(background, api, cluster, store, std::move(options))) {}

QuotaLedger::~QuotaLedger() = default;

void QuotaLedger::start() {
  // What is there already is told at once: before there are documents to count it by, since start() counts all there is.
  cluster_.observe(*loop_);
  background_.post([loop = loop_] { loop->start(); });
  store_.on_reload(
      [&background = background_, weak = std::weak_ptr<QuotaLoop>(loop_)](const config::Store::Snapshot&, const policy::DocumentErrors&) {
        const std::shared_ptr<QuotaLoop> loop = weak.lock();
        if (loop) background.post([loop] { loop->adopt_documents(); });
      });
}

bool QuotaLedger::stop(Deadline deadline) {
  background_.post([loop = loop_] { loop->stop(); });
  const bool settled = loop_->wait_ended(deadline);
  background_.post([loop = loop_] { loop->give_up(); });
  // The lease goes at last: what could not be released is reclaimed by the others once it has been silent long enough.
  loop_->wait_released(Clock::now() + std::chrono::seconds(1));
  return settled;
}

void QuotaLedger::charge(policy::Charge charge, Deadline deadline, Done done) {
  background_.post([loop = loop_, charge = std::move(charge), deadline, done = std::move(done), since = Clock::now()]() mutable {
    loop->charge(charge, deadline, std::move(done), since);
  });
}

policy::ChargeOutcome QuotaLedger::would_grant(const policy::Charge& charge) { return loop_->standings().would_grant(charge); }

std::string QuotaLedger::not_ready_because() const { return loop_->standings().trouble(); }

void QuotaLedger::add_metrics(observe::Metrics& metrics) const {
  metrics.add_source([loop = loop_](observe::Scrape& scrape) { loop->expose(scrape); });
}

}  // namespace portcullis::webhook
