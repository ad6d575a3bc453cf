#include "webhook/quota_standings.hpp"

#include <cstdint>
#include <utility>

namespace portcullis::webhook {

void QuotaStandings::publish(Table table) {
  const std::lock_guard lock(mutex_);
  table_ = std::move(table);
}

void QuotaStandings::trouble(std::string why) {
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(why);
}

std::string QuotaStandings::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

policy::ChargeOutcome QuotaStandings::would_grant(const policy::Charge& charge) const {
  const std::lock_guard lock(mutex_);
  if (!trouble_.empty()) return policy::unavailable(trouble_);
  const auto tenant = table_.find(charge.tenant);
  policy::ChargeOutcome outcome;
  outcome.status = policy::ChargeStatus::granted;
  for (const policy::Amount& added : charge.added) {
    if (tenant == table_.end() || !tenant->second.contains(added.resource)) return policy::unavailable("the budget is not known");
    const QuotaCore::Standing& standing = tenant->second.find(added.resource)->second;
    const bool over = standing.used + added.units > standing.hard;
    if (!over && standing.used + standing.reserved + added.units <= standing.hard) continue;
    outcome.status = over ? policy::ChargeStatus::over : policy::ChargeStatus::reserved;
    outcome.resource = added.resource;
    outcome.hard = standing.hard;
    outcome.used = standing.used;
    outcome.reserved = standing.reserved;
    outcome.added = added.units;
    if (over) break;
  }
  return outcome;
}

void QuotaStandings::expose(observe::Scrape& scrape) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [tenant, dimensions] : table_) {
    for (const auto& [dimension, standing] : dimensions) {
      const observe::Labels labels{{"tenant", tenant}, {"dimension", dimension}};
      const auto sample = [&](const char* name, const char* help, std::int64_t value) {
        scrape.sample(name, help, observe::MetricType::gauge, labels, static_cast<double>(value));
      };
      sample("portcullis_quota_hard", "What the budget allows, in base units.", standing.hard);
      sample("portcullis_quota_used", "What the tenant's objects use, in base units.", standing.used);
      sample("portcullis_quota_reserved", "What is reserved for writes under way, in base units.", standing.reserved);
    }
  }
}

}  // namespace portcullis::webhook
