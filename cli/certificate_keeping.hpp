// The webhook in a cluster that is given no certificate: it makes and renews its own (webhook/certificate_keeper.hpp).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "cli/serve.hpp"
#include "kube/config.hpp"

namespace CLI {
class App;
}  // namespace CLI

namespace portcullis::cli {

struct KeepingOptions {
  std::string directory = "/etc/portcullis/tls", lifetime = "P90D", service = "portcullis-webhook", configuration = "portcullis";
};
void declare_keeping_options(CLI::App& app, KeepingOptions& options);

// What Door::keep_certificate wants. `name_space`: of the Service.
std::function<Result<std::shared_ptr<void>>(net::Server&, const Services&)> certificate_keeping(const KeepingOptions& options,
                                                                                                const kube::Config& cluster,
                                                                                                const std::string& name_space);

}  // namespace portcullis::cli
