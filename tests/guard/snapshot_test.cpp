#include "guard/snapshot.hpp"

#include <chrono>

#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using policy::LimitKey;
using testing::address;
using testing::limit;

namespace {

bool admits(const GuardTenant& tenant, RouteClass route_class, std::string_view client) {
  const auto& rules = (*tenant.access)[index_of(route_class)];
  return std::all_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule->admits(address(client)); });
}

bool admits(const policy::DocumentSet& set, std::string_view tenant, RouteClass route_class, std::string_view client) {
  const auto snapshot = GuardSnapshot::compile(set);
  REQUIRE(snapshot->tenant_named(tenant) != nullptr);
  return admits(*snapshot->tenant_named(tenant), route_class, client);
}

}  // namespace

TEST_CASE("snapshot: tenants by host and by name", "[guard][snapshot]") {
  const auto snapshot = GuardSnapshot::compile(testing::documents());
  const auto name_of = [&](std::string_view host) {
    const GuardTenant* tenant = snapshot->tenant_of_host(host);
    return tenant != nullptr ? tenant->name : "";
  };
  CHECK(name_of("erp.acme.example") == "acme");
  CHECK(name_of("erp.globex.example") == "globex");
  CHECK(name_of("one.clients.acme.example") == "acme");
  CHECK(name_of("clients.acme.example") == "");        // the wildcard is one label, not none
  CHECK(name_of("a.one.clients.acme.example") == "");  // and not two
  CHECK(name_of("acme.example") == "");
  CHECK(name_of("example") == "");
  CHECK(name_of("erp.acme.example.evil.example") == "");
  CHECK(snapshot->tenant_named("globex")->name == "globex");
  CHECK(snapshot->tenant_named("erp.acme.example") == nullptr);
  CHECK(snapshot->unknown_tenant() == nullptr);
  CHECK(snapshot->is_trusted_proxy(address("10.42.255.1")));
  CHECK_FALSE(snapshot->is_trusted_proxy(address("10.43.0.1")));
  auto open = testing::documents();
  open.guard_policy->unknown_host_allow = true;
  CHECK(GuardSnapshot::compile(open)->unknown_tenant() != nullptr);
}

TEST_CASE("snapshot: without a GuardPolicy nobody is trusted", "[guard][snapshot]") {
  auto set = testing::documents();
  set.guard_policy.reset();
  const auto snapshot = GuardSnapshot::compile(set);
  CHECK_FALSE(snapshot->is_trusted_proxy(address("127.0.0.1")));
}

TEST_CASE("snapshot: access, the platform's before the tenant's", "[guard][snapshot]") {
  auto set = testing::documents();
  auto& platform = *set.guard_policy;
  platform.lists.push_back(testing::list("blocked", {"203.0.113.0/24"}));
  auto& acme = *set.tenants[0].guard;
  acme.lists = {testing::list("offices", {"198.51.100.0/24", "2001:db8:77::/48"})};

  SECTION("nothing said: all may") { CHECK(admits(set, "acme", RouteClass::other, "203.0.113.9")); }
  SECTION("off unless opened") {
    for (const RouteClass off : {RouteClass::db_admin, RouteClass::rpc_legacy}) {
      CHECK_FALSE(admits(set, "acme", off, "198.51.100.7"));
      CHECK_FALSE(admits(set, "globex", off, "198.51.100.7"));
    }
    CHECK_FALSE(admits(set, "globex", RouteClass::dev, "198.51.100.7"));  // tier 1
    CHECK(admits(set, "acme", RouteClass::dev, "198.51.100.7"));          // tier 2
  }
  SECTION("opened to a list") {
    platform.access = {testing::entry({.classes = {"db-admin"}, .allow = {"hoster-vpn"}, .deny = {}})};
    CHECK(admits(set, "acme", RouteClass::db_admin, "192.0.2.241"));
    CHECK_FALSE(admits(set, "acme", RouteClass::db_admin, "192.0.2.239"));
    CHECK_FALSE(admits(set, "acme", RouteClass::db_admin, "2001:db8:77::1"));
  }
  SECTION("opened to all by the tenant") {
    acme.access = {testing::entry({.classes = {"rpc-legacy"}, .allow = {}, .deny = {}, .default_allow = true})};
    CHECK(admits(set, "acme", RouteClass::rpc_legacy, "203.0.113.9"));
    CHECK_FALSE(admits(set, "globex", RouteClass::rpc_legacy, "203.0.113.9"));
  }
  SECTION("a tenant cannot widen what the platform closed") {
    platform.access = {testing::entry({.classes = {"db-admin"}, .allow = {"hoster-vpn"}, .deny = {}})};
    acme.access = {testing::entry({.classes = {"db-admin"}, .allow = {"offices"}, .deny = {}, .default_allow = true})};
    CHECK_FALSE(admits(set, "acme", RouteClass::db_admin, "198.51.100.7"));
    CHECK(admits(set, "acme", RouteClass::db_admin, "192.0.2.241"));
  }
  SECTION("every entry that names the class must pass") {
    acme.access = {testing::entry({.classes = {"export", "rpc-web"}, .allow = {"offices"}, .deny = {}}),
                   testing::entry({.classes = {"export"}, .allow = {}, .deny = {"blocked"}, .default_allow = true})};
    CHECK(admits(set, "acme", RouteClass::exports, "198.51.100.7"));
    CHECK(admits(set, "acme", RouteClass::rpc_web, "2001:db8:77::1"));
    CHECK_FALSE(admits(set, "acme", RouteClass::exports, "203.0.113.9"));
    CHECK_FALSE(admits(set, "acme", RouteClass::rpc_web, "192.0.2.1"));
    CHECK(admits(set, "acme", RouteClass::shop, "203.0.113.9"));
  }
  SECTION("the longest prefix wins, refusing wins a tie (B21)") {
    acme.lists = {testing::list("wide", {"203.0.113.0/24"}), testing::list("hole", {"203.0.113.64/26"}),
                  testing::list("tie", {"203.0.113.0/24"})};
    acme.access = {testing::entry({.classes = {"shop"}, .allow = {"wide"}, .deny = {"hole"}}),
                   testing::entry({.classes = {"public"}, .allow = {"wide"}, .deny = {"tie"}, .default_allow = true})};
    CHECK(admits(set, "acme", RouteClass::shop, "203.0.113.1"));
    CHECK_FALSE(admits(set, "acme", RouteClass::shop, "203.0.113.65"));
    CHECK_FALSE(admits(set, "acme", RouteClass::open_pages, "203.0.113.1"));
  }
  SECTION("a tenant's list hides the platform's of the same name") {
    acme.lists = {testing::list("hoster-vpn", {"198.51.100.0/24"})};
    acme.access = {testing::entry({.classes = {"export"}, .allow = {"hoster-vpn"}, .deny = {}})};
    CHECK(admits(set, "acme", RouteClass::exports, "198.51.100.7"));
    CHECK_FALSE(admits(set, "acme", RouteClass::exports, "192.0.2.241"));
  }
}

TEST_CASE("snapshot: an override replaces the whole list of limits and nothing else", "[guard][snapshot]") {
  auto set = testing::documents();
  set.guard_policy->classes = {testing::limits_of("login", {limit(LimitKey::address, 30, std::chrono::seconds(60), 30)})};
  policy::ClassOverride cost;
  cost.name = "login";
  cost.cost = 7;
  set.tenants[0].guard->classes = {cost};
  const auto snapshot = GuardSnapshot::compile(set);
  const auto& acme = *(*snapshot->tenant_named("acme")->classes)[index_of(RouteClass::login)];
  const auto& globex = *(*snapshot->tenant_named("globex")->classes)[index_of(RouteClass::login)];
  CHECK(acme.limits.size() == 1);
  CHECK(acme.limits[0].limit.burst == 30);
  CHECK(acme.cost == 7);
  CHECK(globex.limits.size() == 1);
  CHECK(globex.cost == 5);
  CHECK((*snapshot->tenant_named("globex")->classes)[index_of(RouteClass::exports)]->limits.size() == 2);
}

TEST_CASE("snapshot: the more particular mode decides", "[guard][snapshot]") {
  using policy::GuardMode;
  const auto mode = [](std::optional<GuardMode> all, std::optional<GuardMode> platform_class, std::optional<GuardMode> tenant,
                       std::optional<GuardMode> tenant_class) {
    auto set = testing::documents();
    if (all) set.guard_policy->mode = *all;
    policy::ClassOverride change;
    change.name = "export";
    change.mode = platform_class;
    set.guard_policy->classes = {change};
    set.tenants[0].guard->mode = tenant;
    change.mode = tenant_class;
    set.tenants[0].guard->classes = {change};
    return (*GuardSnapshot::compile(set)->tenant_named("acme")->modes)[index_of(RouteClass::exports)];
  };
  const auto enforce = GuardMode::enforce, shadow = GuardMode::shadow;
  CHECK(mode({}, {}, {}, {}) == enforce);
  CHECK(mode(shadow, {}, {}, {}) == shadow);
  CHECK(mode(enforce, shadow, {}, {}) == shadow);
  CHECK(mode(enforce, shadow, enforce, {}) == enforce);
  CHECK(mode(enforce, enforce, shadow, {}) == shadow);
  CHECK(mode(enforce, enforce, shadow, enforce) == enforce);
}

TEST_CASE("snapshot: offices are wider", "[guard][snapshot]") {
  auto set = testing::documents();
  set.guard_policy->lists = {testing::list("vpn", {"192.0.2.240/28"}, 5), testing::list("plain", {"198.51.100.0/24"})};
  set.tenants[0].guard->lists = {testing::list("offices", {"198.51.100.0/24"}, 10), testing::list("desk", {"198.51.100.8/32"}, 2),
                                 testing::list("again", {"198.51.100.0/24"}, 20)};
  const auto snapshot = GuardSnapshot::compile(set);
  const auto& acme = *snapshot->tenant_named("acme");
  const auto& globex = *snapshot->tenant_named("globex");
  CHECK(snapshot->widening(acme, address("198.51.100.7")) == 10);  // of equal networks the smaller factor
  CHECK(snapshot->widening(acme, address("198.51.100.8")) == 2);
  CHECK(snapshot->widening(acme, address("192.0.2.241")) == 5);
  CHECK(snapshot->widening(acme, address("203.0.113.1")) == 1);
  CHECK(snapshot->widening(globex, address("198.51.100.7")) == 1);
}

TEST_CASE("snapshot: ten thousand tenants share what they do not say themselves", "[guard][snapshot]") {
  auto set = testing::documents();
  set.tenants.clear();
  for (int i = 0; i < 10'000; ++i) {
    set.tenants.push_back(testing::tenant("t" + std::to_string(i), {"erp" + std::to_string(i) + ".example"}, 1 + i % 3));
    set.tenants.back().guard.emplace().plan = "gold";
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto snapshot = GuardSnapshot::compile(set);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  INFO("10000 tenants: " << took.count() << " s");
  CHECK(took.count() < 2.0);
  const auto &one = *snapshot->tenant_named("t0"), &other = *snapshot->tenant_named("t9999");
  CHECK(one.classes == other.classes);
  CHECK(one.modes == other.modes);
  CHECK(one.access == snapshot->tenant_named("t3")->access);  // of the same tier
}
