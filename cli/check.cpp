// portcullis check: the same rules over manifests before they reach a cluster.
//
// Reads documents and manifests, judges every object as if it were written now by the given user, and reports as a table or
// as JSON. Exit code: 2 where anything could not be judged, else 1 where something is refused (--fail-on), else 0.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/instant.hpp"
#include "cli/report.hpp"
#include "config/store.hpp"

namespace portcullis::cli {
namespace {

struct Options {
  std::string config, output = "table", name_space = "default", user, operation = "CREATE", old, at, fail_on = "deny";
  std::vector<std::string> groups, facts, paths;
  bool strict = false, allow_empty = false;
};

policy::Operation operation_of(std::string_view word) {
  if (word == "UPDATE") return policy::Operation::update;
  if (word == "DELETE") return policy::Operation::remove;
  return policy::Operation::create;
}

ExitCode exit_code(const Report& report, const Options& options) {
  const Counts counts = count(report);
  if (!report.errors.empty()) return ExitCode::not_judged;
  if (counts.objects == 0 && !options.allow_empty) return ExitCode::not_judged;
  if (options.strict && !report.judged.not_judged.empty()) return ExitCode::not_judged;
  const bool refused = options.fail_on == "deny"   ? counts.denied > 0
                       : options.fail_on == "warn" ? counts.denied + counts.warned > 0
                                                   : false;
  return refused ? ExitCode::no : ExitCode::fine;
}

void write(const Report& report, const Options& options, Streams& streams) {
  if (options.output == "json")
    write_json(report, streams.out);
  else
    write_table(report, terminal_of(streams.out), streams.out);
}

// What cannot even begin: said on both ways out, so that a reader of JSON gets JSON.
ExitCode refuse(std::vector<ManifestError> errors, const Options& options, Streams& streams) {
  print_errors(errors, streams.err);
  if (options.output == "json") {
    Report report;
    report.errors = std::move(errors);
    write_json(report, streams.out);
  }
  return ExitCode::not_judged;
}

std::vector<ExpiredException> expired_exceptions(const policy::DocumentSet& documents, Instant now) {
  std::vector<ExpiredException> expired;
  for (const policy::PolicyException& exception : documents.exceptions)
    if (exception.expires_at <= now) expired.push_back({exception.name, exception.place.text(), exception.expires_at});
  return expired;
}

ExitCode check(const Options& options, Streams& streams) {
  const Clock::time_point begin = Clock::now();
  Situation situation;
  situation.name_space = options.name_space;
  if (!options.user.empty()) situation.user = options.user;
  situation.groups = options.groups;
  situation.operation = operation_of(options.operation);
  situation.now = std::chrono::floor<std::chrono::seconds>(WallClock::now());
  if (!options.at.empty()) situation.now = *parse_instant(options.at);  // checked when it was read

  auto store = config::Store::open(options.config, false);
  if (!store) return refuse(document_errors(options.config, store.error()), options, streams);
  const config::Store::Snapshot snapshot = (*store)->current();

  const Manifests objects = read_manifests(options.paths, streams.in);
  const std::vector<std::string> old_paths(options.old.empty() ? 0 : 1, options.old);
  const Manifests before = read_manifests(old_paths, streams.in);

  const Manifests facts = read_manifests(options.facts, streams.in);

  Report report;
  report.manifests = &objects;
  report.errors = objects.errors;
  for (const Manifests* each : {&before, &facts}) report.errors.insert(report.errors.end(), each->errors.begin(), each->errors.end());
  report.judged = judge_files(*snapshot, situation, objects, before, facts);
  report.errors.insert(report.errors.end(), report.judged.errors.begin(), report.judged.errors.end());
  report.expired = expired_exceptions(snapshot->documents(), situation.now);
  report.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);

  write(report, options, streams);
  streams.out.flush();
  print_errors(report.errors, streams.err);
  if (count(report).objects == 0 && report.errors.empty() && !options.allow_empty)
    streams.err << "error: no object found to judge; --allow-empty makes this fine\n";
  return exit_code(report, options);
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<Options>();
  with_environment(app.add_option("--config", options->config, "directory of documents"))->required()->type_name("DIR");
  with_environment(app.add_option("-o,--output", options->output, "table or json"))->check(one_of({"table", "json"}))->type_name("FORMAT");
  with_environment(app.add_option("-n,--namespace", options->name_space, "namespace of objects that name none (default)"))
      ->type_name("NAMESPACE");
  with_environment(app.add_option("--user", options->user, "who writes; without it, what depends on the user is not judged"))
      ->type_name("NAME");
  with_environment(app.add_option("--group", options->groups, "a group of the user; repeatable"))
      ->allow_extra_args(false)
      ->type_name("NAME");
  with_environment(app.add_option("--operation", options->operation, "CREATE (default), UPDATE or DELETE"))
      ->check(one_of({"CREATE", "UPDATE", "DELETE"}))
      ->type_name("WORD");
  with_environment(app.add_option("--old", options->old, "file or directory with what is there now, for UPDATE and DELETE"))
      ->type_name("FILE");
  with_environment(app.add_option("--at", options->at, "judge as at this instant (RFC 3339 with an offset)"))
      ->check([](const std::string& text) {
        const auto instant = parse_instant(text);
        return instant ? std::string() : instant.error().what;
      })
      ->type_name("INSTANT");
  with_environment(app.add_option("--facts", options->facts, "file or directory of what the cluster holds besides; repeatable"))
      ->allow_extra_args(false)
      ->type_name("FILE");
  with_environment(app.add_option("--fail-on", options->fail_on, "exit 1 on deny (default), on warn too, or never"))
      ->check(one_of({"deny", "warn", "never"}))
      ->type_name("WORD");
  with_environment(app.add_flag("--strict", options->strict, "exit 2 where a rule could not be judged for want of a user or of facts"));
  with_environment(app.add_flag("--allow-empty", options->allow_empty, "finding no object is fine"));
  app.add_option("FILE", options->paths, "manifests: files, directories, - for standard input")->required();
  return [options](Streams& streams) {
    if (options->operation == "UPDATE" && options->old.empty()) {
      streams.err << "error: --operation UPDATE wants --old: what the objects replace\n";
      return ExitCode::not_judged;
    }
    if (options->operation == "CREATE" && !options->old.empty()) {
      streams.err << "error: --old is for --operation UPDATE or DELETE: nothing is there before a CREATE\n";
      return ExitCode::not_judged;
    }
    return check(*options, streams);
  };
}

}  // namespace

const Command check_command{
    .words = "check",
    .summary = "judge manifests by the documents, before they reach a cluster",
    .examples =
        "  portcullis check --config documents/ manifests/\n"
        "  helm template shop chart/ | portcullis check --config documents/ -n meridian-finance-prod -\n"
        "  portcullis check --config documents/ -o json --operation UPDATE --old live.yaml new.yaml\n",
    .declare = declare,
};

}  // namespace portcullis::cli
