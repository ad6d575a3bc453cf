#include "guard/explain.hpp"

#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "guard/decide.hpp"
#include "guard/identify.hpp"

namespace portcullis::guard {
namespace {

using nlohmann::json;

constexpr double second = 1e9;

// Each field by its name in JSON.
std::array<std::pair<std::string_view, std::string Question::*>, 8> question_fields() {
  return {{{"host", &Question::host},
           {"path", &Question::uri},
           {"address", &Question::address},
           {"method", &Question::method},
           {"tenant", &Question::tenant},
           {"session", &Question::session},
           {"login", &Question::login},
           {"accept", &Question::accept}}};
}

std::string key_text(const Address& client) { return address_text(client_key(client)) + (is_ipv4(client) ? "/32" : "/64"); }

double rounded(double value) { return std::round(value * 1000) / 1000; }

json limit_json(const Charge& charge) {
  json limit{{"key", key_kind_name(static_cast<KeyKind>(charge.tag))},
             {"burst", charge.limit.tolerance / charge.limit.interval},
             {"cost", charge.cost},
             {"left", charge.remaining + (charge.wait == 0 && charge.window_end == 0 ? static_cast<std::int64_t>(charge.cost) : 0)},
             {"waitSeconds", rounded(static_cast<double>(charge.wait) / second)}};
  if (charge.window_end == 0) limit["perSecond"] = rounded(second / static_cast<double>(charge.limit.interval));
  return limit;
}

std::string why(Reason reason, const Identity& identity) {
  switch (reason) {
    case Reason::none:
      return "nothing stands in its way";
    case Reason::banned:
      return "it is banned: by failed logins, or by an operator (`portcullis bans list`)";
    case Reason::maintenance:
      return "a profile that is on keeps everybody out but its list";
    case Reason::profile:
      return "a profile that is on denies the class";
    case Reason::access:
      return "an access list keeps this address from " + std::string(identity.class_name()) + ", or the class is off unless opened";
    case Reason::store_lost:
      return "the shared store is away, and the class is closed without it";
    case Reason::quota:
      return "the quota of the day or month is used up";
    case Reason::limit_plan:
      return "the tenant's own bucket is empty";
    case Reason::limit_pool:
      return "the tenant has had its part of the pool, and the others leave nothing";
    default:
      break;
  }
  return reason >= Reason::limit_address ? "it is over a limit of its class" : "it cannot be told for certain whose request it is";
}

// A forward-auth request as the proxies would send it.
struct Request {
  Request(const GuardSnapshot& documents, const Question& question) {
    for (std::uint32_t hop = 0; hop < documents.hops(); ++hop) forwarded_for += (hop == 0 ? "" : ", ") + question.address;
    cookie = "session_id=" + question.session;
    fields = {{"x-forwarded-for", forwarded_for},
              {"x-forwarded-host", question.host},
              {"x-forwarded-uri", question.uri},
              {"x-forwarded-method", question.method}};
    if (!question.session.empty()) fields.push_back({"cookie", cookie});
    request.fields = fields;
    if (const auto proxy = documents.some_proxy()) request.peer.address = *proxy;
  }
  std::string forwarded_for, cookie;
  std::vector<net::Field> fields;
  net::Request request;
};

}  // namespace

Result<Question> parse_question(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorKind::invalid, "", "want a JSON object with `host` and `address`");
  Question question;
  for (const auto& [name, value] : parsed.items()) {
    const auto fields = question_fields();
    const auto field = std::find_if(fields.begin(), fields.end(), [&name = name](const auto& known) { return known.first == name; });
    if (field == fields.end() || !value.is_string())
      return fail(ErrorKind::invalid, "",
                  "found the field `" + name + "`, want strings: host, path, address, method, tenant, session, login, accept");
    question.*(field->second) = value.get<std::string>();
  }
  if (question.host.empty() || question.address.empty()) return fail(ErrorKind::invalid, "", "want `host` and `address`");
  return question;
}

json to_json(const Question& question) {
  json out = json::object();
  for (const auto& [name, member] : question_fields()) {
    if (!(question.*member).empty()) out[std::string(name)] = question.*member;
  }
  return out;
}

json explain(Guard& guard, const Question& question) {
  const std::shared_ptr<const Moment> moment = guard.moment();
  if (moment == nullptr) return {{"verdict", "refuse"}, {"reason", "no-documents"}, {"why", "no documents are loaded"}};
  const GuardSnapshot& documents = moment->documents();
  const Request made(documents, question);
  IdentifyScratch scratch;
  Identity identity;
  const std::optional<std::string_view> named = question.tenant.empty() ? std::nullopt : std::optional<std::string_view>(question.tenant);
  const Reason unknown = identify(documents, guard.seed(), made.request, named, scratch, identity);
  json out;
  if (identity.tenant != nullptr) out["tenant"] = identity.tenant->name;
  if (identity.client) out["address"] = key_text(*identity.client);
  if (unknown != Reason::none) {
    out.update(
        {{"verdict", "refuse"}, {"reason", reason_name(unknown)}, {"status", refusal_status(unknown)}, {"why", why(unknown, identity)}});
    return out;
  }
  const Clock::time_point now = guard.now();
  const std::int64_t then = steady_nanoseconds(now);
  std::vector<std::uint64_t> logins;
  if (!question.login.empty()) logins.push_back(siphash(guard.seed(), question.login));
  GuardSubject subject = guard.subject_of(identity, logins, 1, now);
  DecideScratch decided;
  const Outcome outcome = foresee(*moment, guard.parts(now), subject, then, decided);
  out["verdict"] = verdict_name(outcome.verdict);
  out["reason"] = reason_name(outcome.reason);
  out["status"] = outcome.verdict == Verdict::pass ? 200 : judged_status(outcome.verdict, outcome.reason);
  out["shadow"] = outcome.shadow;
  out["why"] = why(outcome.reason, identity);
  out["class"] = identity.class_name();
  out["path"] = identity.path.resolved.empty() ? identity.path.decoded : identity.path.resolved;
  out["session"] = identity.sessions.count == 0 ? "none" : subject.known_session ? "known" : "unknown";
  out["cost"] = identity.cost_factor;
  out["lists"] = json::array();
  for (const policy::NetworkList* list : documents.lists_with(*identity.tenant, *identity.client))
    out["lists"].push_back({{"name", list->name}, {"factor", list->factor}});
  const Adjustment* const adjustment = moment->adjustment(*identity.tenant);
  out["profiles"] = adjustment == nullptr ? "" : adjustment->profiles;
  if (subject.ban) out["ban"] = {{"waitSeconds", rounded(static_cast<double>(subject.ban->wait) / second)}};
  out["limits"] = json::array();
  for (const Charge& charge : decided.charges) out["limits"].push_back(limit_json(charge));
  return out;
}

}  // namespace portcullis::guard
