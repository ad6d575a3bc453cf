// Looks after the webhook's own certificates in a cluster: one in each replica, no leader. It reads the Secret that all share,
// does the next step of the plan (webhook/certificate_plan.hpp), serves the leaf, and gives the webhook configurations the
// bundle that they lack. Writes carry the resourceVersion that was read: of two replicas that do the same step one wins, and
// the other takes what it finds.
//
// The right to patch that one Secret is all it has: a patch that changes nothing answers with the whole of it. The mounted
// Secret is read too, so that a restart while the API server is away still has a pair to serve. Keys stay in memory and in
// the Secret; no log line has one.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "kube/api.hpp"
#include "net/task.hpp"
#include "observe/metrics.hpp"
#include "webhook/certificate_plan.hpp"
#include "webhook/configuration.hpp"

namespace portcullis::webhook {

struct KeeperOptions {
  ServiceName service;  // the Secret stands in its namespace
  std::string secret = "portcullis-webhook-tls";
  std::string configuration = "portcullis";  // both webhook configurations
  std::filesystem::path directory;           // where the Secret is mounted; "": nowhere
  CertificateTerms terms;                    // names are the Service's
  std::chrono::seconds interval_max{15};     // between two looks at the configurations
  std::chrono::seconds secret_interval{60};  // between two looks at the Secret
  std::chrono::seconds settle_time{30};      // every API server has heard of a configuration by then
};

class CertificateKeeper {
 public:
  // Takes a pair into use; called on the thread that runs the keeper.
  using Serve = std::function<Result<void>(const net::PemPair&)>;

  CertificateKeeper(kube::Api& api, KeeperOptions options, Serve serve);

  // Goes on until it is cancelled. On a Background's thread.
  kube::Task<void> run();
  // One look at everything; how long to wait before the next.
  kube::Task<std::chrono::seconds> turn(Clock::time_point now, Instant wall);

  [[nodiscard]] bool has_pair() const { return leaf_until_.load(std::memory_order_relaxed) != 0; }  // from any thread
  void expose(observe::Scrape& scrape) const;                                                       // likewise

 private:
  struct Configuration {
    ConfigurationKind kind;
    std::optional<LiveConfiguration> live;
    bool known = false;  // read, or known to be absent
  };

  void read_mount(Instant wall);
  void consider(const CertificateSet& set, Instant wall);
  kube::Task<bool> patch_secret(std::string body, Clock::time_point now);
  kube::Task<bool> read_secret(Clock::time_point now);
  kube::Task<bool> write_secret(const CertificateSet& set, Clock::time_point now);
  kube::Task<void> read_configurations();
  kube::Task<void> patch_configurations();
  kube::Task<void> follow_plan(Clock::time_point now, Instant wall);
  Trust judge_trust(Clock::time_point now);
  void trouble(std::string_view what, std::string_view why);

  kube::Api& api_;
  const KeeperOptions options_;
  const Serve serve_;
  std::optional<CertificateSet> set_;   // the Secret's, as last read or written
  std::optional<CertificateSet> good_;  // the last one that could serve
  std::string version_;
  std::optional<Clock::time_point> read_at_;
  std::array<Configuration, 2> configurations_;
  std::optional<Clock::time_point> agreed_since_;
  std::string agreed_bundle_;
  std::string served_;  // certificate
  Instant served_from_{}, served_until_{};
  unsigned failures_ = 0;  // turns in a row

  std::atomic<std::int64_t> leaf_until_{0}, authority_until_{0};
  observe::Counter leaf_renewals_, authority_renewals_, bundle_patches_, errors_;
};

}  // namespace portcullis::webhook
