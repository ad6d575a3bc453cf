// GuardPolicy, and the parts of it that a tenant's `guard` shares.
#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::policy {
namespace {

constexpr std::array<std::string_view, 4> limit_keys{"address", "session", "api-key", "tenant"};

constexpr std::size_t limits_max = limits_range.max;

void read_rate(const Cursor& at, Rate& out) {
  constexpr std::string_view want = "a rate such as 30/min; the units are s, min, h and day";
  const auto text = at.text(want);
  if (!text) return;
  if (const auto rate = parse_rate(*text))
    out = *rate;
  else
    at.refuse(want);
}

void read_burst(const Cursor& at, std::uint32_t& out) {
  if (const auto burst = at.integer(burst_range, "a burst of at least 1, the requests let through at once"))
    out = static_cast<std::uint32_t>(*burst);
}

double read_above_zero(const Cursor& at, std::int64_t max, std::string_view want) {
  const auto value = at.number(want);
  if (!value) return 1;
  if (*value > 0 && *value <= static_cast<double>(max)) return *value;
  at.refuse(want);
  return 1;
}

Limit read_limit(const Cursor& at) {
  Limit out;
  if (!at.mapping(fields::limit)) return out;
  const Cursor key = at["key"];
  if (key.present() && key.node()->kind == yaml::Kind::string && key.node()->text == "login") {
    key.say("found `login`, which comes with a later version of Portcullis; want " + one_of(limit_keys) + " until then");
  } else {
    out.key = key.word_of<LimitKey>({{"address", LimitKey::address},
                                     {"session", LimitKey::session},
                                     {"api-key", LimitKey::api_key},
                                     {"tenant", LimitKey::tenant}})
                  .value_or(LimitKey::address);
  }
  read_rate(at["rate"], out.rate);
  read_burst(at["burst"], out.burst);
  return out;
}

ClassOverride read_class(const Cursor& at, const std::string& name) {
  ClassOverride out;
  out.place = at.place();
  out.name = name;
  if (!at.mapping(fields::class_override)) return out;
  if (const Cursor limits = at["limits"]; limits.present()) {
    out.limits.emplace();
    for (const Cursor& item : limits.list("a list of limits, each with `key`, `rate` and `burst`")) out.limits->push_back(read_limit(item));
    if (out.limits->size() > limits_max) limits.say("found " + std::to_string(out.limits->size()) + " limits, want at most 8");
  }
  if (const Cursor cost = at["cost"]; cost.present()) {
    constexpr std::string_view want = "a cost from 0 to 1000";
    const auto value = cost.number(want);
    if (value && (*value < 0 || *value > static_cast<double>(cost_range.max))) cost.refuse(want);
    out.cost = value;
  }
  if (at["mode"].present()) out.mode = decode_guard_mode(at["mode"]);
  return out;
}

std::vector<std::string> read_list_names(const Cursor& at, const std::string& tenant, Draft& draft) {
  std::vector<std::string> out;
  if (!at.present()) return out;
  for (const Cursor& item : at.list("a list of names of lists")) {
    auto name = item.text("the name of a list");
    if (!name) continue;
    draft.references.push_back(
        {ReferenceTo::list, mention(item, *name), tenant.empty() ? std::vector<std::string>{} : std::vector<std::string>{tenant}});
    out.push_back(*std::move(name));
  }
  return out;
}

Plan read_plan(const Cursor& at, const std::string& name) {
  Plan out;
  out.name = name;
  if (!at.mapping(fields::plan)) return out;
  if (at["factor"].present()) out.factor = read_above_zero(at["factor"], factor_range.max, "a factor above 0, at most 1000");
  if (const Cursor bucket = at["tenant"]; bucket.present()) {
    out.tenant.emplace();
    out.tenant->key = LimitKey::tenant;
    if (bucket.mapping(fields::bucket)) {
      read_rate(bucket["rate"], out.tenant->rate);
      read_burst(bucket["burst"], out.tenant->burst);
    }
  }
  return out;
}

TrustedProxies read_proxies(const Cursor& at) {
  TrustedProxies out;
  if (!at.mapping(fields::trusted_proxies)) return out;
  out.networks = decode_networks(at["cidrs"]);
  for (const Cursor& item : at["cidrs"].present() && at["cidrs"].node()->kind == yaml::Kind::sequence
                                ? at["cidrs"].list("", Cursor::Empty::taken)
                                : std::vector<Cursor>{})
    if (item.node()->text == "0.0.0.0/0" || item.node()->text == "::/0")
      item.say("found " + quoted(item.node()->text) + ", which would trust every peer; want the networks of your proxies");
  if (at["hops"].present())
    if (const auto count = at["hops"].integer(hops_range, "the number of proxies that append to X-Forwarded-For, from 1 to 16"))
      out.hops = static_cast<std::uint32_t>(*count);
  return out;
}

}  // namespace

std::optional<GuardMode> decode_guard_mode(const Cursor& at) {
  return at.word_of<GuardMode>({{"enforce", GuardMode::enforce}, {"shadow", GuardMode::shadow}});
}

std::vector<Network> decode_networks(const Cursor& at) {
  constexpr std::string_view want = "a network such as 10.42.0.0/16 or 2001:db8::/32";
  std::vector<Network> out;
  std::set<std::pair<std::array<std::uint8_t, 16>, std::uint8_t>> seen;
  for (const Cursor& item : at.list("a list of networks")) {
    const auto text = item.text(want);
    if (!text) continue;
    const auto network = parse_network(*text);
    if (!network)
      item.say(network.error().what);
    else if (!seen.emplace(network->address, network->prefix).second)
      item.say("found the network " + quoted(*text) + " a second time, want each once");
    else
      out.push_back(*network);
  }
  return out;
}

std::vector<NetworkList> decode_lists(const Cursor& at) {
  std::vector<NetworkList> out;
  std::unordered_map<std::string, std::string> seen;
  for (const Cursor& item : at.list("a list of lists, each with `name` and `cidrs`", Cursor::Empty::taken)) {
    NetworkList list;
    list.place = item.place();
    if (!item.mapping(fields::network_list)) continue;
    constexpr std::string_view want_name = "the list's name, a DNS label";
    const Cursor name = item["name"];
    if (const auto text = name.text(want_name)) {
      list.name = *text;
      if (!is_dns_label(*text)) name.refuse(want_name);
      if (const auto [first, fresh] = seen.emplace(*text, name.place().text()); !fresh)
        name.say("found the list " + quoted(*text) + " a second time, want each name once (the first is at " + first->second + ")");
    }
    list.networks = decode_networks(item["cidrs"]);
    if (item["factor"].present()) list.factor = read_above_zero(item["factor"], factor_range.max, "a factor above 0, at most 1000");
    out.push_back(std::move(list));
  }
  return out;
}

std::vector<AccessEntry> decode_access(const Cursor& at, const std::string& tenant, Draft& draft) {
  std::vector<AccessEntry> out;
  for (const Cursor& item : at.list("a list of access entries", Cursor::Empty::taken)) {
    AccessEntry entry;
    entry.place = item.place();
    if (!item.mapping(fields::access_entry)) continue;
    for (const Cursor& name : item["classes"].list("a list of route classes"))
      if (const auto index = name.word(route_class_names)) entry.classes.emplace_back(route_class_names[*index]);
    entry.allow = read_list_names(item["allow"], tenant, draft);
    entry.deny = read_list_names(item["deny"], tenant, draft);
    entry.default_allow = item["default"].word_of<bool>({{"allow", true}, {"deny", false}}).value_or(false);
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<ClassOverride> decode_classes(const Cursor& at, const std::string& tenant) {
  std::vector<ClassOverride> out;
  if (!at.any_mapping("a mapping from route classes to their overrides")) return out;
  for (const auto& [pair, member] : at.members()) {
    const bool own = member.node()->find("match") != nullptr;
    if (route_class_index(pair->key) < route_class_names.size()) {
      out.push_back(read_class(member, pair->key));
    } else if (own && !tenant.empty()) {
      member.say("found the tenant's own class " + quoted(pair->key) +
                 ", which comes with a later version of Portcullis; want a built-in route class until then");
    } else {
      member.say("found the unknown route class " + quoted(pair->key) + ", want " + one_of(route_class_names) +
                 did_you_mean(pair->key, route_class_names));
    }
  }
  return out;
}

void decode_guard_policy(const Cursor& spec, GuardPolicy& out, Draft& draft) {
  if (!spec.mapping(fields::guard_policy)) return;
  out.trusted_proxies = read_proxies(spec["trustedProxies"]);
  if (spec["unknownHost"].present())
    out.unknown_host_allow = spec["unknownHost"].word_of<bool>({{"deny", false}, {"allow", true}}).value_or(false);
  if (spec["classes"].present()) out.classes = decode_classes(spec["classes"], "");
  if (const Cursor plans = spec["plans"]; plans.present() && plans.any_mapping("a mapping from plans' names to plans")) {
    for (const auto& [pair, member] : plans.members()) {
      if (!is_dns_label(pair->key)) member.say("found the plan " + quoted(pair->key) + ", want a name that is a DNS label");
      out.plans.push_back(read_plan(member, pair->key));
    }
  }
  if (spec["lists"].present()) out.lists = decode_lists(spec["lists"]);
  if (spec["access"].present()) out.access = decode_access(spec["access"], "", draft);
  if (spec["mode"].present()) out.mode = decode_guard_mode(spec["mode"]).value_or(GuardMode::enforce);
}

}  // namespace portcullis::policy
