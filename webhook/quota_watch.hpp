// The TenantQuotas as the API server has them, kept up by a watch of their own. An object that cannot be read counts as gone: it is
// logged, and nothing is granted from it. On the kube thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "kube/reflector_task.hpp"
#include "kube/sink.hpp"
#include "webhook/tenant_quota.hpp"

namespace portcullis::webhook {

class QuotaWatch final : public kube::Sink {
 public:
  struct Owner {
    std::function<void(const std::string& tenant)> changed;  // find(tenant) is another now
    std::function<void()> listed;                            // all() is all there is
    std::function<void()> progressed;                        // it still is
  };
  using Quotas = std::map<std::string, TenantQuota, std::less<>>;

  QuotaWatch(kube::Api& api, std::chrono::milliseconds start_spread, Owner owner);

  // `holder` keeps this alive until the watch has ended.
  void start(net::Background& background, std::shared_ptr<void> holder);
  void stop() { task_->stop(); }

  [[nodiscard]] const Quotas& all() const { return quotas_; }
  [[nodiscard]] const TenantQuota* find(std::string_view tenant) const;  // null: it has none
  [[nodiscard]] bool synced() const { return synced_; }
  [[nodiscard]] Clock::time_point progress() const { return task_->reflector().progress(); }

  void begin() override { listed_.clear(); }
  void take(policy::Value object) override { see(object); }
  void replaced(std::string_view version) override;
  void changed(const kube::WatchEvent& event) override;
  void progressed(std::string_view) override { owner_.progressed(); }
  void not_served() override;

 private:
  void see(policy::Value object);
  void lose(const std::string& name);

  Owner owner_;
  kube::ListGate gate_;
  std::shared_ptr<kube::ReflectorTask> task_;
  Quotas quotas_;
  std::set<std::string, std::less<>> listed_;  // names of the list under way
  bool synced_ = false;
};

}  // namespace portcullis::webhook
