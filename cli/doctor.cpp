// portcullis doctor: is the gate whole, and if not, what is wrong and what to do. `--pre` looks at a cluster before
// installing, `--uninstall` before taking away; `--wait` looks again until nothing fails.
#include "cli/doctor.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "cli/api_client.hpp"
#include "cli/command.hpp"
#include "net/peer_certificate.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;
using Verdict = Check::Verdict;

constexpr std::chrono::seconds look_time_max{3};  // for a replica to show its certificate
constexpr std::chrono::seconds between_looks{2};  // while waiting

constexpr std::array<std::string_view, 10> categories{"kubernetes-api", "permissions", "documents", "replicas", "certificates",
                                                      "webhook-config", "audit",       "facts",     "quotas",   "self-test"};

struct DoctorOptions {
  ApiOptions api;
  std::string config, wait, output = "table", service = "portcullis-webhook", configuration = "portcullis";
  std::vector<std::string> only;
  bool before = false, uninstall = false;
};

std::string_view verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::fine:
      return "ok";
    case Verdict::warn:
      return "warn";
    case Verdict::failed:
      return "FAIL";
    case Verdict::unknown:
      return "skip";
  }
  return "";
}

void append(Checks& to, Checks more) {
  for (Check& each : more) to.push_back(std::move(each));
}

Checks examine(const DoctorOptions& options, const Examination& prepared) {
  Examination examination = prepared;
  examination.now = std::chrono::floor<std::chrono::seconds>(WallClock::now());
  Checks checks = check_api(examination);
  const bool reached = checks.front().verdict == Verdict::fine;
  if (!reached) return checks;
  if (options.before) {
    append(checks, check_may_install(examination));
    return checks;
  }
  if (options.uninstall) {
    append(checks, check_uninstall(examination));
    return checks;
  }
  append(checks, check_documents(examination));
  append(checks, check_permissions(examination));
  append(checks, check_replicas(examination));
  append(checks, check_certificates(examination));
  append(checks, check_webhook_config(examination));
  append(checks, check_audit(examination));
  append(checks, check_facts(examination));
  append(checks, check_quotas(examination));
  append(checks, check_self_test(examination));
  if (!options.only.empty())
    std::erase_if(checks, [&](const Check& each) {
      return std::find(options.only.begin(), options.only.end(), each.category) == options.only.end();
    });
  return checks;
}

bool any(const Checks& checks, Verdict verdict) {
  return std::any_of(checks.begin(), checks.end(), [&](const Check& each) { return each.verdict == verdict; });
}

void print_table(const Checks& checks, std::ostream& out) {
  std::string_view category;
  for (const Check& each : checks) {
    if (each.category != category) out << (category.empty() ? "" : "\n") << each.category << '\n';
    category = each.category;
    const std::string_view word = verdict_word(each.verdict);
    out << "  " << word << std::string(6 - word.size(), ' ') << each.id << ": " << printable(each.what, 2'000) << '\n';
    if (!each.hint.empty()) out << "        " << printable(each.hint, 2'000) << '\n';
  }
  const auto count = [&](Verdict verdict) {
    return std::to_string(std::count_if(checks.begin(), checks.end(), [&](const Check& each) { return each.verdict == verdict; }));
  };
  out << '\n'
      << count(Verdict::fine) << " ok, " << count(Verdict::warn) << " warnings, " << count(Verdict::failed) << " failed, "
      << count(Verdict::unknown) << " skipped\n";
}

void print_json(const Checks& checks, std::ostream& out) {
  Json json{{"schemaVersion", 1}, {"checks", Json::array()}};
  for (const Check& each : checks) {
    const std::string_view verdict = each.verdict == Verdict::failed ? "fail" : verdict_word(each.verdict);
    json["checks"].push_back(
        {{"category", each.category}, {"id", each.id}, {"verdict", verdict}, {"what", each.what}, {"hint", each.hint}});
  }
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

ExitCode doctor(const DoctorOptions& options, Streams& streams) {
  auto opened = ApiClient::open(options.api);
  if (!opened) return refuse(streams, opened.error());
  ApiClient& client = **opened;
  Examination examination;
  examination.call = [&client](kube::ApiRequest request) { return client.call(std::move(request)); };
  examination.name_space = client.name_space();
  examination.in_cluster = client.is_in_cluster();
  examination.service = options.service;
  examination.configuration = options.configuration;
  examination.config = options.config;
  examination.certificates_of = [](const std::string& endpoint, const std::string& name) {
    return net::fetch_certificates(endpoint, name, Clock::now() + look_time_max);
  };
  const auto wait = options.wait.empty() ? std::optional(std::chrono::seconds(0)) : policy::parse_duration(options.wait);
  const Deadline end = Clock::now() + wait.value_or(std::chrono::seconds(0));
  Checks checks = examine(options, examination);
  while (any(checks, Verdict::failed) && Clock::now() + between_looks < end) {
    std::this_thread::sleep_for(between_looks);
    checks = examine(options, examination);
  }
  if (options.output == "json") {
    print_json(checks, streams.out);
  } else {
    print_table(checks, streams.out);
  }
  const bool reached = !checks.empty() && (checks.front().id != "api-reachable" || checks.front().verdict == Verdict::fine);
  if (!reached) return ExitCode::not_judged;
  return any(checks, Verdict::failed) ? ExitCode::no : ExitCode::fine;
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<DoctorOptions>();
  declare_api_options(app, options->api);
  with_environment(app.add_option("--config", options->config, "directory of documents (those of the cluster)"))->type_name("DIR");
  with_environment(app.add_option("--service", options->service, "the webhook's Service (portcullis-webhook)"))->type_name("NAME");
  with_environment(app.add_option("--webhook-configuration", options->configuration, "name of both configurations (portcullis)"))
      ->type_name("NAME");
  with_environment(app.add_option("--category", options->only, "only these checks; repeatable"))
      ->allow_extra_args(false)
      ->check(one_of({categories.begin(), categories.end()}))
      ->type_name("WORD");
  auto* before = with_environment(app.add_flag("--pre", options->before, "before installing: the cluster's version, and whether you may"));
  with_environment(app.add_flag("--uninstall", options->uninstall, "before taking away: what would go wrong"))->excludes(before);
  with_environment(app.add_option("--wait", options->wait, "look again until nothing fails, at most that long"))
      ->check([](const std::string& text) {
        return policy::parse_duration(text) ? std::string() : "found " + portcullis::quoted(text) + ", want a duration such as 60s or PT2M";
      })
      ->type_name("DURATION");
  with_environment(app.add_option("-o,--output", options->output, "table (default) or json"))
      ->check(one_of({"table", "json"}))
      ->type_name("FORMAT");
  return [options](Streams& streams) { return doctor(*options, streams); };
}

}  // namespace

const Command doctor_command{
    .words = "doctor",
    .summary = "tell whether the gate in a cluster is whole, and what to do where it is not",
    .examples =
        "  portcullis doctor\n"
        "  portcullis doctor --pre\n"
        "  portcullis doctor --category replicas --category certificates --wait 120s\n",
    .declare = declare,
};

}  // namespace portcullis::cli
