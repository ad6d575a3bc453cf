// The ledger's requests, sent and counted: what quota_requests.hpp says of them, awaited. Knows nothing of who asks, and why. On the
// kube thread.
#pragma once

#include <optional>
#include <string>

#include "kube/api.hpp"
#include "webhook/quota_metrics.hpp"
#include "webhook/quota_requests.hpp"

namespace portcullis::webhook {

class QuotaClient {
 public:
  // Of one request; a write may be applied for a time after it.
  static constexpr std::chrono::seconds request_time_max{5};

  // Both outlive it, and it its tasks.
  QuotaClient(kube::Api& api, QuotaMetrics& metrics) : api_(api), metrics_(metrics) {}

  struct Written {
    WriteResult result = WriteResult::unknown;
    std::optional<TenantQuota> after;  // where it was applied and can be read
  };
  net::Task<Written> write(std::string tenant, QuotaPatch patch, TenantQuota seen);

  struct Read {
    bool failed = true;
    std::optional<TenantQuota> quota;  // none: there is no such object
  };
  net::Task<Read> read(std::string tenant);

  // None: it failed.
  net::Task<std::optional<Looked>> look(kube::Resource resource, ObjectName object);

 private:
  kube::Api& api_;
  QuotaMetrics& metrics_;
};

}  // namespace portcullis::webhook
