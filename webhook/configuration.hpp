// A live ValidatingWebhookConfiguration or MutatingWebhookConfiguration, as far as the webhook looks at its own: which entries
// call our Service, and what caBundle they have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portcullis::webhook {

enum class ConfigurationKind { validating, mutating };

// "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/NAME"
std::string configuration_path(ConfigurationKind kind, std::string_view name);

struct ServiceName {
  std::string name, name_space;
};

struct ConfigurationEntry {
  std::string name;
  std::string ca_bundle;  // base64, as it stands
};

struct LiveConfiguration {
  std::string version;                   // resourceVersion
  std::vector<ConfigurationEntry> ours;  // the entries whose clientConfig names the Service
  std::vector<std::string> others;       // names of those that call somebody else
  [[nodiscard]] bool all_have(std::string_view ca_bundle) const;
};

Result<LiveConfiguration> read_configuration(std::string_view json, const ServiceName& service);

// A strategic merge patch that gives every entry of ours that caBundle, if nobody changed the configuration meanwhile.
std::string ca_bundle_patch(const LiveConfiguration& configuration, std::string_view ca_bundle);

}  // namespace portcullis::webhook
