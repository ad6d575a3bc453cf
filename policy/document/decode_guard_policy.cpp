// GuardPolicy, and the lists and access entries that a tenant's `guard` shares.
#include <array>
#include <chrono>
#include <set>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/readers.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::policy {
namespace {

constexpr std::chrono::seconds ban_window_max = std::chrono::hours(24), ban_max = std::chrono::hours(24 * 30);

Plan read_plan(const Cursor& at, const std::string& name) {
  Plan out;
  out.name = name;
  if (!at.mapping(fields::plan)) return out;
  if (at["factor"].present()) out.factor = read_factor(at["factor"]);
  if (const Cursor bucket = at["tenant"]; bucket.present()) {
    out.tenant.emplace();
    out.tenant->key = LimitKey::tenant;
    if (bucket.mapping(fields::bucket)) {
      read_rate(bucket["rate"], out.tenant->rate);
      if (const auto burst = bucket["burst"].integer(burst_range, "a burst of at least 1, the requests let through at once"))
        out.tenant->burst = static_cast<std::uint32_t>(*burst);
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

Bans read_bans(const Cursor& at) {
  Bans out;
  if (!at.mapping(fields::bans)) return out;
  if (at["failures"].present())
    if (const auto count = at["failures"].integer(ban_failures_range, "the failed logins that ban, from 1 to 10000"))
      out.failures = static_cast<std::uint32_t>(*count);
  const auto duration = [&](std::string_view name, std::chrono::seconds max, std::chrono::seconds& into) {
    if (at[name].present()) into = read_duration(at[name], max).value_or(into);
  };
  duration("window", ban_window_max, out.window);
  const std::size_t refusals = at.decoding().errors.size();
  duration("first", ban_max, out.first);
  duration("max", ban_max, out.max);
  if (out.first > out.max && at.decoding().errors.size() == refusals)
    at[at["first"].present() ? "first" : "max"].say("found a first ban of " + duration_text(out.first) + " and a longest of " +
                                                    duration_text(out.max) + ", want `first` at most `max`");
  return out;
}

std::vector<Pool> read_pools(const Cursor& at) {
  std::vector<Pool> out;
  NamesSeen seen;
  for (const Cursor& item : at.list("a list of pools, each with `name` and `capacity`", Cursor::Empty::taken)) {
    Pool pool;
    if (!item.mapping(fields::pool)) continue;
    pool.name = read_name_once(item["name"], "pool", seen);
    read_rate(item["capacity"], pool.capacity);
    constexpr std::array<std::string_view, 1> fairness{"weighted"};
    if (item["fairness"].present()) (void)item["fairness"].word(fairness);
    out.push_back(std::move(pool));
  }
  refuse_above(at, out.size(), pools_range, "pools");
  return out;
}

}  // namespace

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
  NamesSeen seen;
  for (const Cursor& item : at.list("a list of lists, each with `name` and `cidrs`", Cursor::Empty::taken)) {
    NetworkList list;
    list.place = item.place();
    if (!item.mapping(fields::network_list)) continue;
    list.name = read_name_once(item["name"], "list", seen);
    list.networks = decode_networks(item["cidrs"]);
    if (item["factor"].present()) list.factor = read_factor(item["factor"]);
    out.push_back(std::move(list));
  }
  return out;
}

std::vector<std::string> decode_list_names(const Cursor& at, const std::string& tenant, Draft& draft) {
  std::vector<std::string> out;
  for (const Cursor& item : at.list("a list of names of lists")) {
    auto name = item.text("the name of a list");
    if (!name) continue;
    draft.references.push_back(
        {ReferenceTo::list, mention(item, *name), tenant.empty() ? std::vector<std::string>{} : std::vector<std::string>{tenant}});
    out.push_back(*std::move(name));
  }
  return out;
}

std::vector<AccessEntry> decode_access(const Cursor& at, const std::string& tenant, std::span<const ClassOverride> classes, Draft& draft) {
  std::vector<std::string_view> names(route_class_names.begin(), route_class_names.end());
  for (const ClassOverride& each : classes)
    if (!each.match.empty()) names.push_back(each.name);
  std::vector<AccessEntry> out;
  for (const Cursor& item : at.list("a list of access entries", Cursor::Empty::taken)) {
    AccessEntry entry;
    entry.place = item.place();
    if (!item.mapping(tenant.empty() ? fields::access_entry : fields::tenant_access_entry)) continue;
    for (const Cursor& name : item["classes"].list("a list of route classes"))
      if (const auto index = name.word(names)) entry.classes.emplace_back(names[*index]);
    if (item["allow"].present()) entry.allow = decode_list_names(item["allow"], tenant, draft);
    if (item["deny"].present()) entry.deny = decode_list_names(item["deny"], tenant, draft);
    entry.default_allow = item["default"].word_of<bool>({{"allow", true}, {"deny", false}}).value_or(false);
    out.push_back(std::move(entry));
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
  if (spec["access"].present()) out.access = decode_access(spec["access"], "", {}, draft);
  if (spec["bans"].present()) out.bans = read_bans(spec["bans"]);
  if (spec["pools"].present()) out.pools = read_pools(spec["pools"]);
  if (spec["profiles"].present()) out.profiles = decode_profiles(spec["profiles"], draft);
  if (spec["overrides"].present()) out.overrides = decode_overrides(spec["overrides"], draft);
  if (spec["mode"].present()) out.mode = decode_guard_mode(spec["mode"]).value_or(GuardMode::enforce);
}

}  // namespace portcullis::policy
