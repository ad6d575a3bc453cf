// The ledger's requests to the API server and what their answers mean. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kube/api.hpp"
#include "kube/resource.hpp"
#include "webhook/quota_core.hpp"

namespace portcullis::webhook {

kube::ApiRequest patch_request(const std::string& tenant, const QuotaPatch& patch, const TenantQuota& seen);
WriteResult patch_result(const Result<kube::ApiResponse>& answer, bool had_precondition);

kube::ApiRequest read_request(const std::string& tenant);

// Consistent, of metadata alone: whoever may watch a resource may ask this.
kube::ApiRequest look_request(const kube::Resource& resource, const ObjectName& object);
struct Looked {
  std::string uid;  // "" when there is none
  std::uint64_t version = 0;
};
std::optional<Looked> look_result(const Result<kube::ApiResponse>& answer, std::string_view name);

kube::ApiRequest version_request(const kube::Resource& resource);
std::optional<std::uint64_t> version_result(const Result<kube::ApiResponse>& answer);

}  // namespace portcullis::webhook
