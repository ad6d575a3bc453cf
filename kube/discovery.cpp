#include "kube/discovery.hpp"

#include <algorithm>

#include "kube/status.hpp"

namespace portcullis::kube {
namespace {

using policy::Value;
using policy::ValueKind;

bool has_verb(Value resource, std::string_view verb) {
  const Value verbs = resource["verbs"];
  if (!verbs.is(ValueKind::array)) return false;
  for (const Value each : verbs)
    if (each.text() == verb) return true;
  return false;
}

void read_group(Value group, std::vector<Resource>& out) {
  const std::string_view name = metadata_text(group, "name");
  const Value versions = group["versions"];
  if (!versions.is(ValueKind::array)) return;
  for (const Value version : versions) {
    const Value resources = version["resources"];
    if (!resources.is(ValueKind::array)) continue;
    for (const Value each : resources) {
      if (!has_verb(each, "list") || !has_verb(each, "watch")) continue;
      out.push_back({.group = std::string(name),
                     .version = std::string(version["version"].text()),
                     .plural = std::string(each["resource"].text()),
                     .kind = std::string(each["responseKind"]["kind"].text()),
                     .namespaced = each["scope"].text() != "Cluster"});
    }
  }
}

}  // namespace

ApiRequest Discovery::request() const {
  ApiRequest request;
  request.target = "/apis";
  request.accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  request.if_none_match = etag_;
  request.gzip = true;
  return request;
}

Result<bool> Discovery::answered(Result<ApiResponse> response) {
  if (!response) return tl::unexpected(response.error());
  if (response->status == 304 && known_) return false;
  if (response->status != 200)
    return fail(ErrorKind::unavailable, "discovery", std::to_string(response->status) + " " + read_status(response->body).message);
  std::map<std::string, std::vector<Resource>, std::less<>> groups;
  ObjectReader reader;
  const auto read =
      reader.list(pad(response->body), [&](Value group) { read_group(group, groups[std::string(metadata_text(group, "name"))]); });
  if (!read) return tl::unexpected(read.error());
  etag_ = std::move(response->etag);
  const bool changed = !known_ || groups != groups_;
  known_ = true;
  groups_ = std::move(groups);
  return changed;
}

std::optional<Resource> Discovery::by_plural(std::string_view group, std::string_view plural) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return std::nullopt;
  const auto at = std::find_if(found->second.begin(), found->second.end(), [&](const Resource& each) { return each.plural == plural; });
  return at == found->second.end() ? std::nullopt : std::optional(*at);
}

std::optional<Resource> Discovery::by_kind(std::string_view group, std::string_view version, std::string_view kind) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return std::nullopt;
  const Resource* best = nullptr;
  for (const Resource& each : found->second) {
    if (each.kind != kind) continue;
    if (each.version == version) return each;
    if (!best) best = &each;
  }
  return best ? std::optional(*best) : std::nullopt;
}

}  // namespace portcullis::kube
