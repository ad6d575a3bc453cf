// portcullis bans list, add, delete: what a guard that runs keeps out, seen and changed through its admin door.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "cli/admin_client.hpp"
#include "cli/command.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;

struct BansOptions {
  std::string admin, tenant, address, length, reason, output = "table";
  std::vector<std::string> ids;
};

// The answer in JSON. What the door refused is said as its error, with its status.
struct Answered {
  int status = 0;
  Json json;
};
Result<Answered> ask(const BansOptions& options, net::ClientRequest request) {
  request.fields.emplace_back("accept", "application/json");
  if (!request.body.empty()) request.fields.emplace_back("content-type", "application/json");
  auto answer = ask_admin(options.admin, std::move(request));
  if (!answer) return tl::unexpected(answer.error());
  Json json = Json::parse(answer->body, nullptr, false);
  if (!json.is_object())
    return fail(ErrorKind::invalid, options.admin,
                "answered " + std::to_string(answer->status) + ", and no JSON: is it a guard's admin door?");
  return Answered{answer->status, std::move(json)};
}

std::string error_of(const Answered& answered) {
  const auto error = answered.json.find("error");
  return error != answered.json.end() && error->is_string() ? printable(error->get<std::string>(), 500)
                                                            : "the guard answered " + std::to_string(answered.status);
}

std::string with_query(std::string path, const std::vector<std::pair<std::string_view, std::string>>& parameters) {
  char mark = '?';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    path += mark + std::string(name) + "=" + percent_encoded(value);
    mark = '&';
  }
  return path;
}

std::string text_of(const Json& ban, const char* name, const char* absent) {
  const auto found = ban.find(name);
  if (found == ban.end() || found->is_null()) return absent;
  return found->is_string() ? printable(found->get<std::string>()) : found->dump();
}

void print_table(const Json& bans, std::ostream& out) {
  std::vector<std::array<std::string, 8>> rows{{"ID", "TENANT", "NETWORK", "OF", "SOURCE", "ENDS IN", "BY", "REASON"}};
  for (const Json& ban : bans) {
    const auto seconds = ban.find("secondsLeft");
    const bool counted = seconds != ban.end() && seconds->is_number_integer() && seconds->get<std::int64_t>() > 0;
    rows.push_back({text_of(ban, "id", "?"), text_of(ban, "tenant", "*"), text_of(ban, "network", "?"),
                    text_of(ban, "login", "").empty() ? "address" : "login", text_of(ban, "source", "?"),
                    counted ? policy::duration_text(std::chrono::seconds(seconds->get<std::int64_t>())) : "PT0S", text_of(ban, "by", "?"),
                    text_of(ban, "reason", "")});
  }
  std::array<std::size_t, 8> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) out << row[i] << std::string(widths[i] + 2 - row[i].size(), ' ');
    out << row.back() << '\n';
  }
}

ExitCode list(const BansOptions& options, Streams& streams) {
  const auto answered = ask(
      options, {.target = with_query("/v1/bans", {{"tenant", options.tenant}, {"address", options.address}}), .fields = {}, .body = {}});
  if (!answered) return refuse(streams, answered.error().message());
  const auto bans = answered->json.find("bans");
  if (answered->status != 200 || bans == answered->json.end() || !bans->is_array()) return refuse(streams, error_of(*answered));
  if (options.output == "json") {
    streams.out << answered->json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return ExitCode::fine;
  }
  if (bans->empty()) {
    streams.out << "no bans\n";
    return ExitCode::fine;
  }
  print_table(*bans, streams.out);
  if (const auto total = answered->json.find("total"); total != answered->json.end() && *total > bans->size())
    streams.err << "the latest " << bans->size() << " of " << total->dump() << "; --tenant or --address finds others\n";
  return ExitCode::fine;
}

ExitCode add(const BansOptions& options, Streams& streams) {
  Json body{{options.address.find('/') == std::string::npos ? "address" : "cidr", options.address},
            {"duration", options.length},
            {"reason", options.reason}};
  if (!options.tenant.empty()) body["tenant"] = options.tenant;
  const auto answered = ask(
      options, {.method = "POST", .target = "/v1/bans", .fields = {}, .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)});
  if (!answered) return refuse(streams, answered.error().message());
  if (answered->status != 201) return refuse(streams, error_of(*answered));
  if (options.output == "json") {
    streams.out << answered->json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    print_table(Json::array({answered->json}), streams.out);
  }
  return ExitCode::fine;
}

// 1 when there is no such ban: nothing was changed.
ExitCode remove(const BansOptions& options, Streams& streams) {
  if (options.ids.empty() == options.address.empty()) return refuse(streams, "want either the number of a ban or --address");
  ExitCode code = ExitCode::fine;
  Json deleted = Json::array();
  const std::vector<std::string> paths = options.ids.empty() ? std::vector<std::string>{"/v1/bans"} : options.ids;
  for (const std::string& each : paths) {
    const std::string path = options.ids.empty() ? each : "/v1/bans/" + percent_encoded(each);
    const auto answered = ask(options, {.method = "DELETE",
                                        .target = with_query(path, {{"address", options.address},
                                                                    {"tenant", options.ids.empty() ? options.tenant : std::string()},
                                                                    {"reason", options.reason}}),
                                        .fields = {},
                                        .body = {}});
    if (!answered) return refuse(streams, answered.error().message());
    const auto gone = answered->json.find("deleted");
    if (answered->status == 200 && gone != answered->json.end() && gone->is_array()) {
      for (const Json& ban : *gone) deleted.push_back(ban);
      continue;
    }
    streams.err << "error: " << (options.ids.empty() ? options.address : each) << ": " << error_of(*answered) << '\n';
    code = worse(code, answered->status == 404 ? ExitCode::no : ExitCode::not_judged);
  }
  if (options.output == "json") {
    streams.out << Json{{"schemaVersion", 1}, {"deleted", deleted}}.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else if (!deleted.empty()) {
    print_table(deleted, streams.out);
  }
  return code;
}

void declare_common(CLI::App& app, BansOptions& options) {
  with_environment(app.add_option("--admin", options.admin, "the guard's --admin-listen"))->required()->type_name("ADDR:PORT|SOCKET");
  with_environment(app.add_option("--tenant", options.tenant, "of one tenant (all)"))->type_name("NAME");
  with_environment(app.add_option("-o,--output", options.output, "table (default) or json"))
      ->check(one_of({"table", "json"}))
      ->type_name("FORMAT");
}

CLI::Option* declare_address(CLI::App& app, BansOptions& options, const char* help) {
  return with_environment(app.add_option("--address", options.address, help))->type_name("ADDRESS|CIDR");
}

CLI::Option* declare_reason(CLI::App& app, BansOptions& options) {
  return with_environment(app.add_option("--reason", options.reason, "why, for the log"))->required()->type_name("TEXT");
}

std::function<ExitCode(Streams&)> declare_list(CLI::App& app) {
  auto options = std::make_shared<BansOptions>();
  declare_common(app, *options);
  declare_address(app, *options, "those that hold it, or lie within it");
  return [options](Streams& streams) { return list(*options, streams); };
}

std::function<ExitCode(Streams&)> declare_add(CLI::App& app) {
  auto options = std::make_shared<BansOptions>();
  declare_common(app, *options);
  declare_address(app, *options, "whom; an IPv6 address stands for its /64")->required();
  with_environment(app.add_option("--for", options->length, "how long (1h, P7D)"))->required()->type_name("DURATION");
  declare_reason(app, *options);
  return [options](Streams& streams) { return add(*options, streams); };
}

std::function<ExitCode(Streams&)> declare_delete(CLI::App& app) {
  auto options = std::make_shared<BansOptions>();
  app.add_option("ID", options->ids, "numbers of bans, as `bans list` shows them")->type_name("ID");
  declare_common(app, *options);
  declare_address(app, *options, "instead: every ban of exactly this address or network");
  declare_reason(app, *options);
  return [options](Streams& streams) { return remove(*options, streams); };
}

}  // namespace

const Command bans_add_command{
    .words = "bans add",
    .summary = "keep an address or a network out for a while",
    .examples =
        "  portcullis bans add --admin /run/portcullis/admin.sock --address 198.51.100.7 --for 1h --reason \"password guessing\"\n"
        "  portcullis bans add --admin 127.0.0.1:9901 --address 203.0.113.0/24 --for P1D --reason CHG-1234 --tenant acme\n"
        "  PORTCULLIS_ADMIN=127.0.0.1:9901 portcullis bans add --address 2001:db8:7::1 --for 30m --reason scraping\n",
    .declare = declare_add,
};

const Command bans_delete_command{
    .words = "bans delete",
    .summary = "let someone in again before a ban ends",
    .examples =
        "  portcullis bans delete 17 --admin /run/portcullis/admin.sock --reason \"it was us\"\n"
        "  portcullis bans delete --admin 127.0.0.1:9901 --address 198.51.100.7 --reason CHG-1235\n"
        "  portcullis bans delete --admin 127.0.0.1:9901 --address 198.51.100.7 --tenant acme --reason CHG-1235\n",
    .declare = declare_delete,
};

const Command bans_list_command{
    .words = "bans list",
    .summary = "show whom a running guard keeps out, and for how long",
    .examples =
        "  portcullis bans list --admin /run/portcullis/admin.sock\n"
        "  portcullis bans list --admin 127.0.0.1:9901 --tenant acme -o json\n"
        "  PORTCULLIS_ADMIN=127.0.0.1:9901 portcullis bans list --address 198.51.100.7\n",
    .declare = declare_list,
};

}  // namespace portcullis::cli
