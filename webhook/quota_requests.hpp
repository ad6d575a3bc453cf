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

// One page of every object of a resource (kube::metadata_page). A view that reaches the newest of their versions
// has all of them as they are; the list's own version would not do, because a quiet watch may never come so far.
struct ListedPage {
  std::uint64_t newest = 0;  // of the objects' own versions; 0 when there is none
  std::string next;          // "" on the last page
};
std::optional<ListedPage> list_result(const Result<kube::ApiResponse>& answer);

}  // namespace portcullis::webhook
