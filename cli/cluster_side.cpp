#include "cli/cluster_side.hpp"

#include <utility>

#include "cli/version.hpp"
#include "observe/log.hpp"
#include "policy/document/budget.hpp"

namespace portcullis::cli {
namespace {

constexpr std::chrono::seconds stop_time_max{2};

kube::Wanted wanted_of(const policy::PolicySnapshot& snapshot) {
  kube::Wanted wanted;
  wanted.facts = snapshot.facts_wanted();
  const policy::DocumentSet& documents = snapshot.documents();
  if (wanted.facts.has(policy::FactKind::budgets))
    for (const policy::CountedResource& each : policy::counted_resources(documents))
      wanted.counted.insert(each.group.empty() ? each.resource : each.resource + '.' + each.group);
  for (const policy::WorkloadKind& kind : documents.platform.workload_kinds)
    wanted.workload_kinds.push_back({kind.group, kind.version, kind.kind, kind.pod_template, kind.replicas});
  return wanted;
}

}  // namespace

ClusterSide::ClusterSide(std::chrono::seconds facts_age_max) : facts_age_max_(facts_age_max), background_("kube") {}

ClusterSide::~ClusterSide() { stop(); }

Result<std::unique_ptr<ClusterSide>> ClusterSide::connect(const kube::Config& config, std::chrono::seconds facts_age_max) {
  std::unique_ptr<ClusterSide> side(new ClusterSide(facts_age_max));
  kube::ConnectionOptions options;
  options.version = version;
  auto connection = kube::Connection::open(side->background_, config, options);
  if (!connection) return tl::unexpected(connection.error());
  side->connection_ = *std::move(connection);
  kube::ClusterOptions cluster_options;
  cluster_options.facts_age_max = facts_age_max;
  side->cluster_ = std::make_unique<kube::Cluster>(side->background_, *side->connection_, cluster_options);
  return side;
}

void ClusterSide::watch_documents(bool needs_guard_policy, observe::Metrics& metrics) {
  needs_guard_policy_ = needs_guard_policy;
  document_watch_ = std::make_unique<kube::DocumentWatch>(background_, *connection_, kube::DocumentWatch::Options{},
                                                          [this](const std::vector<kube::CustomDocument>& set) { return take(set); });
  document_watch_->add_metrics(metrics);
  document_watch_->start();
}

// On the kube thread.
std::vector<Error> ClusterSide::take(const std::vector<kube::CustomDocument>& set) {
  std::vector<policy::DocumentFile> files;
  files.reserve(set.size());
  for (const kube::CustomDocument& document : set) files.push_back({document.name, document.json});
  config::Store* store = nullptr;
  {
    const std::lock_guard lock(mutex_);
    store = store_;
  }
  if (store) return store->replace(std::move(files));
  auto opened = config::Store::open(std::move(files), needs_guard_policy_);
  if (!opened) {
    for (const Error& error : opened.error())
      observe::log(observe::Level::error, "documents_refused", {{"error", error.message()}, {"in_force", "none"}});
    return opened.error();
  }
  const std::lock_guard lock(mutex_);
  first_ = *std::move(opened);
  store_ = first_.get();
  documents_came_.notify_all();
  return {};
}

std::unique_ptr<config::Store> ClusterSide::first_documents(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  documents_came_.wait_for(lock, patience, [&] { return first_ != nullptr; });
  return std::move(first_);
}

void ClusterSide::follow(config::Store& store) {
  // On the kube thread, so that of two sets in quick succession the later one is asked for last.
  const auto want_current = [this, &store] { background_.post([this, &store] { cluster_->want(wanted_of(*store.current())); }); };
  store.on_reload([want_current](const config::Store::Snapshot&, const policy::DocumentErrors& refused) {
    if (refused.empty()) want_current();
  });
  want_current();
  cluster_->start();
}

std::string ClusterSide::not_ready_because() const {
  const kube::ClusterStatus status = cluster_->status();
  if (status.synced() && status.fresh(facts_age_max_)) return {};
  const std::string trouble = status.trouble();
  return std::string(status.synced() ? "what is known of the cluster is too old" : "the cluster is not known yet") +
         (trouble.empty() ? "" : ": " + trouble);
}

void ClusterSide::add_metrics(observe::Metrics& metrics) const {
  connection_->add_metrics(metrics);
  cluster_->add_metrics(metrics);
}

void ClusterSide::stop() {
  for (const auto& work : std::exchange(last_works_, {})) work();
  if (document_watch_) document_watch_->stop();
  if (cluster_) cluster_->stop();
  background_.stop(Clock::now() + stop_time_max);
}

}  // namespace portcullis::cli
