// Taking the gate away in the order that refuses nobody: the webhook configurations first.
#pragma once

#include <ostream>
#include <string>

#include "cli/api_objects.hpp"
#include "cli/exit_code.hpp"

namespace portcullis::cli {

struct UninstallOptions {
  std::string configuration = "portcullis";  // the name of both
  bool yes = false;                          // else it is only said what would go
};
// Fine when no configuration is left, `no` when one is there and --yes is not given, not_judged when that is not known.
ExitCode uninstall(const ApiCall& call, const UninstallOptions& options, std::ostream& out, std::ostream& err);

}  // namespace portcullis::cli
