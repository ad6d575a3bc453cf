// Documents that are taken: what each field becomes, the defaults, and how long a large set needs.
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

#include "policy/document/formats.hpp"
#include "policy/document/load.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

DocumentSet taken(const std::vector<DocumentFile>& files, bool needs_guard_policy = false) {
  auto set = load_documents(files, needs_guard_policy);
  if (!set) {
    std::string told;
    for (const Error& error : set.error()) told += error.message() + "\n";
    FAIL(told);
  }
  return *std::move(set);
}

std::string read(const std::string& path) {
  std::ifstream in(PORTCULLIS_SOURCE_DIR "/" + path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string policy_document(const std::string& spec) {
  return "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: p}\nspec: {environments: [staging, production]}\n---\n"
         "apiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tier: 2, timeZone: UTC, namespaces: [{pattern: "
         "acme-*, environment: staging, tenancy: dedicated}]}\n---\n"
         "apiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: x}\nspec: " +
         spec + "\n";
}

}  // namespace

TEST_CASE("the examples of docs/documents.md are one set that is taken", "[policy][document]") {
  const std::string page = read("docs/documents.md"), fence = "```yaml\n";
  std::vector<DocumentFile> files{
      {"platform.yaml", "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: p}\nspec: {environments: [production]}\n"}};
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const std::size_t begin = at + fence.size();
    files.push_back({"example-" + std::to_string(files.size()) + ".yaml", page.substr(begin, page.find("```", begin) - begin)});
  }
  const DocumentSet set = taken(files, true);
  CHECK(set.policies.size() == 1);
  CHECK(set.tenants.size() == 1);
  REQUIRE(set.calendars.size() == 1);
  CHECK(set.calendars[0].periods.size() == 4);
  CHECK(set.guard_policy->profiles.size() == 2);
}

TEST_CASE("three tenants of three tiers", "[policy][document]") {
  const DocumentSet set = taken({{"three-tenants.yaml", read("tests/data/documents/three-tenants.yaml")}}, true);
  CHECK(set.platform.name == "hoster");
  CHECK(set.platform.system_namespaces.size() == 4);
  CHECK(set.platform.environments == std::vector<std::string>{"sandbox", "staging", "production"});
  CHECK(set.platform.unknown_namespace == FailureMode::deny);
  CHECK(set.platform.exception_duration_max == std::chrono::hours(24 * 90));

  REQUIRE(set.tenants.size() == 3);  // by name
  const Tenant& lotus = set.tenants[0];
  CHECK(lotus.name == "lotus-stores");
  CHECK(lotus.tier == 3);
  CHECK(lotus.time_zone == "Asia/Kolkata");
  REQUIRE(lotus.namespaces.size() == 2);
  CHECK(lotus.namespaces[1].pattern);
  CHECK(lotus.namespaces[1].name == "lotus-cutover-");
  const Tenant& meridian = set.tenants[1];
  CHECK(meridian.place.text() == "three-tenants.yaml:11:1");
  CHECK(meridian.hosts.size() == 3);
  CHECK(meridian.owner == "erp-platform@meridian.example");
  CHECK(meridian.alerts == "#meridian-oncall");
  CHECK(meridian.namespaces[1].tier == 2);
  CHECK(meridian.namespaces[1].tenancy == Tenancy::multi_tenant);
  CHECK(meridian.budget.at("limits.memory") == *Quantity::parse("200Gi"));
  REQUIRE(meridian.guard);
  CHECK(meridian.guard->plan == "gold");
  REQUIRE(meridian.guard->lists.size() == 1);
  CHECK(meridian.guard->lists[0].factor == 10);
  REQUIRE(meridian.guard->lists[0].networks.size() == 2);
  CHECK(meridian.guard->lists[0].networks[0].prefix == 96 + 24);  // IPv4 as ::ffff:a.b.c.d
  CHECK(meridian.guard->lists[0].networks[0].address ==
        std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 198, 51, 100, 0});
  CHECK(meridian.guard->lists[0].networks[1].prefix == 48);
  REQUIRE(meridian.guard->access.size() == 1);
  CHECK(meridian.guard->access[0].classes == std::vector<std::string>{"rpc-web", "export"});
  CHECK(meridian.guard->access[0].allow == std::vector<std::string>{"offices", "hoster-vpn"});
  CHECK_FALSE(meridian.guard->access[0].default_allow);

  REQUIRE(set.exceptions.size() == 1);
  const PolicyException& printer = set.exceptions[0];
  CHECK(printer.rules == std::vector<std::string>{"replica-floor", "anti-affinity"});
  CHECK(printer.objects[0].kind == "Deployment");
  CHECK_FALSE(printer.objects[0].prefix);
  CHECK(printer.valid_from == *parse_instant("2026-11-19T23:00:00Z"));
  CHECK(printer.expires_at == *parse_instant("2027-01-31T22:59:59Z"));

  REQUIRE(set.guard_policy);
  CHECK(set.guard_policy->trusted_proxies.networks.size() == 2);
  CHECK(set.guard_policy->trusted_proxies.hops == 1);
  REQUIRE(set.guard_policy->plans.size() == 3);
  CHECK(set.guard_policy->plans[0].tenant->burst == 4000);
  CHECK(set.guard_policy->plans[0].tenant->rate.count == 200);
  CHECK(set.guard_policy->mode == GuardMode::enforce);
}

TEST_CASE("a policy: defaults and every part of match", "[policy][document]") {
  const DocumentSet plain = taken({{"p.yaml", policy_document("{rules: [{id: image-digest}]}")}});
  REQUIRE(plain.policies.size() == 1);
  const Policy& defaults = plain.policies[0];
  CHECK(defaults.mode == Mode::enforce);
  CHECK(defaults.failure_mode == FailureMode::deny);
  CHECK_FALSE(defaults.match.selector);
  CHECK_FALSE(defaults.rules[0].inject);
  CHECK_FALSE(defaults.rules[0].mode);

  const DocumentSet full = taken({{"p.yaml", policy_document(R"(
  match:
    tiers: [1, 2]
    environments: [staging]
    tenancies: [dedicated, multi-tenant]
    tenants: [acme]
    namespaces: [acme-7]
    kinds: [Deployment, Rollout.argoproj.io]
    operations: [CREATE, DELETE]
    groups: ["system:authenticated"]
    selector: {matchLabels: {app: web, empty: ""}, matchExpressions: [{key: tier, operator: NotIn, values: [a]}, {key: x, operator: Exists}]}
  mode: warn
  failureMode: allow
  rules:
    - {id: container-bounds, inject: true, mode: enforce, failureMode: warn, with: {defaults: {limits.memory: 1Gi}}})")}});
  const Policy& policy = full.policies[0];
  CHECK(policy.match.tiers == std::vector<int>{1, 2});
  CHECK(policy.match.tenancies == std::vector<Tenancy>{Tenancy::dedicated, Tenancy::multi_tenant});
  CHECK(policy.match.kinds[0].any_group);
  CHECK(policy.match.kinds[1].matches("Rollout", "argoproj.io"));
  CHECK_FALSE(policy.match.kinds[1].matches("Rollout", "apps"));
  CHECK(policy.match.operations == std::vector<Operation>{Operation::create, Operation::remove});
  REQUIRE(policy.match.selector);
  REQUIRE(policy.match.selector->requirements.size() == 4);
  CHECK(policy.match.selector->requirements[2].op == LabelSelector::Operator::not_in);
  CHECK(policy.mode == Mode::warn);
  CHECK(policy.rules[0].mode == Mode::enforce);
  CHECK(policy.rules[0].failure_mode == FailureMode::warn);
  CHECK(policy.rules[0].inject);
  CHECK(policy.rules[0].with.quantities("defaults").size() == 1);
}

TEST_CASE("durations, instants, rates, names", "[policy][document]") {
  using std::chrono::seconds;
  const std::pair<const char*, std::optional<seconds>> durations[] = {{"PT15M", seconds(900)},
                                                                      {"P3D", seconds(259'200)},
                                                                      {"P2W", seconds(1'209'600)},
                                                                      {"P1DT1H", seconds(90'000)},
                                                                      {"15m", seconds(900)},
                                                                      {"72h", seconds(259'200)},
                                                                      {"1h30m", seconds(5'400)},
                                                                      {"90d", seconds(7'776'000)},
                                                                      {"P1M", {}},
                                                                      {"P1Y", {}},
                                                                      {"P", {}},
                                                                      {"PT", {}},
                                                                      {"", {}},
                                                                      {"0s", {}},
                                                                      {"-5m", {}},
                                                                      {"5", {}},
                                                                      {"5 m", {}},
                                                                      {"30m1h", {}},
                                                                      {"999999999d", {}},
                                                                      {"1.5h", {}}};
  for (const auto& [text, wanted] : durations) DYNAMIC_SECTION("duration " << text) {
      CHECK(parse_duration(text) == wanted);
    }
  for (const char* text : {"P90D", "PT1H30M", "P1DT1S"}) CHECK(duration_text(*parse_duration(text)) == text);

  const Instant epoch{};
  CHECK(parse_instant("1970-01-01T00:00:00Z") == epoch);
  CHECK(parse_instant("1970-01-01T01:30:00+01:30") == epoch);
  CHECK(parse_instant("1969-12-31T23:00:00-01:00") == std::nullopt);  // 1970 and later
  CHECK(parse_instant("1970-01-01T00:00:00.999Z") == epoch);
  CHECK(parse_instant("2024-02-29T00:00:00Z"));
  for (const char* text : {"2026-11-20T00:00:00", "2026-11-20 00:00:00Z", "2026-11-20", "2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z",
                           "2026-11-20T23:59:60Z", "2026-11-20T00:00:00+1:00", "2026-11-20T00:00:00Z ", "2026-11-20T00:00:00.Z"})
    DYNAMIC_SECTION("instant " << text) { CHECK_FALSE(parse_instant(text)); }

  CHECK(parse_rate("30/min")->per == std::chrono::minutes(1));
  CHECK(parse_rate("0.5/s")->count == 0.5);
  CHECK(parse_rate("10/day")->per == std::chrono::hours(24));
  for (const char* text : {"30", "30/m", "/s", "-1/s", "0/s", "1e3/s", "nan/s", "inf/s", "0x1/s", "30 /s", "1/2/s"})
    DYNAMIC_SECTION("rate " << text) { CHECK_FALSE(parse_rate(text)); }

  CHECK(is_host("*.a.example"));
  CHECK_FALSE(is_host("a..b"));
  CHECK_FALSE(is_dns_label("-a"));
  CHECK_FALSE(is_dns_label(std::string(64, 'a')));
  CHECK(is_zone("Europe/Zurich"));
  CHECK_FALSE(is_zone("Europe/Zurch"));
  CHECK_FALSE(is_zone("../../etc/passwd"));

  CHECK(parse_network("::/0")->prefix == 0);
  CHECK(parse_network("0.0.0.0/0")->prefix == 96);
  CHECK(parse_network("::ffff:10.0.0.0/104")->prefix == 104);
  CHECK(parse_network("0::/0").error().what == "found `0::/0`, which holds every IPv4 address; write 0.0.0.0/0 or ::/0 if that is meant");
  CHECK(parse_network("::/64").error().what == "found `::/64`, which holds every IPv4 address; write 0.0.0.0/0 or ::/0 if that is meant");
  CHECK(parse_network("2001:db8::1/32").error().what == "found `2001:db8::1/32` with address bits beyond its length, want 2001:db8::/32");
}

TEST_CASE("ten thousand tenants and a thousand policies load while one waits", "[policy][document]") {
  std::vector<DocumentFile> files{{"platform.yaml",
                                   "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: p}\nspec: {environments: [staging, "
                                   "production]}\n---\napiVersion: portcullis.dev/v1\nkind: GuardPolicy\nmetadata: {name: g}\nspec: "
                                   "{trustedProxies: {cidrs: [10.0.0.0/8]}, plans: {gold: {factor: 2}}}\n"}};
  DocumentFile* file = nullptr;
  for (int i = 0; i < 10'000; ++i) {
    if (i % 1'000 == 0) file = &files.emplace_back(DocumentFile{"tenants-" + std::to_string(i / 1'000) + ".yaml", ""});
    const std::string name = "t" + std::to_string(i);
    file->bytes += "apiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: " + name +
                   "}\nspec:\n  tier: 1\n  timeZone: Europe/Zurich\n" + "  namespaces:\n    - {name: " + name +
                   "-prod, environment: production, tenancy: dedicated}\n" + "    - {pattern: \"" + name +
                   "-x-*\", environment: staging, tenancy: multi-tenant}\n" + "  hosts: [" + name + ".example, \"*." + name +
                   ".example\"]\n  budget: {requests.cpu: \"40\", limits.memory: 160Gi}\n  guard: {plan: gold}\n---\n";
  }
  file = &files.emplace_back(DocumentFile{"policies.yaml", ""});
  for (int i = 0; i < 1'000; ++i)
    file->bytes += "apiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: p" + std::to_string(i) + "}\nspec: {match: {tenants: [t" +
                   std::to_string(i) + "]}, rules: [{id: replica-floor, with: {min: 2}}, {id: image-digest}]}\n---\n";
  const auto began = std::chrono::steady_clock::now();
  const DocumentSet set = taken(files);
  const auto took = std::chrono::steady_clock::now() - began;
  CHECK(set.tenants.size() == 10'000);
  CHECK(set.policies.size() == 1'000);
  INFO(std::chrono::duration<double>(took).count() << " s");
  CHECK(took < std::chrono::seconds(30));  // 1 s in a release build; sanitizers and neighbours take the rest
}
