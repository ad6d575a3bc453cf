#include "webhook/quota_requests.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kube/metadata_list.hpp"
#include "webhook/usage_accounts.hpp"

namespace portcullis::webhook {
namespace {

using nlohmann::json;

constexpr const char* quotas_path = "/apis/portcullis.dev/v1/tenantquotas/";

json object_of(const Result<kube::ApiResponse>& answer) {
  if (!answer || answer->status != 200) return {};
  return json::parse(answer->body, nullptr, false);
}

std::string text_of(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

kube::ApiRequest patch_request(const std::string& tenant, const QuotaPatch& patch, const TenantQuota& seen) {
  kube::ApiRequest request;
  request.method = "PATCH";
  request.target = quotas_path + tenant + "/status?fieldManager=portcullis&fieldValidation=Strict";
  request.body = patch_body(patch, seen);
  request.content_type = "application/merge-patch+json";
  request.lane = kube::ApiRequest::Lane::writes;
  return request;
}

WriteResult patch_result(const Result<kube::ApiResponse>& answer, bool had_precondition) {
  if (!answer) return WriteResult::unknown;
  switch (answer->status) {
    case 200:
      return WriteResult::applied;
    case 422:
      return WriteResult::refused;
    case 409:
      return had_precondition ? WriteResult::not_applied : WriteResult::unknown;
    case 400:
    case 401:
    case 403:
    case 404:
    case 413:
    case 415:
    case 429:
      return WriteResult::not_applied;
    default:
      return WriteResult::unknown;
  }
}

kube::ApiRequest read_request(const std::string& tenant) {
  kube::ApiRequest request;
  request.target = quotas_path + tenant;
  request.lane = kube::ApiRequest::Lane::writes;
  return request;
}

kube::ApiRequest look_request(const kube::Resource& resource, const ObjectName& object) {
  kube::ApiRequest request;
  request.target =
      (resource.namespaced ? resource.path_in(object.name_space) : resource.path()) + "?fieldSelector=metadata.name%3D" + object.name;
  request.accept = kube::metadata_list_type;
  request.lane = kube::ApiRequest::Lane::writes;
  return request;
}

std::optional<Looked> look_result(const Result<kube::ApiResponse>& answer, std::string_view name) {
  const json list = object_of(answer);
  const auto items = list.is_object() ? list.find("items") : list.end();
  if (!list.is_object() || items == list.end()) return std::nullopt;
  if (items->is_null()) return Looked{};
  if (!items->is_array()) return std::nullopt;
  for (const json& item : *items) {
    const auto metadata = item.is_object() ? item.find("metadata") : item.end();
    if (metadata == item.end() || !metadata->is_object() || text_of(*metadata, "name") != name) continue;
    Looked looked{.uid = text_of(*metadata, "uid"), .version = version_number(text_of(*metadata, "resourceVersion"))};
    if (looked.uid.empty() || looked.version == 0) return std::nullopt;
    return looked;
  }
  return Looked{};
}

std::optional<ListedPage> list_result(const Result<kube::ApiResponse>& answer) {
  const json list = object_of(answer);
  if (!list.is_object()) return std::nullopt;
  ListedPage page;
  if (const auto metadata = list.find("metadata"); metadata != list.end() && metadata->is_object()) {
    page.next = text_of(*metadata, "continue");
    // It goes into a URL as it is: the API server's tokens are base64url.
    if (page.next.find_first_of("&#?% ") != std::string::npos) return std::nullopt;
  }
  const auto items = list.find("items");
  if (items == list.end() || items->is_null()) return page;
  if (!items->is_array()) return std::nullopt;
  for (const json& item : *items) {
    const auto metadata = item.is_object() ? item.find("metadata") : item.end();
    if (metadata == item.end() || !metadata->is_object()) return std::nullopt;
    const std::uint64_t version = version_number(text_of(*metadata, "resourceVersion"));
    if (version == 0) return std::nullopt;
    page.newest = std::max(page.newest, version);
  }
  return page;
}

}  // namespace portcullis::webhook
