#include <algorithm>

#include "base/text.hpp"
#include "policy/document/budget.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/readers.hpp"

namespace portcullis::policy {
namespace {

constexpr std::string_view want_tier = "a tier from 1 (production finance) to 3 (sandbox)";

std::map<std::string, Quantity> read_budget(const Cursor& at) {
  std::map<std::string, Quantity> out;
  if (!at.any_mapping("a mapping from resource names to quantities")) return out;
  for (const auto& [pair, member] : at.members()) {
    if (const std::string wanted = budget_resource_refusal(pair->key); !wanted.empty()) {
      member.say("found the unknown resource " + quoted(pair->key) + ", want " + wanted);
      continue;
    }
    if (const auto quantity = member.quantity()) out.emplace(pair->key, *quantity);
  }
  return out;
}

void read_pattern(const Cursor& at, TenantNamespace& out) {
  constexpr std::string_view want = "a prefix of a namespace with one `*` at its end, such as acme-proj-*";
  const auto text = at.text(want);
  if (!text) return;
  const std::string_view prefix = std::string_view(*text).substr(0, text->size() - 1);
  const bool whole = text->back() == '*' && !prefix.empty() && is_dns_label(std::string(prefix) + "x");
  if (!whole) return at.refuse(want);
  out.name = prefix;
  out.pattern = true;
}

TenantNamespace read_namespace(const Cursor& at, const std::string& tenant, Draft& draft) {
  TenantNamespace out;
  out.place = at.place();
  if (!at.mapping(fields::tenant_namespace)) return out;
  const Cursor name = at["name"], pattern = at["pattern"];
  if (name.present() && pattern.present()) {
    pattern.say("found `pattern` beside `name`, want one of them");
  } else if (pattern.present()) {
    read_pattern(pattern, out);
    if (!out.name.empty()) draft.namespaces.push_back({mention(pattern, out.name), true, tenant});
  } else {
    constexpr std::string_view want = "a namespace's name, or `pattern` instead";
    if (const auto text = name.text(want)) {
      if (is_dns_label(*text)) {
        out.name = *text;
        draft.namespaces.push_back({mention(name, *text), false, tenant});
      } else {
        name.refuse("a DNS label: lower-case letters, digits and `-`, at most 63");
      }
    }
  }
  const Cursor environment = at["environment"];
  if (const auto text = environment.text("an environment of the Platform")) {
    out.environment = *text;
    draft.references.push_back({ReferenceTo::environment, mention(environment, *text), {}});
  }
  out.tenancy = at["tenancy"]
                    .word_of<Tenancy>({{"dedicated", Tenancy::dedicated}, {"multi-tenant", Tenancy::multi_tenant}})
                    .value_or(Tenancy::dedicated);
  if (at["tier"].present())
    if (const auto tier = at["tier"].integer(tier_range, want_tier)) out.tier = static_cast<int>(*tier);
  if (at["budget"].present()) out.budget = read_budget(at["budget"]);
  // Its dimensions would be named like the tenant's own: count/pods.
  if (!out.budget.empty() && !out.pattern && out.name == "count")
    at["budget"].say("found a budget of a namespace called `count`, want another name");
  return out;
}

void read_hosts(const Cursor& at, Tenant& out, Draft& draft) {
  constexpr std::string_view want = "a host name in lower case without a port, `*.` in front for any one label";
  for (const Cursor& item : at.list("a list of host names", Cursor::Empty::taken)) {
    const auto text = item.text(want);
    if (!text) continue;
    if (!is_host(*text)) {
      item.refuse(want);
      continue;
    }
    out.hosts.push_back(*text);
    draft.hosts.push_back({mention(item, *text), out.name});
  }
}

// What Odoo takes as a database's name, or the beginning of one.
bool is_database(std::string_view text) {
  if (text.ends_with('*')) text.remove_suffix(1);
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && plain(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
}

std::vector<std::string> read_databases(const Cursor& at) {
  std::vector<std::string> out = read_texts(at, "a list of databases, or nothing at all for any",
                                            "a database's name, with at most one `*` at its end and something before it", is_database);
  refuse_above(at, out.size(), databases_range, "databases");
  return out;
}

TenantGuard read_guard(const Cursor& at, const std::string& tenant, Draft& draft) {
  TenantGuard out;
  out.place = at.place();
  if (!at.mapping(fields::tenant_guard)) return out;
  const Cursor plan = at["plan"];
  if (const auto text = plan.text("a plan of the GuardPolicy")) {
    out.plan = *text;
    draft.references.push_back({ReferenceTo::plan, mention(plan, *text), {}});
  }
  if (at["lists"].present()) out.lists = decode_lists(at["lists"]);
  if (at["classes"].present()) out.classes = decode_classes(at["classes"], tenant);
  if (at["access"].present()) out.access = decode_access(at["access"], tenant, out.classes, draft);
  if (at["mode"].present()) out.mode = decode_guard_mode(at["mode"]);
  if (at["databases"].present()) out.databases = read_databases(at["databases"]);
  if (at["workers"].present())
    if (const auto workers = at["workers"].integer(workers_range, "the worker processes of its Odoo, from 1 to 1024"))
      out.workers = static_cast<std::uint32_t>(*workers);
  if (at["quotas"].present()) out.quotas = decode_quotas(at["quotas"]);
  if (const Cursor pool = at["pool"]; pool.present()) {
    if (const auto text = pool.text("a pool of the GuardPolicy")) {
      out.pool = *text;
      draft.references.push_back({ReferenceTo::pool, mention(pool, *text), {}});
    }
  }
  return out;
}

}  // namespace

void decode_tenant(const Cursor& spec, Tenant& out, Draft& draft) {
  if (!spec.mapping(fields::tenant)) return;
  if (const auto tier = spec["tier"].integer(tier_range, want_tier)) out.tier = static_cast<int>(*tier);
  constexpr std::string_view want_zone = "an IANA time zone such as Europe/Zurich";
  if (const auto zone = spec["timeZone"].text(want_zone)) {
    out.time_zone = *zone;
    if (!is_zone(*zone)) spec["timeZone"].refuse(want_zone, near_zone(*zone));
  }
  for (const Cursor& item : spec["namespaces"].list("a list of namespaces"))
    out.namespaces.push_back(read_namespace(item, out.name, draft));
  if (spec["hosts"].present()) read_hosts(spec["hosts"], out, draft);
  if (spec["budget"].present()) out.budget = read_budget(spec["budget"]);
  if (const Cursor at = spec["contacts"]; at.present() && at.mapping(fields::contacts)) {
    if (at["owner"].present()) out.owner = at["owner"].text("a mail address or name").value_or("");
    if (at["alerts"].present()) out.alerts = at["alerts"].text("a channel or mail address").value_or("");
  }
  if (spec["guard"].present()) out.guard = read_guard(spec["guard"], out.name, draft);
}

}  // namespace portcullis::policy
