#include "webhook/quota_watch.hpp"

#include <utility>

#include "observe/log.hpp"
#include "policy/object/to_json.hpp"

namespace portcullis::webhook {

QuotaWatch::QuotaWatch(kube::Api& api, std::chrono::milliseconds start_spread, Owner owner) : owner_(std::move(owner)) {
  kube::ReflectorOptions how;
  how.start_spread = start_spread;
  how.chance = [] { return static_cast<double>(Clock::now().time_since_epoch().count() % 1'000) / 1'000; };
  task_ = std::make_shared<kube::ReflectorTask>(
      api, gate_, *this, kube::Resource{"portcullis.dev", "v1", "tenantquotas", "TenantQuota", false}, std::move(how));
}

void QuotaWatch::start(net::Background& background, std::shared_ptr<void> holder) {
  kube::ReflectorTask::start(background, task_, std::move(holder));
}

const TenantQuota* QuotaWatch::find(std::string_view tenant) const {
  const auto found = quotas_.find(tenant);
  return found == quotas_.end() ? nullptr : &found->second;
}

void QuotaWatch::replaced(std::string_view) {
  synced_ = true;
  for (auto at = quotas_.begin(); at != quotas_.end();) {
    const std::string name = (at++)->first;
    if (!listed_.contains(name)) lose(name);
  }
  owner_.listed();
}

void QuotaWatch::changed(const kube::WatchEvent& event) {
  if (event.type == kube::EventType::deleted) return lose(std::string(kube::metadata_text(event.object, "name")));
  if (event.type == kube::EventType::added || event.type == kube::EventType::modified) see(event.object);
}

void QuotaWatch::not_served() {
  listed_.clear();
  replaced({});
}

void QuotaWatch::see(policy::Value object) {
  Result<TenantQuota> quota = read_tenant_quota(policy::to_json(object));
  const std::string name(kube::metadata_text(object, "name"));
  if (!quota) {
    observe::log_limited(observe::Level::error, "quota_not_readable", {{"tenant", name}, {"reason", quota.error().message()}});
    return lose(name);
  }
  listed_.insert(name);
  quotas_.insert_or_assign(name, *std::move(quota));
  owner_.changed(name);
}

void QuotaWatch::lose(const std::string& name) {
  quotas_.erase(name);
  owner_.changed(name);
}

}  // namespace portcullis::webhook
