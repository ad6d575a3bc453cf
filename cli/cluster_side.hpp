// What the webhook has of a cluster: a thread that waits, a connection, the facts that the documents in force ask for, and,
// where no directory is given, the documents themselves as custom resources.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/store.hpp"
#include "kube/cluster.hpp"
#include "kube/config.hpp"
#include "kube/connection.hpp"
#include "kube/document_watch.hpp"
#include "net/background.hpp"
#include "observe/metrics.hpp"

namespace portcullis::cli {

class ClusterSide {
 public:
  // `facts_age_max`: older facts are not known.
  static Result<std::unique_ptr<ClusterSide>> connect(const kube::Config& config, std::chrono::seconds facts_age_max);
  ~ClusterSide();
  ClusterSide(const ClusterSide&) = delete;
  ClusterSide& operator=(const ClusterSide&) = delete;

  // Watches the documents' custom resources from now on, and tells `metrics` of it. Null until the first set that holds; asked within
  // `patience`.
  void watch_documents(bool needs_guard_policy, observe::Metrics& metrics);
  [[nodiscard]] std::unique_ptr<config::Store> first_documents(std::chrono::milliseconds patience);
  // Watches what the documents in force ask for, now and after every reload. The store outlives this.
  void follow(config::Store& store);

  [[nodiscard]] net::Background& background() { return background_; }
  [[nodiscard]] kube::Api& api() { return *connection_; }
  [[nodiscard]] kube::Cluster& cluster() { return *cluster_; }
  // Why reviews cannot be judged yet: facts that were never had or are too old; "" when they can.
  [[nodiscard]] std::string not_ready_because() const;
  void add_metrics(observe::Metrics& metrics) const;
  [[nodiscard]] std::chrono::seconds facts_age_max() const { return facts_age_max_; }
  // What still needs the cluster when it ends: done first, in the order given, once.
  void before_stop(std::function<void()> work) { last_works_.push_back(std::move(work)); }
  // Ends every task; nothing is watched any more.
  void stop();

 private:
  ClusterSide(std::chrono::seconds facts_age_max);
  std::vector<Error> take(const std::vector<kube::CustomDocument>& set);

  const std::chrono::seconds facts_age_max_;
  net::Background background_;
  std::unique_ptr<kube::Connection> connection_;
  std::unique_ptr<kube::Cluster> cluster_;
  std::unique_ptr<kube::DocumentWatch> document_watch_;

  std::vector<std::function<void()>> last_works_;
  std::mutex mutex_;
  std::condition_variable documents_came_;
  std::unique_ptr<config::Store> first_;  // until somebody takes it
  config::Store* store_ = nullptr;        // once there is one
  bool needs_guard_policy_ = false;
};

}  // namespace portcullis::cli
