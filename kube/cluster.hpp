// What the cluster looks like, kept up to date: list+watch of the resources that loaded documents ask for, published as immutable
// ClusterSnapshots, and told object by object to whoever keeps account of usage.
//
// Owns the reflectors, not the Background or the Api: both outlive it, and the Background is stopped before it is destroyed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "kube/api.hpp"
#include "kube/cluster_snapshot.hpp"
#include "kube/cluster_status.hpp"
#include "kube/self_check.hpp"
#include "kube/usage_observer.hpp"
#include "kube/wanted.hpp"
#include "net/background.hpp"
#include "observe/metrics.hpp"

namespace portcullis::kube {

struct ClusterOptions {
  std::chrono::seconds facts_age_max{150};        // older facts are not known (ClusterFacts::knows)
  std::chrono::milliseconds start_spread{2'000};  // replicas that start together do not list together
  std::chrono::seconds discovery_interval{60};
  SelfCheckOptions self_check{};
  std::uint64_t seed = 0;  // of all jitter; 0: from the system
};

class Cluster {
 public:
  Cluster(net::Background& background, Api& api, ClusterOptions options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // What to watch from now on; resources that are not wanted any more are forgotten. From any thread, any time.
  void want(Wanted wanted);
  // Told from the next change on; what is there already is told at once, resource by resource. From any thread; the observer
  // outlives the Background.
  void observe(UsageObserver& observer);
  void start();
  // Asks all tasks to end; the Background's stop() waits for them.
  void stop();

  // From any thread. The snapshot is null never; before the first sync it knows nothing.
  [[nodiscard]] std::shared_ptr<const ClusterSnapshot> snapshot() const;
  [[nodiscard]] std::uint64_t version() const;
  [[nodiscard]] ClusterStatus status() const;
  // Budgets as they stood at `progress`, for ClusterFacts::budgets: as old as that, or as the oldest of what they count. From
  // any thread.
  void publish_budgets(std::shared_ptr<const BudgetTable> budgets, Clock::time_point progress);

  // On the kube thread: every object of a counted resource that is there now.
  using EachUsage = std::function<void(const ObjectKey& key, std::string_view uid, std::string_view version, const policy::Usage& usage)>;
  void each_usage(std::string_view resource, const EachUsage& tell) const;

  // On the kube thread: where a watched resource is served; none when it is not.
  [[nodiscard]] std::optional<Resource> resource(std::string_view name) const;

  void add_metrics(observe::Metrics& metrics) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// A loop's own pointer to the snapshot, renewed under a mutex only when the version moved (as config::Reader).
class ClusterReader {
 public:
  explicit ClusterReader(const Cluster& cluster) : cluster_(cluster), version_(cluster.version()), snapshot_(cluster.snapshot()) {}
  const ClusterSnapshot& facts() {
    if (const auto version = cluster_.version(); version != version_) {
      snapshot_ = cluster_.snapshot();
      version_ = version;
    }
    return *snapshot_;
  }

 private:
  const Cluster& cluster_;
  std::uint64_t version_;  // read before the snapshot, so that a swap between the two is seen the next time
  std::shared_ptr<const ClusterSnapshot> snapshot_;
};

}  // namespace portcullis::kube
