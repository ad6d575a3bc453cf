#include "guard/decide.hpp"

#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using policy::LimitKey;
using testing::address;
using testing::limit;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t second = 1'000'000'000, start = 1'000 * second;

// One guard's pure part, with a hand on the clock.
struct World {
  explicit World(const policy::DocumentSet& set) : moment(testing::moment_of(set)) {}
  Outcome ask(std::string_view tenant, RouteClass route_class, std::string_view client, std::vector<std::uint64_t> sessions = {},
              std::optional<std::uint64_t> api_key = {}) {
    GuardSubject subject = subject_of(tenant, route_class, client);
    subject.api_key = api_key;
    for (const std::uint64_t session : sessions) subject.sessions.keys[subject.sessions.count++] = session;
    return decide(subject);
  }
  GuardSubject subject_of(std::string_view tenant, RouteClass route_class, std::string_view client) const {
    return {.tenant = *moment->documents().tenant_named(tenant),
            .route_class = route_class,
            .client = address(client),
            .sessions = {},
            .api_key = {},
            .known_session = {},
            .logins = {},
            .ban = {}};
  }
  Outcome decide(const GuardSubject& subject) {
    return guard::decide(*moment, {.limiter = limiter, .seed = seed, .leases = leases}, subject, now, scratch);
  }
  // How many pass before one does not.
  int passes(std::string_view tenant, RouteClass route_class, std::string_view client, std::vector<std::uint64_t> sessions = {}) {
    for (int count = 0; count < 100'000; ++count) {
      if (ask(tenant, route_class, client, sessions).verdict != Verdict::pass) return count;
    }
    return -1;
  }
  std::shared_ptr<const Moment> moment;
  Leases* leases = nullptr;
  Limiter limiter{1024 * 1024};
  SipKey seed = SipKey::random();
  DecideScratch scratch;
  std::int64_t now = start;
};

}  // namespace

TEST_CASE("decide: the class's own limit, then the wait", "[guard][decide]") {
  World world(testing::documents());
  CHECK(world.passes("globex", RouteClass::login, "198.51.100.7") == 10);
  const Outcome outcome = world.ask("globex", RouteClass::login, "198.51.100.7");
  CHECK(outcome.verdict == Verdict::slow);
  CHECK(reason_name(outcome.reason) == "limit-address");
  CHECK(outcome.limit.wait == 6 * second);
  CHECK(world.ask("globex", RouteClass::login, "198.51.100.8").verdict == Verdict::pass);
  CHECK(world.ask("acme", RouteClass::login, "198.51.100.7").verdict == Verdict::pass);         // counts are a tenant's own
  CHECK(world.ask("globex", RouteClass::login_page, "198.51.100.7").verdict == Verdict::pass);  // and a class's
  world.now += 6 * second;
  CHECK(world.passes("globex", RouteClass::login, "198.51.100.7") == 1);
}

TEST_CASE("decide: an IPv6 client is its /64 (B22)", "[guard][decide]") {
  World world(testing::documents());
  for (int i = 0; i < 10; ++i) {
    CHECK(world.ask("globex", RouteClass::login, "2001:db8:1:1::" + std::to_string(i + 1)).verdict == Verdict::pass);
  }
  CHECK(world.ask("globex", RouteClass::login, "2001:db8:1:1:ffff::1").verdict == Verdict::slow);
  CHECK(world.ask("globex", RouteClass::login, "2001:db8:1:2::1").verdict == Verdict::pass);
}

TEST_CASE("decide: an invented session frees nothing (B13), two are both charged (B10)", "[guard][decide]") {
  World world(testing::documents());
  // export: 6 a minute a session, 60 an address.
  CHECK(world.passes("globex", RouteClass::exports, "198.51.100.7", {1}) == 6);
  CHECK(world.ask("globex", RouteClass::exports, "198.51.100.7", {1}).reason == Reason::limit_session);
  int passed = 6;
  std::uint64_t invented = 100;
  while (world.ask("globex", RouteClass::exports, "198.51.100.7", {invented++}).verdict == Verdict::pass) ++passed;
  CHECK(passed == 60);
  CHECK(world.ask("globex", RouteClass::exports, "198.51.100.7", {invented}).reason == Reason::limit_address);
  // A stolen session is bounded from anywhere (B14).
  CHECK(world.ask("globex", RouteClass::exports, "203.0.113.1", {1}).verdict == Verdict::slow);
  // A fresh one beside it does not help.
  CHECK(world.ask("globex", RouteClass::exports, "203.0.113.1", {2, 1}).verdict == Verdict::slow);
  // Without a session the address stands in, at the session's rate.
  CHECK(world.passes("globex", RouteClass::exports, "203.0.113.77") == 6);
}

TEST_CASE("decide: an API key is a key, and none falls to the address", "[guard][decide]") {
  World world(testing::documents());
  int passed = 0;
  while (world.ask("globex", RouteClass::rpc_json2, "198.51.100.7", {}, 11).verdict == Verdict::pass) ++passed;
  CHECK(passed == 60);
  CHECK(world.ask("globex", RouteClass::rpc_json2, "198.51.100.7", {}, 11).reason == Reason::limit_api_key);
  CHECK(world.ask("globex", RouteClass::rpc_json2, "198.51.100.7", {}, 12).verdict == Verdict::pass);
  CHECK(world.passes("globex", RouteClass::rpc_json2, "198.51.100.7") == 60);
}

TEST_CASE("decide: an office is wider by its factor, in address limits only", "[guard][decide]") {
  auto set = testing::documents();
  set.tenants[0].guard->lists = {testing::list("offices", {"198.51.100.0/24"}, 10)};
  World world(set);
  CHECK(world.passes("acme", RouteClass::login, "198.51.100.7") == 100);
  CHECK(world.passes("acme", RouteClass::login, "203.0.113.1") == 10);
  CHECK(world.passes("acme", RouteClass::exports, "198.51.100.9", {5}) == 6);
}

TEST_CASE("decide: limits over the tenant are wider by its plan", "[guard][decide]") {
  World world(testing::documents());
  // login: 60 a minute over the tenant; acme's plan makes it 240.
  const auto spray = [&](std::string_view tenant) {
    for (int i = 0; i < 1000; ++i) {
      const std::string client = "10." + std::to_string(i / 250) + ".0." + std::to_string(i % 250);
      const Outcome outcome = world.ask(tenant, RouteClass::login, client);
      if (outcome.verdict == Verdict::pass) continue;
      CHECK(reason_name(outcome.reason) == "limit-tenant");
      return i;
    }
    return -1;
  };
  CHECK(spray("globex") == 60);
  CHECK(spray("acme") == 240);
}

TEST_CASE("decide: the tenant's bucket is charged by cost, by every class, or not at all", "[guard][decide]") {
  auto set = testing::documents();
  set.tenants[0].guard->plan = "bronze";  // 1/s, burst 10
  World world(set);
  CHECK(world.ask("acme", RouteClass::login, "198.51.100.1").verdict == Verdict::pass);  // costs 5
  CHECK(world.ask("acme", RouteClass::login, "198.51.100.2").verdict == Verdict::pass);
  const Outcome outcome = world.ask("acme", RouteClass::login, "198.51.100.3");
  CHECK(outcome.verdict == Verdict::slow);
  CHECK(reason_name(outcome.reason) == "limit-plan");
  CHECK(outcome.limit.wait == 5 * second);
  CHECK(world.ask("acme", RouteClass::shop, "198.51.100.9").reason == Reason::limit_plan);
  // Static files are not counted there.
  CHECK(world.ask("acme", RouteClass::statics, "198.51.100.9").verdict == Verdict::pass);
  // What the bucket refused was not charged to the address either.
  world.now += 10 * second;
  CHECK(world.passes("acme", RouteClass::login, "198.51.100.3") == 2);
  world.now += 60 * second;
  CHECK(world.ask("acme", RouteClass::exports, "198.51.100.3").verdict == Verdict::pass);  // costs 30 of 10: the whole bucket
  CHECK(world.ask("acme", RouteClass::shop, "198.51.100.3").verdict == Verdict::slow);
}

TEST_CASE("decide: access comes before limits and charges nothing", "[guard][decide]") {
  World world(testing::documents());
  for (int i = 0; i < 20; ++i) {
    const Outcome outcome = world.ask("globex", RouteClass::db_admin, "198.51.100.7");
    CHECK(outcome.verdict == Verdict::refuse);
    CHECK(reason_name(outcome.reason) == "access");
  }
  CHECK(world.limiter.stats().keys == 0);
}

TEST_CASE("decide: shadow mode says what it would do and lets it pass", "[guard][decide]") {
  auto set = testing::documents();
  set.guard_policy->mode = policy::GuardMode::shadow;
  World world(set);
  Outcome outcome = world.ask("globex", RouteClass::db_admin, "198.51.100.7");
  CHECK(outcome.verdict == Verdict::pass);
  CHECK(outcome.shadow);
  CHECK(outcome.reason == Reason::access);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(world.ask("globex", RouteClass::login, "198.51.100.7").shadow);
  outcome = world.ask("globex", RouteClass::login, "198.51.100.7");
  CHECK(outcome.verdict == Verdict::pass);
  CHECK(outcome.shadow);
  CHECK(outcome.reason == Reason::limit_address);
}

TEST_CASE("decide: a reload keeps counting", "[guard][decide]") {
  World world(testing::documents());
  CHECK(world.passes("globex", RouteClass::login, "198.51.100.7") == 10);
  auto reordered = testing::documents();
  reordered.tenants.insert(reordered.tenants.begin(), testing::tenant("aaa", {"aaa.example"}));
  world.moment = testing::moment_of(reordered);
  CHECK(world.passes("globex", RouteClass::login, "198.51.100.7") == 0);
}
