#include "webhook/quota_drift.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "observe/log.hpp"

namespace portcullis::webhook {
namespace {

std::size_t differences(const Amounts& limits, const Amounts& hard) {
  std::size_t different = 0;
  for (const auto& [dimension, limit] : limits) {
    const auto there = hard.find(dimension);
    different += there != hard.end() && there->second == limit ? 0 : 1;
  }
  for (const auto& [dimension, units] : hard) different += limits.contains(dimension) ? 0 : 1;
  return different;
}

}  // namespace

void QuotaDrift::compare(const std::string& tenant, const Amounts* limits, const TenantQuota* quota, bool all_known) {
  const Amounts none;
  const std::size_t different = differences(limits ? *limits : none, quota ? quota->hard : none);
  const std::lock_guard lock(mutex_);
  if (different == 0) {
    different_.erase(tenant);
    return;
  }
  Difference& known = different_[tenant];
  known.dimensions = different;
  if (!all_known || std::exchange(known.told, different) == different) return;
  observe::log(observe::Level::warn, "quota_differs_from_documents",
               {{"tenant", tenant},
                {"dimensions", static_cast<std::uint64_t>(different)},
                {"fix", quota ? "the smaller of both counts until `portcullis render tenant-quotas` is applied"
                              : "no TenantQuota: apply what `portcullis render tenant-quotas` prints"}});
}

std::size_t QuotaDrift::of(std::string_view tenant) const {
  const std::lock_guard lock(mutex_);
  const auto found = different_.find(tenant);
  return found == different_.end() ? 0 : found->second.dimensions;
}

void QuotaDrift::expose(observe::Scrape& scrape) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [tenant, difference] : different_)
    scrape.sample("portcullis_quota_drift", "Dimensions of a tenant's TenantQuota that differ from its documents.",
                  observe::MetricType::gauge, {{"tenant", tenant}}, static_cast<double>(difference.dimensions));
}

}  // namespace portcullis::webhook
