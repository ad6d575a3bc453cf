// One command of the program: its words, what help says of it, its options, and what runs.
//
// Every option may also be set by PORTCULLIS_<OPTION>; a flag wins. CLI11 reads the options; its exit codes and its silence
// about unknown words stay in run.cpp.
#pragma once

#include <functional>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/exit_code.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace portcullis::cli {

struct Streams {
  std::istream& in;
  std::ostream& out;  // answers
  std::ostream& err;  // errors, and what is said beside the answer
};

struct Command {
  std::string_view words;     // "check", "config validate"
  std::string_view summary;   // one line
  std::string_view examples;  // three lines, shown first by --help
  // Declares the options; what it returns runs once they are read.
  std::function<ExitCode(Streams&)> (*declare)(CLI::App& app);
};

extern const Command bans_add_command, bans_delete_command, bans_list_command;
extern const Command certs_expires_command, certs_init_command, certs_inspect_command;
extern const Command check_command, config_validate_command, doctor_command, explain_request_command, guard_command, uninstall_command,
    version_command;
extern const Command webhook_command;
extern const Command render_crds_command, render_middleware_command, render_rbac_command, render_tenant_quotas_command;
extern const Command render_webhook_config_command;

// Says why a command cannot do what it was asked to.
ExitCode refuse(Streams& streams, std::string_view why);
ExitCode refuse(Streams& streams, const Error& error);

// Takes its value from the environment too, named after its first long name: --tls-cert is PORTCULLIS_TLS_CERT.
CLI::Option* with_environment(CLI::Option* option);
// A check for CLI11: the value is one of `words`, or the error names them and the nearest one.
std::function<std::string(const std::string&)> one_of(std::vector<std::string_view> words);

}  // namespace portcullis::cli
