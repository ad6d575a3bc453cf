// Which API server a command speaks to: the files and variables that kubectl and client-go read, in their order.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "kube/config.hpp"

namespace portcullis::cli {

// A variable of the environment; "" when it is not set. Handed in, so that tests have their own.
using Environment = std::function<std::string(const char* name)>;
std::string process_environment(const char* name);

// A door of ours: `kubeconfig` (--kubeconfig) when it is given, else the pod's ServiceAccount where there is one, else
// nothing: the program runs without a cluster.
Result<std::optional<kube::Config>> cluster_of_door(const std::string& kubeconfig, const Environment& environment = process_environment,
                                                    const std::filesystem::path& service_account = kube::service_account_directory);

// A person's command: `kubeconfig`, else the files of KUBECONFIG, else ~/.kube/config, else the pod's ServiceAccount.
Result<kube::Config> cluster_of_user(const std::string& kubeconfig, const std::string& context,
                                     const Environment& environment = process_environment,
                                     const std::filesystem::path& service_account = kube::service_account_directory);

}  // namespace portcullis::cli
