#include "cli/admin_handler.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "cli/instant.hpp"
#include "guard/form_fields.hpp"
#include "net/listen_address.hpp"
#include "observe/log.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;
using guard::Ban;

constexpr std::string_view bans_path = "/v1/bans", ban_path = "/v1/bans/";
constexpr int json_depth_max = 4;

AdminAnswer refuse(int status, std::string_view what) {
  return {status, Json{{"error", what}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
}
AdminAnswer refuse(const Error& error) { return refuse(error.kind == ErrorKind::limit_exceeded ? 409 : 400, error.message()); }

bool has(const net::Request& request, std::string_view name) {
  return std::any_of(request.fields.begin(), request.fields.end(), [&](const net::Field& field) {
    return std::equal(field.name.begin(), field.name.end(), name.begin(), name.end(),
                      [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  });
}

// Why this is no operator's request; "" where it may be.
std::string_view from_a_browser(const net::Request& request) {
  if (has(request, "origin") || has(request, "sec-fetch-site")) return "browsers are not served here";
  std::string host(net::field_value(request, "host"));
  if (host == "localhost" || host.starts_with("localhost:")) return {};
  if (host.find(':') == std::string::npos || host.ends_with(']')) host += ":80";
  return net::parse_local_address(host).has_value() && !host.starts_with('/') ? std::string_view{} : "the Host is not this machine";
}

// One address is the client that the guard would count: an IPv4 address, an IPv6 /64.
Result<policy::Network> network_of(std::string_view text) {
  if (const auto address = guard::parse_address(text))
    return policy::Network{guard::client_key(*address), static_cast<std::uint8_t>(guard::is_ipv4(*address) ? 128 : 64)};
  auto network = policy::parse_network(text);
  if (!network) return fail(ErrorKind::invalid, "address", network.error().what);
  return network;
}

struct Query {
  std::optional<std::string> tenant, address, reason;
};
Query query_of(const net::Request& request) {
  std::array<guard::FormField, 3> fields{{{"tenant", {}}, {"address", {}}, {"reason", {}}}};
  if (!guard::read_urlencoded(request.query(), fields)) return {};
  const auto value = [&](std::size_t at) { return fields[at].value && !fields[at].value->empty() ? fields[at].value : std::nullopt; };
  return {value(0), value(1), value(2)};
}

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

Json shown(const Ban& ban, Clock::time_point now) {
  const auto left = std::max(std::chrono::ceil<std::chrono::seconds>(ban.ends - now), std::chrono::seconds(0));
  const Instant ends = std::chrono::floor<std::chrono::seconds>(WallClock::now()) + left;
  return {{"id", ban.id},
          {"tenant", ban.tenant ? Json(*ban.tenant) : Json(nullptr)},
          {"network", guard::ban_network_text(ban.network)},
          {"login", ban.login ? Json(hexadecimal(*ban.login)) : Json(nullptr)},
          {"source", guard::ban_source_name(ban.source)},
          {"reason", ban.reason},
          {"by", ban.by},
          {"created", instant_text(ban.created)},
          {"ends", instant_text(ends)},
          {"secondsLeft", left.count()},
          {"times", ban.times}};
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// The members of a flat object of texts, each known and a text; or what is wrong.
Result<std::map<std::string, std::string, std::less<>>> texts_of(std::string_view body) {
  constexpr std::array<std::string_view, 5> known{"address", "cidr", "tenant", "duration", "reason"};
  const auto refuse_body = [](std::string what) { return fail(ErrorKind::invalid, "body", std::move(what)); };
  if (body.size() > admin_body_bytes_max) return refuse_body("larger than " + std::to_string(admin_body_bytes_max) + " bytes");
  bool too_deep = false;
  const Json json = Json::parse(
      body.begin(), body.end(),
      [&](int depth, Json::parse_event_t /*event*/, Json& /*parsed*/) {
        too_deep = too_deep || depth > json_depth_max;
        return depth <= json_depth_max;
      },
      false);
  if (too_deep || !json.is_object()) return refuse_body("want a JSON object");
  std::map<std::string, std::string, std::less<>> texts;
  for (const auto& [name, value] : json.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return refuse_body("found the unknown field " + portcullis::quoted(name) + did_you_mean(name, known));
    if (!value.is_string()) return refuse_body("want a text for " + portcullis::quoted(name));
    texts[name] = value.get<std::string>();
  }
  return texts;
}

void log_removed(const Ban& ban, const std::string& reason, const std::string& by) {
  observe::log(observe::Level::info, "ban_deleted",
               {{"ban", ban.id},
                {"source", guard::ban_source_name(ban.source)},
                {"tenant", ban.tenant.value_or("*")},
                {"network", guard::ban_network_text(ban.network)},
                {"reason", reason},
                {"by", by}});
}

}  // namespace

void AdminHandler::answer(const net::Request& request, net::Response& response) {
  const std::string_view refused = from_a_browser(request);
  AdminAnswer answered = refused.empty() ? route(request) : refuse(403, refused);
  response.clear();
  response.status = answered.status;
  response.content_type = "application/json";
  response.header("cache-control", "no-store");
  response.body = std::move(answered.body);
  response.body += '\n';
}

AdminAnswer AdminHandler::route(const net::Request& request) {
  const std::string_view path = request.path();
  if (path == bans_path && request.method == "GET") return list(request);
  if (path == bans_path && request.method == "POST") return make(request);
  if (path == bans_path && request.method == "DELETE") return remove(request, {});
  if (path.starts_with(ban_path) && request.method == "DELETE") return remove(request, path.substr(ban_path.size()));
  const auto call = calls_.find(path);
  if (call != calls_.end() && request.method == "POST") {
    if (request.body.size() > admin_body_bytes_max || !is_utf8(request.body)) return refuse(400, "want UTF-8 of at most 64 KiB");
    return call->second(request.body);
  }
  if (path == bans_path || path.starts_with(ban_path) || call != calls_.end()) return refuse(405, "no such method here");
  return refuse(404, "not found; there is /v1/bans");
}

AdminAnswer AdminHandler::list(const net::Request& request) {
  const Query query = query_of(request);
  guard::Bans::Filter filter{.tenant = query.tenant, .network = std::nullopt};
  if (query.address) {
    const auto network = network_of(*query.address);
    if (!network) return refuse(network.error());
    filter.network = *network;
  }
  const Clock::time_point now = guard_.now();
  const std::vector<Ban> bans = guard_.bans().list(filter, now);
  const std::size_t left_out = bans.size() - std::min(bans.size(), admin_bans_listed_max);
  Json json{{"schemaVersion", 1}, {"total", bans.size()}, {"bans", Json::array()}};
  std::for_each(bans.begin() + static_cast<std::ptrdiff_t>(left_out), bans.end(),
                [&](const Ban& ban) { json["bans"].push_back(shown(ban, now)); });
  return {200, dump(json)};
}

AdminAnswer AdminHandler::make(const net::Request& request) {
  const auto texts = texts_of(request.body);
  if (!texts) return refuse(texts.error());
  const auto text = [&](std::string_view name) {
    const auto found = texts->find(name);
    return found == texts->end() ? std::string() : found->second;
  };
  const std::string address = text("address"), cidr = text("cidr"), tenant = text("tenant");
  if (address.empty() == cidr.empty()) return refuse(400, "body: want either `address` or `cidr`");
  guard::OperatorBan wanted;
  const auto network = network_of(address.empty() ? cidr : address);
  if (!network) return refuse(network.error());
  wanted.network = *network;
  const auto length = policy::parse_duration(text("duration"));
  if (!length) return refuse(400, "duration: found " + portcullis::quoted(text("duration")) + ", want a duration such as PT1H, 30m or 7d");
  wanted.length = *length;
  wanted.reason = text("reason");
  wanted.by = request.peer.text();
  const auto moment = guard_.moment();
  if (!tenant.empty()) {
    const guard::GuardTenant* const found = moment ? moment->documents().tenant_named(tenant) : nullptr;
    if (found == nullptr) return refuse(400, "tenant: there is no " + portcullis::quoted(tenant));
    wanted.tenant = guard::BanTenant{found->id, found->name};
  }
  const Clock::time_point now = guard_.now();
  const auto made = guard_.bans().add(wanted, now);
  if (!made) return refuse(made.error());
  return {201, dump(shown(*made, now))};
}

AdminAnswer AdminHandler::remove(const net::Request& request, std::string_view id) {
  const Query query = query_of(request);
  if (!query.reason || query.reason->size() > guard::ban_text_bytes_max || !is_utf8(*query.reason))
    return refuse(400, "reason: want one, of at most 256 bytes");
  const Clock::time_point now = guard_.now();
  std::vector<Ban> removed;
  if (!id.empty()) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
    if (error != std::errc{} || end != id.data() + id.size())
      return refuse(400, "found " + portcullis::quoted(id) + ", want the number of a ban");
    if (auto ban = guard_.bans().remove(number, now)) removed.push_back(*std::move(ban));
  } else {
    if (!query.address) return refuse(400, "address: want one, or a ban's number in the path");
    const auto network = network_of(*query.address);
    if (!network) return refuse(network.error());
    removed = guard_.bans().remove(*network, query.tenant, now);
  }
  if (removed.empty()) return refuse(404, "there is no such ban");
  Json json{{"deleted", Json::array()}};
  for (const Ban& ban : removed) {
    log_removed(ban, *query.reason, request.peer.text());
    json["deleted"].push_back(shown(ban, now));
  }
  return {200, dump(json)};
}

}  // namespace portcullis::cli
