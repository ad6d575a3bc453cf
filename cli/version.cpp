// portcullis version: which program this is.
#include "cli/version.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"

namespace portcullis::cli {
namespace {

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto format = std::make_shared<std::string>("table");
  with_environment(app.add_option("-o,--output", *format, "table or json"))->check(one_of({"table", "json"}))->type_name("FORMAT");
  return [format](Streams& streams) {
    if (*format == "json") {
      const nlohmann::ordered_json answer{{"schemaVersion", 1}, {"version", version}};
      streams.out << answer.dump(2) << '\n';
    } else {
      streams.out << "portcullis " << version << '\n';
    }
    return ExitCode::fine;
  };
}

}  // namespace

const std::string_view version = PORTCULLIS_VERSION;

const Command version_command{
    .words = "version",
    .summary = "tell the program's version",
    .examples = "  portcullis version\n  portcullis version -o json\n  portcullis --version\n",
    .declare = declare,
};

}  // namespace portcullis::cli
