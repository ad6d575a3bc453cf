#include "webhook/quota_metrics.hpp"

namespace portcullis::webhook {

void QuotaMetrics::expose(observe::Scrape& scrape) const {
  const auto count = [&](const char* name, const char* help, const observe::Labels& labels, const observe::Counter& counter) {
    scrape.sample(name, help, observe::MetricType::counter, labels, static_cast<double>(counter.value()));
  };
  for (std::size_t at = 0; at < outcomes.size(); ++at)
    count("portcullis_quota_charges_total", "Charges asked of the ledger, by what it said.", {{"outcome", outcomes.at(at)}},
          charges.at(at));
  for (std::size_t at = 0; at < results.size(); ++at)
    count("portcullis_quota_writes_total", "Writes of TenantQuota status, by what came of them.", {{"result", results.at(at)}},
          writes.at(at));
  const std::pair<const char*, const observe::Counter*> kinds[] = {{"quota", &reads}, {"object", &looks}, {"version", &lists}};
  for (const auto& [kind, counter] : kinds)
    count("portcullis_quota_reads_total", "Consistent reads of the ledger, by what was read.", {{"of", kind}}, *counter);
  count("portcullis_quota_reclaims_total", "Keys of dead replicas that were taken away.", {}, reclaims);
  count("portcullis_quota_usage_corrections_total", "Dimensions whose usage a full sum found to be another than was kept.", {},
        corrections);
  scrape.histogram("portcullis_quota_charge_duration_seconds", "From a charge to the ledger's word.", {}, charge_duration.totals());
}

}  // namespace portcullis::webhook
