// What a GuardPolicy and a tenant's `guard` say beyond plans, lists and access: classes in full, bans, pools, profiles and
// overrides. What is taken, and every refusal as its author reads it.
#include <string>
#include <vector>

#include "policy/document/formats.hpp"
#include "policy/document/load.hpp"
#include "policy/document/route_classes.hpp"
#include "tests/catch.hpp"
#include "tests/policy/document_text.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using portcullis::policy::testing::document;

namespace {

const std::string platform = document("Platform", "hoster", "{environments: [production]}");
const std::string calendar =
    document("Calendar", "finance", "{timeZone: UTC, periods: [{name: close, recurrence: FREQ=DAILY, start: \"05:00\", duration: PT1H}]}");

// `more` is a block of its own where it begins with a line, else members of a flow mapping.
std::string tenant(const std::string& more) {
  const std::string spec =
      "tier: 1, timeZone: UTC, namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}], guard: {plan: gold";
  if (more.starts_with('\n'))
    return document(
        "Tenant", "acme",
        "\n  tier: 1\n  timeZone: UTC\n  namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]\n  guard:\n "
        "   plan: gold" +
            more);
  return document("Tenant", "acme", "{" + spec + (more.empty() ? "" : ", " + more) + "}}");
}

std::string guard_policy(const std::string& more) {
  const std::string proxies = "trustedProxies: {cidrs: [10.0.0.0/8]}", plans = "plans: {gold: {}}",
                    lists = "lists: [{name: vpn, cidrs: [192.0.2.0/24]}]";
  if (more.starts_with('\n')) return document("GuardPolicy", "default", "\n  " + proxies + "\n  " + plans + "\n  " + lists + more);
  return document("GuardPolicy", "default", "{" + proxies + ", " + plans + ", " + lists + (more.empty() ? "" : ", " + more) + "}");
}

auto load(const std::string& guard, const std::string& policy) {
  return load_documents({{"a.yaml", platform}, {"b.yaml", calendar}, {"p.yaml", guard_policy(policy)}, {"t.yaml", tenant(guard)}}, true);
}

DocumentSet taken(const std::string& guard, const std::string& policy) { return testing::taken_from(load(guard, policy)); }

std::string told(const std::string& guard, const std::string& policy) { return testing::told_of(load(guard, policy)); }

struct Case {
  std::string text, told;
};

std::string repeated(int times, const std::string& before, const std::string& after) {
  std::string out;
  for (int i = 0; i < times; ++i) out += (i == 0 ? "" : ", ") + before + std::to_string(i) + after;
  return out;
}

std::string classes() {
  std::string out;
  for (std::size_t i = 0; i < route_class_names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == route_class_names.size() ? " or " : ", ") + std::string(route_class_names[i]);
  return out;
}

}  // namespace

TEST_CASE("a class in full", "[policy][document][guard]") {
  const DocumentSet set = taken("", R"(
  classes:
    login:
      limits: [{key: login, rate: 1/min, burst: 5}, {key: api-key, rate: 2/s, burst: 9}]
      onStoreLoss: closed
      quotas: [{key: api-key, count: 20000, per: day}, {key: api-key, count: 1000000000000, per: month}]
      concurrency: [{key: tenant, max: 2, ttl: PT5M}, {key: session, max: 1}]
    report: {quotas: [], concurrency: [], onStoreLoss: open}
    static: {onStoreLoss: local}
    image: {})");
  const auto& classes = set.guard_policy->classes;
  REQUIRE(classes.size() == 4);
  const ClassOverride& login = classes[0];
  CHECK(login.match.empty());
  CHECK(login.limits->at(0).key == LimitKey::login);
  CHECK(login.limits->at(1).key == LimitKey::api_key);
  CHECK(login.on_store_loss == StoreLoss::closed);
  REQUIRE(login.quotas->size() == 2);
  CHECK(login.quotas->at(0).key == LimitKey::api_key);
  CHECK(login.quotas->at(0).count == 20'000);
  CHECK(login.quotas->at(0).per == QuotaPeriod::day);
  CHECK(login.quotas->at(1).count == 1'000'000'000'000);
  CHECK(login.quotas->at(1).per == QuotaPeriod::month);
  REQUIRE(login.concurrency->size() == 2);
  CHECK(login.concurrency->at(0).max == 2);
  CHECK(login.concurrency->at(0).ttl == std::chrono::minutes(5));
  CHECK(login.concurrency->at(1).key == LimitKey::session);
  CHECK(login.concurrency->at(1).ttl == std::chrono::minutes(2));
  CHECK(classes[1].quotas->empty());  // lifts the built-in ones
  CHECK(classes[1].concurrency->empty());
  CHECK(classes[1].on_store_loss == StoreLoss::open);
  CHECK(classes[2].on_store_loss == StoreLoss::local);
  CHECK_FALSE(classes[3].quotas);
  CHECK_FALSE(classes[3].on_store_loss);
}

TEST_CASE("what a tenant's guard may say", "[policy][document][guard]") {
  const DocumentSet set = taken(R"(
    access: [{classes: [edi, export], allow: [vpn], default: deny}]
    classes:
      edi: {match: ["/edi/**", /orders.csv], limits: [{key: address, rate: 30/s, burst: 60}], cost: 2, mode: shadow, onStoreLoss: open}
      report: {cost: 3}
    databases: [acme, "acme-*", Acme_2.x]
    workers: 8
    quotas: [{key: tenant, count: 1000000, per: month}]
    pool: shared-a)",
                                "pools: [{name: shared-a, capacity: 200/s}, {name: shared-b, capacity: 5/min, fairness: weighted}]");
  const TenantGuard& guard = *set.tenants[0].guard;
  REQUIRE(guard.classes.size() == 2);
  CHECK(guard.classes[0].name == "edi");
  CHECK(guard.classes[0].match == std::vector<std::string>{"/edi/**", "/orders.csv"});
  CHECK(guard.classes[0].limits->size() == 1);
  CHECK(guard.classes[0].cost == 2);
  CHECK(guard.classes[0].mode == GuardMode::shadow);
  CHECK(guard.classes[1].match.empty());
  CHECK(guard.access[0].classes == std::vector<std::string>{"edi", "export"});
  CHECK(guard.databases == std::vector<std::string>{"acme", "acme-*", "Acme_2.x"});
  CHECK(guard.workers == 8);
  CHECK(guard.quotas.at(0).count == 1'000'000);
  CHECK(guard.quotas.at(0).per == QuotaPeriod::month);
  CHECK(guard.pool == "shared-a");
  REQUIRE(set.guard_policy->pools.size() == 2);
  CHECK(set.guard_policy->pools[0].capacity.count == 200);
  CHECK(set.guard_policy->pools[1].capacity.per == std::chrono::minutes(1));

  const DocumentSet plain = taken("", "");
  CHECK(plain.tenants[0].guard->databases.empty());
  CHECK_FALSE(plain.tenants[0].guard->workers);
  CHECK(plain.tenants[0].guard->pool.empty());
}

TEST_CASE("bans: all by default, or what is said", "[policy][document][guard]") {
  const Bans defaults = taken("", "").guard_policy->bans;
  CHECK(defaults.failures == 10);
  CHECK(defaults.window == std::chrono::minutes(10));
  CHECK(defaults.first == std::chrono::minutes(1));
  CHECK(defaults.max == std::chrono::hours(1));
  const Bans said = taken("", "bans: {failures: 3, window: 1h, first: PT2H, max: P1D}").guard_policy->bans;
  CHECK(said.failures == 3);
  CHECK(said.window == std::chrono::hours(1));
  CHECK(said.first == std::chrono::hours(2));
  CHECK(said.max == std::chrono::hours(24));
  CHECK(taken("", "bans: {first: PT60M}").guard_policy->bans.first == std::chrono::hours(1));
  CHECK(taken("", "bans: {}").guard_policy->bans.failures == 10);
}

TEST_CASE("profiles and overrides", "[policy][document][guard]") {
  const DocumentSet set = taken("", R"(
  profiles:
    - name: month-end
      when: [{calendar: finance, period: close}]
      match: {tenants: [acme], tiers: [1, 2]}
      factor: 2
      classes: {report: {factor: 2}, export: {factor: 0.5}}
      deny: [db-admin, upload]
    - {name: maintenance, maintenance: {message: "Odoo is being upgraded.", allow: [vpn]}}
  overrides:
    - {profile: maintenance, tenants: [acme], from: 2026-11-25T08:00:00+01:00, expiresAt: 2026-11-25T10:00:00+01:00, reason: upgrade to 18}
    - {profile: month-end, active: false, expiresAt: 2026-11-25T10:00:00Z, reason: closed early})");
  const auto& profiles = set.guard_policy->profiles;
  REQUIRE(profiles.size() == 2);
  CHECK(profiles[0].name == "month-end");
  CHECK(profiles[0].when.at(0).calendar == "finance");
  CHECK(profiles[0].when.at(0).period == "close");
  CHECK(profiles[0].tenants == std::vector<std::string>{"acme"});
  CHECK(profiles[0].tiers == std::vector<int>{1, 2});
  CHECK(profiles[0].factor == 2);
  REQUIRE(profiles[0].classes.size() == 2);
  CHECK(profiles[0].classes[1].name == "export");
  CHECK(profiles[0].classes[1].factor == 0.5);
  CHECK(profiles[0].deny == std::vector<std::string>{"db-admin", "upload"});
  CHECK_FALSE(profiles[0].maintenance);
  CHECK(profiles[1].when.empty());
  CHECK(profiles[1].factor == 1);
  CHECK(profiles[1].maintenance->message == "Odoo is being upgraded.");
  CHECK(profiles[1].maintenance->allow == std::vector<std::string>{"vpn"});
  const auto& overrides = set.guard_policy->overrides;
  REQUIRE(overrides.size() == 2);
  CHECK(overrides[0].profile == "maintenance");
  CHECK(overrides[0].active);
  CHECK(overrides[0].tenants == std::vector<std::string>{"acme"});
  CHECK(overrides[0].from == parse_instant("2026-11-25T07:00:00Z"));
  CHECK(overrides[0].expires_at == *parse_instant("2026-11-25T09:00:00Z"));
  CHECK(overrides[0].reason == "upgrade to 18");
  CHECK_FALSE(overrides[1].active);
  CHECK_FALSE(overrides[1].from);
}

TEST_CASE("refusals of a class", "[policy][document][guard]") {
  const std::vector<Case> cases{
      {"{quotas: [{key: login, count: 0, per: week}]}",
       "spec.classes.login.quotas[0].key: found `login`, want address, session, api-key or tenant\n"
       "spec.classes.login.quotas[0].count: found `0` (an integer), want a count of requests from 1 to 1000000000000\n"
       "spec.classes.login.quotas[0].per: found `week`, want day or month"},
      {"{quotas: [{key: tenant, count: 1, per: day}, {key: tenant, count: 2, per: month}, {key: tenant, count: 2, per: day}]}",
       "spec.classes.login.quotas[2].key: found a quota of `tenant` a second time for the same time, want each once"},
      {"{quotas: {}}", "spec.classes.login.quotas: found a mapping, want a list of quotas, each with `key`, `count` and `per`"},
      {"{quotas: [{}]}",
       "spec.classes.login.quotas[0].key: found nothing, want address, session, api-key or tenant\n"
       "spec.classes.login.quotas[0].per: found nothing, want day or month\n"
       "spec.classes.login.quotas[0].count: found nothing, want a count of requests from 1 to 1000000000000"},
      {"{quota: []}",
       "spec.classes.login.quota: found the unknown field `quota`, want limits, cost, mode, onStoreLoss, quotas or concurrency (did you "
       "mean `quotas`?)"},
      {"{concurrency: [{key: login, max: 0, ttl: PT25H}]}",
       "spec.classes.login.concurrency[0].key: found `login`, want address, session, api-key or tenant\n"
       "spec.classes.login.concurrency[0].max: found `0` (an integer), want the requests at the same time, from 1 to 100000\n"
       "spec.classes.login.concurrency[0].ttl: found `PT25H`, want a duration such as PT15M or 2h, at most P1D"},
      {"{concurrency: [{key: tenant, max: 1}, {key: tenant, max: 2}]}",
       "spec.classes.login.concurrency[1].key: found the key `tenant` a second time, want each once"},
      {"{onStoreLoss: deny}", "spec.classes.login.onStoreLoss: found `deny`, want local, open or closed"},
      {"{limits: [" + repeated(9, "{key: login, rate: 1/s, burst: 1", "}") + "]}",
       "spec.classes.login.limits: found 9 limits, want at most 8"},
      {"{match: [/x]}",
       "spec.classes.login.match: found `match`, want it in a class of a tenant's own (Tenant.spec.guard.classes): the paths of the "
       "built-in classes are Odoo's"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told("", "classes: {login: " + c.text + "}") == c.told);
    }
  CHECK(told("", "classes: {edi: {match: [/edi]}}") ==
        "spec.classes.edi: found the own class `edi`, want it in the Tenant's `guard.classes`: here are the built-in ones only");
  CHECK(told("", "classes: {logn: {}}") ==
        "spec.classes.logn: found the unknown route class `logn`, want " + classes() + " (did you mean `login`?)");
}

TEST_CASE("refusals of a tenant's guard", "[policy][document][guard]") {
  const std::string limits = "limits: [{key: address, rate: 1/s, burst: 1}]";
  const std::string want_path = ", want an absolute path such as /edi/in, or one that ends in `/**` such as /edi/**";
  const auto path = [&](const std::string& text) {
    return Case{"classes: {edi: {match: [\"" + text + "\"], " + limits + "}}",
                "spec.guard.classes.edi.match[0]: found `" + text + "`" + want_path};
  };
  const std::vector<Case> cases{
      path("edi"),
      path("/"),
      path("/**"),
      path("/edi/"),
      path("/edi//in"),
      path("/edi/*"),
      path("/*/in"),
      path("/edi/**/in"),
      path("/edi**"),
      path("/edi?x"),
      path("/edi#x"),
      path("/%65di"),
      path("/./edi"),
      path("/edi/.."),
      path("/e di"),
      {"classes: {edi: {match: [], " + limits + "}}", "spec.guard.classes.edi.match: found an empty list, want a list of paths"},
      {"classes: {edi: {match: [/" + std::string(300, 'e') + "], " + limits + "}}",
       "spec.guard.classes.edi.match[0]: found `/" + std::string(119, 'e') + "...`" + want_path},
      {"classes: {edi: {match: [" + repeated(17, "/e", "") + "], " + limits + "}}",
       "spec.guard.classes.edi.match: found 17 paths, want at most 16"},
      {"classes: {a: {match: [/x/**], " + limits + "}, b: {match: [/y, /x/**], " + limits + "}}",
       "spec.guard.classes.b.match[1]: found the path `/x/**` a second time, want each once (the first is at t.yaml:4:152)"},
      {"classes: {edi: {match: [/edi]}}",
       "spec.guard.classes.edi.limits: found nothing, want a list of limits, each with `key`, `rate` and `burst`"},
      {"classes: {Edi: {match: [/edi], " + limits + "}}",
       "spec.guard.classes.Edi: found the own class `Edi`, want a name that is a DNS label"},
      {"classes: {login: {match: [/web/login]}}",
       "spec.guard.classes.login.match: found `match` in the built-in class `login`, whose paths are Odoo's; want a name of its own for a "
       "class with `match`"},
      {"classes: {edi: {" + limits + "}}",
       "spec.guard.classes.edi: found the unknown route class `edi`, want " + classes() + ", or `match` for a class of its own"},
      {"classes: {logn: {}}", "spec.guard.classes.logn: found the unknown route class `logn`, want " + classes() +
                                  ", or `match` for a class of its own (did you mean `login`?)"},
      {"classes: {edi: {match: [/edi], " + limits + "}}, access: [{classes: [edj], default: deny}]",
       "spec.guard.access[0].classes[0]: found `edj`, want " + classes().replace(classes().rfind(" or "), 4, ", ") +
           " or edi (did you mean `edi`?)"},
      {"databases: [\"*\", \"a*b\", -a, \"a b\", \"\"]",
       "spec.guard.databases[0]: found `*`, want a database's name, with at most one `*` at its end and something before it\n"
       "spec.guard.databases[1]: found `a*b`, want a database's name, with at most one `*` at its end and something before it\n"
       "spec.guard.databases[2]: found `-a`, want a database's name, with at most one `*` at its end and something before it\n"
       "spec.guard.databases[3]: found `a b`, want a database's name, with at most one `*` at its end and something before it\n"
       "spec.guard.databases[4]: found an empty text, want a database's name, with at most one `*` at its end and something before it"},
      {"databases: []", "spec.guard.databases: found an empty list, want a list of databases, or nothing at all for any"},
      {"databases: [" + repeated(65, "d", "") + "]", "spec.guard.databases: found 65 databases, want at most 64"},
      {"workers: 0", "spec.guard.workers: found `0` (an integer), want the worker processes of its Odoo, from 1 to 1024"},
      {"quotas: [{key: tenant, count: -1, per: day}]",
       "spec.guard.quotas[0].count: found `-1` (an integer), want a count of requests from 1 to 1000000000000"},
      {"pool: shared-b", "spec.guard.pool: found `shared-b`, want a pool of the GuardPolicy (did you mean `shared-a`?)"},
      {"profiles: []",
       "spec.guard.profiles: found the unknown field `profiles`, want plan, lists, access, classes, mode, databases, workers, quotas or "
       "pool"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told(c.text, "pools: [{name: shared-a, capacity: 1/s}]") == c.told);
    }
  std::string many;
  for (int i = 0; i < 33; ++i) many += "e" + std::to_string(i) + ": {match: [/e" + std::to_string(i) + "], " + limits + "}, ";
  CHECK(told("classes: {" + many + "}", "") == "spec.guard.classes: found 33 own classes, want at most 32");
}

TEST_CASE("refusals of bans and pools", "[policy][document][guard]") {
  const std::vector<Case> cases{
      {"bans: {failures: 0, window: P2D, first: 0s, max: P31D}",
       "spec.bans.failures: found `0` (an integer), want the failed logins that ban, from 1 to 10000\n"
       "spec.bans.window: found `P2D`, want a duration such as PT15M or 2h, at most P1D\n"
       "spec.bans.first: found `0s`, want a duration such as PT15M or 2h, at most P30D\n"
       "spec.bans.max: found `P31D`, want a duration such as PT15M or 2h, at most P30D"},
      {"bans: {first: PT2H}", "spec.bans.first: found a first ban of PT2H and a longest of PT1H, want `first` at most `max`"},
      {"bans: {max: PT30S}", "spec.bans.max: found a first ban of PT1M and a longest of PT30S, want `first` at most `max`"},
      {"bans: []", "spec.bans: found an empty list, want a mapping with failures, window, first or max"},
      {"pools: [{name: a, capacity: 1/s}, {name: a, capacity: 1/s}]",
       "spec.pools[1].name: found the pool `a` a second time, want each name once (the first is at p.yaml:4:126)"},
      {"pools: [{name: A, capacity: 1, fairness: equal}]",
       "spec.pools[0].name: found `A`, want the pool's name, a DNS label\n"
       "spec.pools[0].capacity: found `1` (an integer), want a rate such as 30/min; the units are s, min, h and day; quote it to make it "
       "text\n"
       "spec.pools[0].fairness: found `equal`, want weighted"},
      {"pools: [{}]",
       "spec.pools[0].name: found nothing, want the pool's name, a DNS label\n"
       "spec.pools[0].capacity: found nothing, want a rate such as 30/min; the units are s, min, h and day"},
      {"pools: [" + repeated(33, "{name: p", ", capacity: 1/s}") + "]", "spec.pools: found 33 pools, want at most 32"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told("", c.text) == c.told);
    }
}

TEST_CASE("refusals of profiles", "[policy][document][guard]") {
  const std::vector<Case> cases{
      {"{}", "spec.profiles[0].name: found nothing, want the profile's name, a DNS label"},
      {"{name: a}, {name: a}",
       "spec.profiles[1].name: found the profile `a` a second time, want each name once (the first is at p.yaml:4:129)"},
      {"{name: a, when: []}", "spec.profiles[0].when: found an empty list, want a list of periods, each with `calendar` and `period`"},
      {"{name: a, when: [{calendar: finanze, period: close}, {calendar: finance, period: clsoe}, {calendar: x}]}",
       "spec.profiles[0].when[0].calendar: found `finanze`, want a Calendar's name (did you mean `finance`?)\n"
       "spec.profiles[0].when[1].period: found `clsoe`, want a period of the Calendar `finance` (did you mean `close`?)\n"
       "spec.profiles[0].when[2].period: found nothing, want a period of the Calendar"},
      {"{name: a, when: [{period: close}]}", "spec.profiles[0].when[0].calendar: found nothing, want a Calendar's name"},
      {"{name: a, match: {tenants: [acne], tiers: [4]}}",
       "spec.profiles[0].match.tenants[0]: found `acne`, want a tenant's name (did you mean `acme`?)\n"
       "spec.profiles[0].match.tiers[0]: found `4` (an integer), want a tier from 1 to 3"},
      {"{name: a, match: {tenants: [], tiers: []}}",
       "spec.profiles[0].match.tenants: found an empty list, want a list of tenants, or nothing at all for every one\n"
       "spec.profiles[0].match.tiers: found an empty list, want a list of tiers, or nothing at all for every one"},
      {"{name: a, factor: 0}", "spec.profiles[0].factor: found `0` (an integer), want a factor above 0, at most 1000"},
      {"{name: a, classes: {edi: {factor: 1}, login: {}}, deny: [edi]}",
       "spec.profiles[0].classes.edi: found the unknown route class `edi`, want " + classes() +
           "\n"
           "spec.profiles[0].classes.login.factor: found nothing, want a factor above 0, at most 1000\n"
           "spec.profiles[0].deny[0]: found `edi`, want " +
           classes()},
      {"{name: a, maintenance: {message: \" \", allow: [vpm]}}",
       "spec.profiles[0].maintenance.message: found a blank text, want what users are told\n"
       "spec.profiles[0].maintenance.allow[0]: found `vpm`, want a list of the GuardPolicy (did you mean `vpn`?)"},
      {"{name: a, maintenance: {message: " + std::string(513, 'x') + "}}",
       "spec.profiles[0].maintenance.message: found more than 512 bytes, want what users are told"},
      {repeated(33, "{name: p", "}"), "spec.profiles: found 33 profiles, want at most 32"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told("", "profiles: [" + c.text + "]") == c.told);
    }
}

TEST_CASE("refusals of overrides", "[policy][document][guard]") {
  const std::string end = "expiresAt: 2026-11-25T10:00:00+01:00", why = "reason: upgrade";
  const std::vector<Case> cases{
      {"{profile: a, " + why + "}",
       "spec.overrides[0].expiresAt: found nothing, want the instant at which this override ends, such as 2026-11-20T00:00:00+01:00: none "
       "is for ever"},
      {"{profile: a, expiresAt: never, " + why + "}",
       "spec.overrides[0].expiresAt: found `never`, want an instant with its offset such as 2026-11-20T00:00:00+01:00"},
      {"{profile: a, " + end + "}", "spec.overrides[0].reason: found nothing, want the reason for this override"},
      {"{profile: b, " + end + ", " + why + "}",
       "spec.overrides[0].profile: found `b`, want a profile of the GuardPolicy (did you mean `a`?)"},
      {"{" + end + ", " + why + "}", "spec.overrides[0].profile: found nothing, want a profile of this GuardPolicy"},
      {"{profile: a, active: maybe, tenants: [acne], " + end + ", " + why + "}",
       "spec.overrides[0].active: found `maybe`, want true or false\n"
       "spec.overrides[0].tenants[0]: found `acne`, want a tenant's name (did you mean `acme`?)"},
      {"{profile: a, from: 2026-11-25T09:00:00Z, " + end + ", " + why + "}",
       "spec.overrides[0].expiresAt: found `2026-11-25T10:00:00+01:00`, want an instant after `from`"},
      {repeated(65, "{profile: a, " + end + ", reason: r", "}"), "spec.overrides: found 65 overrides, want at most 64"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told("", "profiles: [{name: a}], overrides: [" + c.text + "]") == c.told);
    }
}
