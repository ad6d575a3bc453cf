#include "webhook/configuration.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace portcullis::webhook {
namespace {

using Json = nlohmann::json;

// The text of a member, "" where it is absent or something else.
std::string text_of(const Json& object, const char* name) {
  const auto at = object.is_object() ? object.find(name) : object.end();
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

const Json& member_of(const Json& object, const char* name) {
  static const Json none;
  const auto at = object.is_object() ? object.find(name) : object.end();
  return at != object.end() ? *at : none;
}

}  // namespace

std::string configuration_path(ConfigurationKind kind, std::string_view name) {
  const std::string_view plural =
      kind == ConfigurationKind::validating ? "validatingwebhookconfigurations" : "mutatingwebhookconfigurations";
  return "/apis/admissionregistration.k8s.io/v1/" + std::string(plural) + "/" + std::string(name);
}

bool LiveConfiguration::all_have(std::string_view ca_bundle) const {
  return std::all_of(ours.begin(), ours.end(), [&](const auto& entry) { return entry.ca_bundle == ca_bundle; });
}

Result<LiveConfiguration> read_configuration(std::string_view json, const ServiceName& service) {
  const Json object = Json::parse(json, nullptr, false);
  const Json& metadata = member_of(object, "metadata");
  LiveConfiguration configuration;
  configuration.version = text_of(metadata, "resourceVersion");
  if (configuration.version.empty()) return fail(ErrorKind::invalid, "webhook configuration", "found no object with a resourceVersion");
  for (const Json& entry : member_of(object, "webhooks")) {
    const Json& client = member_of(entry, "clientConfig");
    const Json& called = member_of(client, "service");
    std::string name = text_of(entry, "name");
    if (text_of(called, "name") == service.name && text_of(called, "namespace") == service.name_space) {
      configuration.ours.push_back({std::move(name), text_of(client, "caBundle")});
    } else {
      configuration.others.push_back(std::move(name));
    }
  }
  return configuration;
}

std::string ca_bundle_patch(const LiveConfiguration& configuration, std::string_view ca_bundle) {
  Json patch{{"metadata", {{"resourceVersion", configuration.version}}}, {"webhooks", Json::array()}};
  for (const ConfigurationEntry& entry : configuration.ours)
    patch["webhooks"].push_back({{"name", entry.name}, {"clientConfig", {{"caBundle", ca_bundle}}}});
  return patch.dump();
}

}  // namespace portcullis::webhook
