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
    return {.tenant = *moment->documents().tenant_named(tenant), .route_class = route_class, .client = address(client)};
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

TEST_CASE("decide: an IPv6 client is also its /56 and /48, more widely (B22)", "[guard][decide]") {
  World world(testing::documents());
  int passed = 0;
  for (int i = 0; i < 256; ++i) {  // each /64 of one /56 once
    char client[64];
    std::snprintf(client, sizeof client, "2001:db8:1:1%02x::1", static_cast<unsigned>(i));
    if (world.ask("globex", RouteClass::db_admin, client).reason != Reason::access &&
        world.ask("globex", RouteClass::login, client).verdict == Verdict::pass)
      ++passed;
  }
  CHECK(passed == 0);  // db-admin is off
  passed = 0;
  for (int i = 0; i < 256; ++i) {
    char client[64];
    std::snprintf(client, sizeof client, "2001:db8:1:1%02x::1", static_cast<unsigned>(i));
    if (world.ask("globex", RouteClass::login, client).verdict == Verdict::pass) ++passed;
  }
  CHECK(passed == 40);  // four times a /64's ten
  passed = 0;
  for (int i = 0; i < 1024; ++i) {
    char client[64];
    std::snprintf(client, sizeof client, "2001:db8:2:%04x::1", static_cast<unsigned>(i << 6));
    if (world.ask("acme", RouteClass::signup_reset, client).verdict == Verdict::pass) ++passed;
  }
  CHECK(passed == 48);  // sixteen times a /64's three
}

TEST_CASE("decide: a known session keeps its own share behind a full address (B23)", "[guard][decide]") {
  World world(testing::documents());
  CHECK(world.passes("globex", RouteClass::login_page, "198.51.100.7") == 60);
  GuardSubject known = world.subject_of("globex", RouteClass::login_page, "198.51.100.7");
  known.sessions.keys[0] = 7;
  known.sessions.count = 1;
  CHECK(world.decide(known).verdict == Verdict::slow);  // unknown, it is worth nothing
  known.known_session = 7;
  for (int i = 0; i < 60; ++i) CHECK(world.decide(known).verdict == Verdict::pass);
  CHECK(reason_name(world.decide(known).reason) == "limit-session");  // its share has an end too
  known.known_session = 8;
  CHECK(world.decide(known).verdict == Verdict::pass);
}

TEST_CASE("decide: an address is wider for those known behind it, but not where passwords are tried", "[guard][decide]") {
  World world(testing::documents());
  GuardSubject stranger = world.subject_of("globex", RouteClass::login_page, "198.51.100.7");
  stranger.standing = 3;
  int passed = 0;
  while (world.decide(stranger).verdict == Verdict::pass) ++passed;
  CHECK(passed == 180);
  stranger.route_class = RouteClass::login;
  for (passed = 0; world.decide(stranger).verdict == Verdict::pass;) ++passed;
  CHECK(passed == 10);
}

TEST_CASE("decide: a login is slowed from one address first, and everywhere more widely (B44)", "[guard][decide]") {
  World world(testing::documents());
  const std::uint64_t cfo[] = {42}, clerk[] = {43};
  const auto tries = [&](std::string_view client, std::span<const std::uint64_t> login, std::optional<std::uint64_t> known = {}) {
    GuardSubject subject = world.subject_of("globex", RouteClass::login, client);
    subject.credentials = true;
    subject.logins = login;
    subject.known_session = known;
    return world.decide(subject);
  };
  for (int i = 0; i < 5; ++i) CHECK(tries("198.51.100.7", cfo).verdict == Verdict::pass);
  CHECK(reason_name(tries("198.51.100.7", cfo).reason) == "limit-login");
  CHECK(tries("198.51.100.7", clerk).verdict == Verdict::pass);  // others go on from there
  CHECK(tries("198.51.100.99", cfo).verdict == Verdict::pass);   // and he from elsewhere
  int passed = 0;
  for (int i = 0; i < 60; ++i) passed += tries("203.0.113." + std::to_string(i), cfo).verdict == Verdict::pass;
  CHECK(passed == 14);                                             // 20 over all addresses, of which six are used
  CHECK(tries("203.0.113.200", cfo, 7).verdict == Verdict::pass);  // who is known is not locked out by strangers
}

TEST_CASE("decide: many credentials in one request are as many attempts (B29)", "[guard][decide]") {
  World world(testing::documents());
  GuardSubject batch = world.subject_of("globex", RouteClass::login, "198.51.100.7");
  batch.credentials = true;
  batch.attempts = 9;
  CHECK(world.decide(batch).verdict == Verdict::pass);
  CHECK(world.passes("globex", RouteClass::login, "198.51.100.7") == 1);
}

TEST_CASE("decide: credentials through another door use up the same count (B28)", "[guard][decide]") {
  auto set = testing::documents();
  set.guard_policy->access = {testing::entry({{"rpc-legacy"}, {}, {}, true})};
  World world(set);
  GuardSubject rpc = world.subject_of("globex", RouteClass::rpc_legacy, "198.51.100.7");
  rpc.credentials = true;
  for (int i = 0; i < 10; ++i) CHECK(world.decide(rpc).verdict == Verdict::pass);
  CHECK(world.decide(rpc).verdict == Verdict::slow);
  CHECK(world.passes("globex", RouteClass::login, "198.51.100.7") == 0);
  rpc.credentials = false;  // calls that carry no login go on
  CHECK(world.decide(rpc).verdict == Verdict::pass);
}

TEST_CASE("decide: bans, and whom they spare", "[guard][decide]") {
  World world(testing::documents());
  GuardSubject subject = world.subject_of("acme", RouteClass::other, "198.51.100.7");
  subject.ban = BanInForce{.wait = 90 * second, .known_sessions_too = false};
  Outcome outcome = world.decide(subject);
  CHECK(outcome.verdict == Verdict::slow);
  CHECK(reason_name(outcome.reason) == "banned");
  CHECK(outcome.limit.wait == 90 * second);
  subject.known_session = 7;
  CHECK(world.decide(subject).verdict == Verdict::pass);
  subject.ban->known_sessions_too = true;
  CHECK(world.decide(subject).verdict == Verdict::slow);
}

TEST_CASE("decide: quotas of the day and month, in the tenant's zone", "[guard][decide]") {
  auto set = testing::documents();
  set.tenants[0].time_zone = set.tenants[1].time_zone = "Europe/Zurich";
  set.tenants[1].guard.emplace().quotas = {{LimitKey::tenant, 5, policy::QuotaPeriod::day}};
  World world(set);
  CHECK(world.passes("globex", RouteClass::image, "198.51.100.7") == 5);
  const Outcome outcome = world.ask("globex", RouteClass::image, "198.51.100.8");
  CHECK(reason_name(outcome.reason) == "quota");
  CHECK(outcome.limit.quota == 5);
  CHECK(outcome.limit.wait == 14 * 3600 * second);  // 10:00 in Zurich
  // The same day after a reload: still used up. The next day: anew.
  MomentMaker maker;
  const auto documents = GuardSnapshot::compile(set);
  world.moment = maker.make(documents, testing::wall_start, start);
  CHECK(world.passes("globex", RouteClass::image, "198.51.100.7") == 0);
  world.now += 14 * 3600 * second;
  world.moment = maker.make(documents, testing::wall_start + 14h, world.now);
  CHECK(world.passes("globex", RouteClass::image, "198.51.100.7") == 5);
}

TEST_CASE("decide: a class's quota is multiplied by the plan", "[guard][decide]") {
  auto set = testing::documents();
  policy::ClassOverride change;
  change.name = "image";
  change.quotas = {{LimitKey::session, 2, policy::QuotaPeriod::month}};
  set.guard_policy->classes = {change};
  World world(set);
  CHECK(world.passes("globex", RouteClass::image, "198.51.100.7", {1}) == 2);
  CHECK(world.passes("globex", RouteClass::image, "198.51.100.7", {2}) == 2);
  CHECK(world.passes("acme", RouteClass::image, "198.51.100.7", {1}) == 8);
}

TEST_CASE("decide: places among those at work at once, and none where nobody gives them back", "[guard][decide]") {
  World world(testing::documents());
  CHECK(world.passes("globex", RouteClass::exports, "198.51.100.7", {1}) == 6);  // its limit alone
  Leases leases;
  world.leases = &leases;
  const auto export_from = [&](std::uint64_t session) {
    GuardSubject subject = world.subject_of("acme", RouteClass::exports, "198.51.100.7");
    subject.sessions.keys[0] = session;
    subject.sessions.count = 1;
    return world.decide(subject);
  };
  const Outcome first = export_from(1), second_one = export_from(2), third = export_from(3);
  CHECK(first.lease_count == 1);
  CHECK(second_one.verdict == Verdict::pass);
  CHECK(third.verdict == Verdict::slow);
  CHECK(reason_name(third.reason) == "concurrency");
  CHECK(third.limit.wait <= 10 * second);
  leases.give_back(first.leases[0]);
  CHECK(export_from(3).verdict == Verdict::pass);
  CHECK(export_from(4).verdict == Verdict::slow);
  world.now += 121 * second;  // the log was lost: places come back by themselves
  CHECK(export_from(4).verdict == Verdict::pass);
}

TEST_CASE("decide: a place is not kept by a request that a limit stops", "[guard][decide]") {
  World world(testing::documents());
  Leases leases;
  world.leases = &leases;
  CHECK(world.passes("globex", RouteClass::exports, "198.51.100.7", {1}) == 2);
  CHECK(leases.size() == 2);
  auto set = testing::documents();
  set.guard_policy->classes = {testing::limits_of("export", {limit(LimitKey::address, 1, 1h, 1)})};
  World narrow(set);
  Leases others;
  narrow.leases = &others;
  CHECK(narrow.ask("globex", RouteClass::exports, "198.51.100.7", {1}).verdict == Verdict::pass);
  CHECK(reason_name(narrow.ask("globex", RouteClass::exports, "198.51.100.7", {1}).reason) == "limit-address");
  CHECK(others.size() == 1);
}

TEST_CASE("decide: reports at once follow the tenant's workers", "[guard][decide]") {
  auto set = testing::documents();
  set.tenants[0].guard->workers = 9;
  set.guard_policy->classes = {testing::limits_of("report", {})};
  World world(set);
  Leases leases;
  world.leases = &leases;
  CHECK(world.passes("acme", RouteClass::report, "198.51.100.7") == 3);
  CHECK(world.passes("globex", RouteClass::report, "198.51.100.7") == -1);  // workers not told
}

TEST_CASE("decide: tenants of one pool get their parts by weight, and what the others leave", "[guard][decide][pool]") {
  auto set = testing::documents();
  set.guard_policy->pools = {{"shared", {100, 1s}}};
  set.guard_policy->plans = {{"gold", 3, {}}, {"silver", 1, {}}};
  set.guard_policy->classes = {testing::limits_of("other", {})};
  for (auto& tenant : set.tenants) {
    tenant.guard.emplace().pool = "shared";
    tenant.guard->plan = tenant.name == "acme" ? "gold" : "silver";
  }
  World world(set);
  const auto take = [&](std::string_view tenant, int asks) {
    int passed = 0;
    for (int i = 0; i < asks; ++i) passed += world.ask(tenant, RouteClass::other, "198.51.100.7").verdict == Verdict::pass;
    return passed;
  };
  // One alone gets all of it: the burst of two seconds, then a hundred a second.
  CHECK(take("globex", 1000) == 200);
  world.now += second;
  CHECK(take("globex", 1000) == 100);
  // Both at once, each asking for far more than there is: 3 to 1.
  int gold = 0, silver = 0;
  for (int round = 0; round < 600; ++round) {
    world.now += second / 10;
    if (round < 100) {
      take("acme", 30), take("globex", 30);
      continue;
    }
    gold += take("acme", 30);
    silver += take("globex", 30);
  }
  CHECK(gold + silver <= 5000 + 20);
  CHECK(gold + silver >= 4900);
  CHECK(gold >= 3600);
  CHECK(silver >= 1200);
  // A tenant that asks for less than its part is never slowed by the other's greed.
  int refused = 0;
  for (int round = 0; round < 100; ++round) {
    world.now += second / 10;
    take("acme", 50);
    refused += 2 - take("globex", 2);
  }
  CHECK(refused == 0);
  CHECK(reason_name(world.ask("acme", RouteClass::other, "198.51.100.7").reason) == "limit-pool");
}

TEST_CASE("decide: while the store is away limits are divided, then each class does as it says (B42)", "[guard][decide]") {
  World world(testing::documents());
  DecideParts parts{.limiter = world.limiter, .seed = world.seed, .store_away = true, .replicas = 2};
  const auto passes = [&](RouteClass route_class, std::string_view client) {
    int passed = 0;
    const GuardSubject subject = world.subject_of("globex", route_class, client);
    while (decide(*world.moment, parts, subject, world.now, world.scratch).verdict == Verdict::pass) ++passed;
    return passed;
  };
  CHECK(passes(RouteClass::login, "198.51.100.1") == 5);
  CHECK(passes(RouteClass::login_page, "198.51.100.1") == 30);
  CHECK(passes(RouteClass::form, "198.51.100.1") == 3);
  parts.store_away_long = true;
  CHECK(passes(RouteClass::login, "198.51.100.2") == 5);        // local
  CHECK(passes(RouteClass::login_page, "198.51.100.2") == 60);  // open
  CHECK(passes(RouteClass::form, "198.51.100.2") == 0);         // closed
  const Outcome outcome =
      decide(*world.moment, parts, world.subject_of("globex", RouteClass::form, "198.51.100.2"), world.now, world.scratch);
  CHECK(reason_name(outcome.reason) == "store-lost");
  CHECK(outcome.verdict == Verdict::slow);
}
