#include "cli/run.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <iomanip>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cli/command.hpp"

namespace portcullis::cli {
namespace {

const Command* const commands[]{
    &bans_add_command,
    &bans_delete_command,
    &bans_list_command,
    &certs_expires_command,
    &certs_init_command,
    &certs_inspect_command,
    &check_command,
    &config_validate_command,
    &doctor_command,
    &explain_request_command,
    &guard_command,
    &render_crds_command,
    &render_middleware_command,
    &render_rbac_command,
    &render_tenant_quotas_command,
    &render_webhook_config_command,
    &uninstall_command,
    &version_command,
    &webhook_command,
};

constexpr std::string_view root_examples =
    "  portcullis check --config documents/ manifests/\n"
    "  portcullis config validate --config documents/\n"
    "  portcullis webhook --config documents/ --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key\n";

void print_root_help(std::ostream& to) {
  to << "Portcullis keeps the gate of a multi-tenant Odoo platform: an admission webhook, a forward-auth guard, and a check of "
        "files.\n\nExamples:\n"
     << root_examples << "\nUsage: portcullis COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command* command : commands) to << "  " << std::left << std::setw(23) << command->words << command->summary << '\n';
  to << "\n`portcullis COMMAND --help` tells the options of one. Every option may also be set by PORTCULLIS_<OPTION>.\n"
        "Exit codes: 0 fine, 1 the answer is no, 2 could not be judged.\n";
}

ExitCode refuse(std::ostream& err, std::string_view command, std::string_view what) {
  const std::string name = command.empty() ? std::string("portcullis") : "portcullis " + std::string(command);
  err << "error: " << what << "\n`" << name << " --help` tells more\n";
  return ExitCode::not_judged;
}

bool is_help(std::string_view word) { return word == "--help" || word == "-h"; }

// The command whose words lead `words`, which are taken off. Null after it has said what is wrong, or shown help.
const Command* select(std::vector<std::string>& words, Streams& streams, ExitCode& code) {
  code = ExitCode::not_judged;
  if (words.empty()) {
    print_root_help(streams.err);
    return nullptr;
  }
  if (is_help(words.front()) || words.front() == "help") {
    print_root_help(streams.out);
    code = ExitCode::fine;
    return nullptr;
  }
  if (words.front() == "--version") words.front() = "version";
  std::vector<std::string_view> first_words, second_words;
  for (const Command* command : commands) {
    const auto space = command->words.find(' ');
    const std::string_view first = command->words.substr(0, space);
    if (std::find(first_words.begin(), first_words.end(), first) == first_words.end()) first_words.push_back(first);
    if (first != words.front()) continue;
    if (space == std::string_view::npos) {
      words.erase(words.begin());
      return command;
    }
    const std::string_view second = command->words.substr(space + 1);
    if (words.size() > 1 && words[1] == second) {
      words.erase(words.begin(), words.begin() + 2);
      return command;
    }
    second_words.push_back(second);
  }
  if (second_words.empty()) {
    refuse(streams.err, "", "unknown command " + portcullis::quoted(words.front()) + did_you_mean(words.front(), first_words));
    return nullptr;
  }
  if (words.size() > 1 && is_help(words[1])) {
    print_root_help(streams.out);
    code = ExitCode::fine;
  } else if (words.size() > 1) {
    refuse(streams.err, "", "unknown command " + portcullis::quoted(words[0] + " " + words[1]) + did_you_mean(words[1], second_words));
  } else {
    refuse(streams.err, "", "`" + words[0] + "` wants a second word: " + std::string(second_words.front()));
  }
  return nullptr;
}

// The first word that looks like an option and is none; "" when there is none. CLI11 would name a missing required option
// before it, or take the word's value for a file.
std::string unknown_option(CLI::App& app, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word.size() < 2 || word.front() != '-') continue;
    const bool is_long = word[1] == '-';
    std::string name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
    if (!app.get_option_no_throw(name)) return name;
  }
  return {};
}

std::string refuse_option(CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& each : option->get_lnames()) names.push_back("--" + each);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return "unknown option " + portcullis::quoted(name) + did_you_mean(name, candidates);
}

ExitCode run_command(const Command& command, std::vector<std::string> words, Streams& streams) {
  CLI::App app{std::string(command.summary), "portcullis " + std::string(command.words)};
  app.set_help_flag("-h,--help", "this text");
  app.get_formatter()->column_width(36);
  const auto body = command.declare(app);
  if (const std::string unknown = unknown_option(app, words); !unknown.empty())
    return refuse(streams.err, command.words, refuse_option(app, unknown));
  std::reverse(words.begin(), words.end());
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    streams.out << "Examples:\n" << command.examples << '\n' << app.help();
    return ExitCode::fine;
  } catch (const CLI::ParseError& error) {
    return refuse(streams.err, command.words, error.what());
  }
  return body(streams);
}

}  // namespace

ExitCode refuse(Streams& streams, std::string_view why) {
  streams.err << "error: " << why << '\n';
  return ExitCode::not_judged;
}

ExitCode refuse(Streams& streams, const Error& error) { return refuse(streams, error.message()); }

CLI::Option* with_environment(CLI::Option* option) {
  std::string name = "PORTCULLIS_" + option->get_lnames().front();
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return option->envname(name);
}

std::function<std::string(const std::string&)> one_of(std::vector<std::string_view> words) {
  return [words = std::move(words)](const std::string& value) -> std::string {
    if (std::find(words.begin(), words.end(), value) != words.end()) return {};
    std::string wanted;
    for (std::size_t at = 0; at < words.size(); ++at) {
      if (at > 0) wanted += at + 1 == words.size() ? " or " : ", ";
      wanted += words[at];
    }
    return "found " + portcullis::quoted(value) + ", want " + wanted + did_you_mean(value, words);
  };
}

int run(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err) {
  std::signal(SIGPIPE, SIG_IGN);  // `| head` closes our output: the exit code is still the answer
  Streams streams{in, out, err};
  ExitCode code = ExitCode::not_judged;
  try {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (const Command* command = select(words, streams, code)) code = run_command(*command, std::move(words), streams);
  } catch (const std::exception& error) {  // our own bug, or no memory left
    err << "error: internal: " << error.what() << '\n';
    code = ExitCode::not_judged;
  }
  out.flush();
  err.flush();
  return static_cast<int>(code);
}

}  // namespace portcullis::cli
