#include "webhook/quota_client.hpp"

#include <utility>

#include "observe/log.hpp"

namespace portcullis::webhook {

net::Task<QuotaClient::Written> QuotaClient::write(std::string tenant, QuotaPatch patch, TenantQuota seen) {
  kube::ApiRequest request = patch_request(tenant, patch, seen);
  const Result<kube::ApiResponse> answer = co_await api_.call(std::move(request), Clock::now() + request_time_max);
  Written written;
  written.result = patch_result(answer, patch.if_version != 0);
  if (written.result == WriteResult::applied) {
    if (Result<TenantQuota> read = read_tenant_quota(answer->body)) written.after = *std::move(read);
    if (!patch.removed.empty()) metrics_.reclaims.add(patch.removed.size());
  } else if (written.result != WriteResult::refused) {
    observe::log_limited(observe::Level::warn, "quota_not_written",
                         {{"tenant", tenant}, {"reason", answer ? "status " + std::to_string(answer->status) : answer.error().message()}});
  }
  metrics_.wrote(written.result);
  co_return written;
}

net::Task<QuotaClient::Read> QuotaClient::read(std::string tenant) {
  metrics_.reads.add();
  kube::ApiRequest request = read_request(tenant);
  const Result<kube::ApiResponse> answer = co_await api_.call(std::move(request), Clock::now() + request_time_max);
  Read read;
  if (answer && answer->status == 404) read.failed = false;
  if (answer && answer->status == 200) {
    Result<TenantQuota> quota = read_tenant_quota(answer->body);
    read.failed = !quota;
    if (quota) read.quota = *std::move(quota);
  }
  co_return read;
}

net::Task<std::optional<Looked>> QuotaClient::look(kube::Resource resource, ObjectName object) {
  kube::ApiRequest request = look_request(resource, object);
  const Result<kube::ApiResponse> answer = co_await api_.call(std::move(request), Clock::now() + request_time_max);
  std::optional<Looked> looked = look_result(answer, object.name);
  co_return looked;
}

}  // namespace portcullis::webhook
