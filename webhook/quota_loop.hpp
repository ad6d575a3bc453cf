// The loop of the ledger: hears documents, TenantQuotas, usage and charges, lets each tenant's QuotaCore say what follows, and does
// that. It decides nothing itself: the watch is QuotaWatch, the requests are QuotaClient's and NewestVersions', who is dead
// DeadReplicas says, and what other threads may know stands in QuotaStandings.
//
// On the kube thread but where it says otherwise.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/leases.hpp"
#include "webhook/dead_replicas.hpp"
#include "webhook/newest_versions.hpp"
#include "webhook/quota_client.hpp"
#include "webhook/quota_drift.hpp"
#include "webhook/quota_ledger.hpp"
#include "webhook/quota_metrics.hpp"
#include "webhook/quota_standings.hpp"
#include "webhook/quota_watch.hpp"
#include "webhook/usage_accounts.hpp"
#include "webhook/waiting_charges.hpp"

namespace portcullis::webhook {

class QuotaLoop final : public std::enable_shared_from_this<QuotaLoop>, public kube::UsageObserver {
 public:
  QuotaLoop(net::Background& background, kube::Api& api, kube::Cluster& cluster, config::Store& store, QuotaLedgerOptions options);

  void start();
  void adopt_documents();  // those that are in force now
  void charge(const policy::Charge& asked, Deadline deadline, Ledger::Done done, Clock::time_point since);
  void stop();     // no more grants; what is held is released
  void give_up();  // whatever has not ended yet; the lease goes at last

  void on_object(const kube::UsageChange& change) override;
  void on_progress(std::string_view resource, std::string_view version) override;
  void on_replaced(std::string_view resource, std::string_view version) override;

  // From any thread.
  [[nodiscard]] const QuotaStandings& standings() const { return standings_; }
  void expose(observe::Scrape& scrape) const;
  bool wait_ended(Deadline deadline);  // nothing is held or waited for
  void wait_released(Deadline deadline);

 private:
  struct Tenant {
    explicit Tenant(const std::string& key, const QuotaTimes& times) : core(key, times) {}
    QuotaCore core;
    std::vector<std::pair<std::string, SeenObject>> seen;  // with its resource, waiting for the view that has it
    DeadReplicas dead;
  };

  Tenant& of(const std::string& name);
  void touch(std::string_view name);
  void touch_all();
  void compare(const std::string& name);
  void compare_all();
  [[nodiscard]] bool is_needed() const;
  [[nodiscard]] std::string obstacle() const;
  [[nodiscard]] bool is_expected(const Tenant& tenant, std::string_view uid) const;
  [[nodiscard]] std::string trouble() const { return is_needed() ? obstacle() : std::string(); }

  void begin_watching();
  void on_quota(const std::string& name);

  void act(const std::string& name, Tenant& tenant);
  void show_view(const std::string& name, Tenant& tenant);
  template <class Make>
  void spawn(std::string_view what, Make make);
  using Self = std::shared_ptr<QuotaLoop>;
  static net::Task<void> write(Self self, std::string name, QuotaPatch patch);
  static net::Task<void> read(Self self, std::string name);
  static net::Task<void> look(Self self, std::string name, ObjectName object);
  static net::Task<void> list(Self self, std::string name);
  static net::Task<void> release(Self self);

  void tick();
  void look_at_usage();
  void look_at_leases();
  void look_at_sums();
  void publish_standings();
  static net::Task<void> run(Self self);
  [[nodiscard]] Deadline act_on_what_is_due(Deadline now, Deadline due);
  [[nodiscard]] bool is_settled() const;
  void finish();

  net::Background& background_;
  kube::Cluster& cluster_;
  config::Store& store_;
  const QuotaLedgerOptions options_;
  const std::string key_;
  QuotaMetrics metrics_;
  QuotaClient client_;
  NewestVersions newest_;
  QuotaWatch quotas_;
  kube::Lease lease_;
  kube::LeaseWatch leases_;

  UsageAccounts accounts_;
  std::map<std::string, Tenant, std::less<>> tenants_;  // that have a budget, or had one
  WaitingCharges waiting_;
  std::set<std::string, std::less<>> dirty_;  // tenants that something was heard of
  net::Event wake_;
  std::string usage_trouble_ = "usage is not known yet";
  bool watching_ = false, running_ = false, stopping_ = false, standings_dirty_ = true, told_went_back_ = false;
  Deadline standings_due_{}, sums_due_{};
  std::set<std::string, std::less<>> unsummed_;  // resources of the round under way

  QuotaStandings standings_;
  QuotaDrift drift_;

  std::mutex end_mutex_;
  std::condition_variable end_;
  bool ended_ = false, released_ = false;
};

}  // namespace portcullis::webhook
