// portcullis explain request: what the guard would say to a request, and why: of documents in a directory, with every limit
// whole, or of a guard that runs, with what is left there.
#include <CLI/CLI.hpp>
#include <cmath>
#include <iomanip>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "cli/admin_client.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "config/store.hpp"
#include "guard/explain.hpp"

namespace portcullis::cli {
namespace {

using nlohmann::json;

struct Options {
  guard::Question question;
  std::string config, admin, output = "table";
};

std::string number(double value) {
  std::ostringstream text;
  text << std::setprecision(6) << value;
  return text.str();
}

// "10/min": the unit in which the rate is a number people read.
std::string rate_text(double per_second) {
  if (per_second >= 1) return number(std::round(per_second * 100) / 100) + "/s";
  if (per_second * 60 >= 1) return number(std::round(per_second * 6000) / 100) + "/min";
  return number(std::round(per_second * 360'000) / 100) + "/h";
}

void print_limit(const json& limit, std::ostream& out) {
  const std::string rate = limit.contains("perSecond") ? rate_text(limit.value("perSecond", 0.0)) : std::string("a window");
  out << "  " << std::left << std::setw(12) << limit.value("key", std::string()) << std::setw(14) << rate << "burst " << std::setw(8)
      << limit.value("burst", std::int64_t{0}) << "left " << std::setw(8) << limit.value("left", std::int64_t{0});
  if (const double wait = limit.value("waitSeconds", 0.0); wait > 0) out << "free in " << number(wait) << " s";
  out << '\n';
}

void print_line(std::string_view name, const std::string& value, std::ostream& out) {
  if (!value.empty()) out << std::left << std::setw(10) << name << value << '\n';
}

void print_table(const json& answer, std::ostream& out) {
  const std::string reason = answer.value("reason", std::string());
  out << answer.value("verdict", std::string()) << " (" << answer.value("status", 0) << (reason.empty() ? "" : ", ") << reason << ")"
      << (answer.value("shadow", false) ? ", let through by shadow mode" : "") << ": " << answer.value("why", std::string()) << '\n';
  for (const char* name : {"tenant", "class", "path", "address", "session", "profiles"})
    print_line(name, answer.value(name, std::string()), out);
  std::string lists;
  for (const json& list : answer.value("lists", json::array())) {
    const double factor = list.value("factor", 1.0);
    lists += (lists.empty() ? "" : ", ") + list.value("name", std::string()) + (factor == 1 ? "" : " (factor " + number(factor) + ")");
  }
  print_line("lists", lists, out);
  if (answer.contains("ban")) print_line("banned", "for " + number(answer["ban"].value("waitSeconds", 0.0)) + " s more", out);
  if (answer.value("limits", json::array()).empty()) return;
  out << "limits\n";
  for (const json& limit : answer["limits"]) print_limit(limit, out);
}

Result<json> ask_documents(const Options& options, Streams& streams) {
  const auto store = config::Store::open(options.config, true);
  if (!store) {
    print_errors(document_errors(options.config, store.error()), streams.err);
    return fail(ErrorKind::invalid, options.config, "these documents would not be taken");
  }
  guard::Guard guard;
  guard.swap_in(guard::GuardSnapshot::compile((*store)->current()->documents()));
  return guard::explain(guard, options.question);
}

Result<json> ask_guard(const Options& options) {
  net::ClientRequest request;
  request.method = "POST";
  request.target = "/v1/explain";
  request.body = guard::to_json(options.question).dump();
  const auto answer = ask_admin(options.admin, std::move(request));
  if (!answer) return tl::unexpected(answer.error());
  const json parsed = json::parse(answer->body, nullptr, false);
  if (answer->status != 200 || !parsed.is_object())
    return fail(ErrorKind::unavailable, options.admin, "the guard answered " + std::to_string(answer->status));
  return parsed;
}

ExitCode run(const Options& options, Streams& streams) {
  if (options.config.empty() == options.admin.empty()) return refuse(streams, "want either --config DIR or --admin ADDR:PORT|SOCKET");
  const auto answer = options.admin.empty() ? ask_documents(options, streams) : ask_guard(options);
  if (!answer) return refuse(streams, answer.error());
  if (options.output == "json") {
    streams.out << answer->dump(2) << '\n';
  } else {
    print_table(*answer, streams.out);
  }
  return answer->value("verdict", std::string()) == "pass" ? ExitCode::fine : ExitCode::no;
}

std::function<ExitCode(Streams&)> declare(CLI::App& app) {
  auto options = std::make_shared<Options>();
  guard::Question& question = options->question;
  app.add_option("--host", question.host, "host the client asks for")->required()->type_name("HOST");
  app.add_option("--path", question.uri, "path and query, as the client sends them (/)")->type_name("PATH");
  app.add_option("--ip", question.address, "address of the client")->required()->type_name("ADDRESS");
  app.add_option("--method", question.method, "method (GET)")->type_name("METHOD");
  app.add_option("--tenant", question.tenant, "tenant that the Middleware's address names (the host's)")->type_name("TENANT");
  app.add_option("--session", question.session, "value of the session_id cookie")->type_name("ID");
  app.add_option("--login", question.login, "who wants to log in")->type_name("LOGIN");
  with_environment(app.add_option("--config", options->config, "directory of documents: every limit is whole"))->type_name("DIR");
  with_environment(app.add_option("--admin", options->admin, "admin door of a running guard: what is left there"))
      ->type_name("ADDR:PORT|SOCKET");
  with_environment(app.add_option("-o,--output", options->output, "table (default) or json"))
      ->check(one_of({"table", "json"}))
      ->type_name("WORD");
  return [options](Streams& streams) { return run(*options, streams); };
}

}  // namespace

const Command explain_request_command{
    .words = "explain request",
    .summary = "tell what the guard would say to a request, and why",
    .examples =
        "  portcullis explain request --config documents/ --host erp.acme.example --path /web/login --ip 198.51.100.7\n"
        "  portcullis explain request --admin 127.0.0.1:9001 --host erp.acme.example --path /shop --ip 2001:db8::7\n"
        "  portcullis explain request ... --method POST --login admin -o json\n",
    .declare = declare,
};

}  // namespace portcullis::cli
