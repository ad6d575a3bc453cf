#include "kube/cluster_status.hpp"

#include <algorithm>
#include <string_view>

namespace portcullis::kube {

bool ClusterStatus::synced() const {
  return current && std::all_of(resources.begin(), resources.end(), [](const ResourceStatus& each) { return each.synced; });
}

bool ClusterStatus::fresh(std::chrono::seconds age_max) const {
  return current &&
         std::all_of(resources.begin(), resources.end(), [&](const ResourceStatus& each) { return each.synced && each.age <= age_max; });
}

std::string ClusterStatus::trouble() const {
  for (const ResourceStatus& each : resources) {
    if (!each.trouble.empty()) return each.resource + ": " + each.trouble;
    if (!each.synced) return each.resource + ": not listed yet";
  }
  return current ? "" : "not started yet";
}

void sample_status(observe::Scrape& scrape, const ClusterStatus& status) {
  using observe::MetricType;
  for (const ResourceStatus& each : status.resources) {
    const observe::Labels labels{{"resource", each.resource}};
    const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
      scrape.sample(name, help, MetricType::counter, labels, static_cast<double>(value));
    };
    scrape.sample("portcullis_kube_objects", "objects known of a watched resource", MetricType::gauge, labels,
                  static_cast<double>(each.objects));
    if (each.synced)
      scrape.sample("portcullis_kube_snapshot_age_seconds", "time since the last proof that nothing was missed", MetricType::gauge, labels,
                    std::chrono::duration<double>(each.age).count());
    scrape.sample("portcullis_kube_synced", "1 when a whole list has been seen since the start", MetricType::gauge, labels,
                  each.synced ? 1 : 0);
    if (each.rv_lag)
      scrape.sample("portcullis_kube_rv_lag", "resource versions between the API server and what is known, when last measured",
                    MetricType::gauge, labels, static_cast<double>(*each.rv_lag));
    count("portcullis_kube_lists_total", "lists begun", each.counts.lists);
    count("portcullis_kube_relists_total", "lists begun after the first whole one", each.counts.relists);
    count("portcullis_kube_watches_total", "watches opened", each.counts.watches);
    count("portcullis_kube_watch_events_total", "objects that watches told of", each.counts.events);
    count("portcullis_kube_watch_failures_total", "lists and watches that failed", each.counts.failures);
    count("portcullis_kube_probes_total", "silent watches that were looked into", each.counts.probes);
    count("portcullis_kube_self_checks_total", "comparisons of what is known with a list of everything", each.checks.checks);
    count("portcullis_kube_self_check_failures_total", "comparisons that came to no verdict", each.checks.failures);
    count("portcullis_kube_inconsistencies_total", "comparisons that found a difference", each.checks.inconsistencies);
    count("portcullis_kube_objects_unreadable_total", "objects without a name or uid, which are left out", each.unreadable);
  }
}

}  // namespace portcullis::kube
