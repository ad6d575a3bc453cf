// What is said of a route class: overrides of the built-in ones, and a tenant's own classes with their paths.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/readers.hpp"
#include "policy/document/route_classes.hpp"

namespace portcullis::policy {
namespace {

constexpr std::chrono::seconds ttl_max = std::chrono::hours(24);  // a place held longer is lost, not at work

constexpr std::pair<std::string_view, LimitKey> limit_keys[]{{"address", LimitKey::address},
                                                             {"session", LimitKey::session},
                                                             {"login", LimitKey::login},
                                                             {"api-key", LimitKey::api_key},
                                                             {"tenant", LimitKey::tenant}};
// A login is known of a single request only: nothing to count by day or to hold a place for.
constexpr std::pair<std::string_view, LimitKey> share_keys[]{
    {"address", LimitKey::address}, {"session", LimitKey::session}, {"api-key", LimitKey::api_key}, {"tenant", LimitKey::tenant}};

Limit read_limit(const Cursor& at) {
  Limit out;
  if (!at.mapping(fields::limit)) return out;
  out.key = at["key"].word_of(limit_keys).value_or(LimitKey::address);
  read_rate(at["rate"], out.rate);
  if (const auto burst = at["burst"].integer(burst_range, "a burst of at least 1, the requests let through at once"))
    out.burst = static_cast<std::uint32_t>(*burst);
  return out;
}

std::vector<Concurrency> read_concurrency(const Cursor& at) {
  std::vector<Concurrency> out;
  std::set<LimitKey> seen;
  for (const Cursor& item : at.list("a list of bounds, each with `key` and `max`", Cursor::Empty::taken)) {
    Concurrency bound;
    if (!item.mapping(fields::concurrency)) continue;
    const auto key = item["key"].word_of(share_keys);
    if (key && !seen.insert(*key).second)
      item["key"].say("found the key " + quoted(limit_key_name(*key)) + " a second time, want each once");
    bound.key = key.value_or(LimitKey::tenant);
    if (const auto max = item["max"].integer(at_once_range, "the requests at the same time, from 1 to 100000"))
      bound.max = static_cast<std::uint32_t>(*max);
    if (item["ttl"].present()) bound.ttl = read_duration(item["ttl"], ttl_max).value_or(bound.ttl);
    out.push_back(bound);
  }
  refuse_above(at, out.size(), concurrency_range, "bounds");
  return out;
}

// Absolute, without an empty or dot segment and without what a path never holds once it is decoded and cut from its query.
bool is_path_pattern(std::string_view text) {
  if (text.size() > static_cast<std::size_t>(path_bytes_range.max)) return false;
  if (text.ends_with("/**")) text.remove_suffix(3);
  if (text.empty() || text.front() != '/') return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7F' || std::string_view("*?#%\\").find(c) != std::string_view::npos) return false;
  for (std::size_t from = 1; from <= text.size();) {
    const std::size_t slash = std::min(text.find('/', from), text.size());
    const std::string_view segment = text.substr(from, slash - from);
    if (segment.empty() || segment == "." || segment == "..") return false;
    from = slash + 1;
  }
  return true;
}

using PathsSeen = std::map<std::string, std::string>;  // to where they stand

std::vector<std::string> read_paths(const Cursor& at, PathsSeen& seen) {
  constexpr std::string_view want = "an absolute path such as /edi/in, or one that ends in `/**` such as /edi/**";
  std::vector<std::string> out;
  for (const Cursor& item : at.list("a list of paths")) {
    const auto text = item.text(want);
    if (!text) continue;
    if (!is_path_pattern(*text))
      item.refuse(want);
    else if (const auto [first, fresh] = seen.emplace(*text, item.place().text()); !fresh)
      item.say("found the path " + quoted(*text) + " a second time, want each once (the first is at " + first->second + ")");
    else
      out.push_back(*text);
  }
  refuse_above(at, out.size(), paths_range, "paths");
  return out;
}

// `record`: of a tenant's class or of the platform's. No `paths` for a built-in class.
ClassOverride read_class(const Cursor& at, const std::string& name, const Record& record, PathsSeen* paths) {
  ClassOverride out;
  out.place = at.place();
  out.name = name;
  if (!at.mapping(record)) return out;
  if (paths) out.match = read_paths(at["match"], *paths);
  if (const Cursor limits = at["limits"]; limits.present() || paths) {
    out.limits.emplace();
    for (const Cursor& item : limits.list("a list of limits, each with `key`, `rate` and `burst`")) out.limits->push_back(read_limit(item));
    refuse_above(limits, out.limits->size(), limits_range, "limits");
  }
  if (at["quotas"].present()) out.quotas = decode_quotas(at["quotas"]);
  if (at["concurrency"].present()) out.concurrency = read_concurrency(at["concurrency"]);
  if (const Cursor cost = at["cost"]; cost.present()) {
    constexpr std::string_view want = "a cost from 0 to 1000";
    const auto value = cost.number(want);
    if (value && (*value < 0 || *value > static_cast<double>(cost_range.max))) cost.refuse(want);
    out.cost = value;
  }
  if (at["mode"].present()) out.mode = decode_guard_mode(at["mode"]);
  if (at["onStoreLoss"].present())
    out.on_store_loss =
        at["onStoreLoss"].word_of<StoreLoss>({{"local", StoreLoss::local}, {"open", StoreLoss::open}, {"closed", StoreLoss::closed}});
  return out;
}

}  // namespace

std::optional<GuardMode> decode_guard_mode(const Cursor& at) {
  return at.word_of<GuardMode>({{"enforce", GuardMode::enforce}, {"shadow", GuardMode::shadow}});
}

std::vector<Quota> decode_quotas(const Cursor& at) {
  std::vector<Quota> out;
  std::set<std::pair<LimitKey, QuotaPeriod>> seen;
  for (const Cursor& item : at.list("a list of quotas, each with `key`, `count` and `per`", Cursor::Empty::taken)) {
    Quota quota;
    if (!item.mapping(fields::quota)) continue;
    const auto key = item["key"].word_of(share_keys);
    const auto per = item["per"].word_of<QuotaPeriod>({{"day", QuotaPeriod::day}, {"month", QuotaPeriod::month}});
    if (key && per && !seen.emplace(*key, *per).second)
      item["key"].say("found a quota of " + quoted(limit_key_name(*key)) + " a second time for the same time, want each once");
    quota.key = key.value_or(LimitKey::tenant);
    quota.per = per.value_or(QuotaPeriod::day);
    if (const auto count = item["count"].integer(quota_count_range, "a count of requests from 1 to 1000000000000"))
      quota.count = static_cast<std::uint64_t>(*count);
    out.push_back(quota);
  }
  refuse_above(at, out.size(), quotas_range, "quotas");
  return out;
}

std::vector<ClassOverride> decode_classes(const Cursor& at, const std::string& tenant) {
  std::vector<ClassOverride> out;
  if (!at.any_mapping("a mapping from route classes to what is said of them")) return out;
  const Record& record = tenant.empty() ? fields::class_override : fields::tenant_class;
  PathsSeen paths;
  std::size_t own = 0;
  for (const auto& [pair, member] : at.members()) {
    const bool built_in = route_class_index(pair->key) < route_class_names.size();
    const yaml::Pair* match = member.node()->find_pair("match");
    if (built_in) {
      if (match && !tenant.empty())
        member["match"].say("found `match` in the built-in class " + quoted(pair->key) +
                            ", whose paths are Odoo's; want a name of its own for a class with `match`");
      out.push_back(read_class(member, pair->key, record, nullptr));
    } else if (match && tenant.empty()) {
      member.say("found the own class " + quoted(pair->key) + ", want it in the Tenant's `guard.classes`: here are the built-in ones only");
    } else if (match) {
      if (!is_dns_label(pair->key)) member.say("found the own class " + quoted(pair->key) + ", want a name that is a DNS label");
      out.push_back(read_class(member, pair->key, record, &paths));
      ++own;
    } else {
      member.say("found the unknown route class " + quoted(pair->key) + ", want " + one_of(route_class_names) +
                 (tenant.empty() ? "" : ", or `match` for a class of its own") + did_you_mean(pair->key, route_class_names));
    }
  }
  refuse_above(at, own, own_classes_range, "own classes");
  return out;
}

}  // namespace portcullis::policy
