// The webhook in a cluster that is given no certificate: it makes and renews its own (webhook/certificate_keeper.hpp).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "cli/serve.hpp"

namespace CLI {
class App;
}  // namespace CLI

namespace portcullis::cli {

struct KeepingOptions {
  std::string kubeconfig, name_space, directory = "/etc/portcullis/tls", lifetime = "P90D", service = "portcullis-webhook",
                                      configuration = "portcullis";
};
void declare_keeping_options(CLI::App& app, KeepingOptions& options);

// What Door::keep_certificate wants. An error outside of a cluster.
Result<std::function<Result<std::shared_ptr<void>>(net::Server&, const Services&)>> certificate_keeping(const KeepingOptions& options);

}  // namespace portcullis::cli
