#include "guard/moment.hpp"

#include "guard/decide.hpp"
#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace std::chrono_literals;
using testing::address;
using testing::wall_start;

namespace {

std::chrono::sys_seconds at(int year, unsigned month, unsigned day, int hour, int minute = 0) {
  return std::chrono::sys_days{std::chrono::year{year} / month / day} + std::chrono::hours{hour} + std::chrono::minutes{minute};
}

policy::Profile profile(std::string name, std::vector<policy::PeriodRef> when = {}) {
  policy::Profile made;
  made.name = std::move(name);
  made.when = std::move(when);
  return made;
}

policy::ProfileOverride by_hand(std::string profile, Instant expires) {
  policy::ProfileOverride made;
  made.profile = std::move(profile);
  made.expires_at = expires;
  return made;
}

// acme in Zurich, globex in Santiago; a period of 25 November from 10:00 to 12:00, local time.
policy::DocumentSet documents() {
  auto set = testing::documents();
  set.tenants[0].time_zone = "Europe/Zurich";
  set.tenants[1].time_zone = "America/Santiago";
  policy::Calendar& calendar = set.calendars.emplace_back();
  calendar.name = "finance";
  policy::Period& period = calendar.periods.emplace_back();
  period.name = "close";
  period.when = policy::LocalSpan{at(2026, 11, 25, 10), at(2026, 11, 25, 12)};
  return set;
}

struct World {
  explicit World(policy::DocumentSet set) : snapshot(GuardSnapshot::compile(set)) { go_to(wall_start); }
  void go_to(Instant now) { moment = maker.make(snapshot, now, 0); }
  const Adjustment* of(std::string_view tenant) const { return moment->adjustment(*snapshot->tenant_named(tenant)); }
  std::shared_ptr<const GuardSnapshot> snapshot;
  MomentMaker maker;
  std::shared_ptr<const Moment> moment;
};

}  // namespace

TEST_CASE("moment: a profile is on in its period, in each tenant's zone, half-open (B57)", "[guard][moment]") {
  auto set = documents();
  set.guard_policy->profiles = {profile("month-end", {{"finance", "close"}})};
  set.guard_policy->profiles[0].classes = {{"report", 2}};
  World world(set);
  world.go_to(at(2026, 11, 25, 8, 59));
  CHECK(world.of("acme") == nullptr);
  world.go_to(at(2026, 11, 25, 9));  // 10:00 in Zurich, 06:00 in Santiago
  REQUIRE(world.of("acme") != nullptr);
  CHECK(world.of("acme")->factors[index_of(RouteClass::report)] == 2);
  CHECK(world.of("acme")->factors[index_of(RouteClass::login)] == 1);
  CHECK(world.of("acme")->profiles == "month-end");
  CHECK(world.of("globex") == nullptr);
  CHECK(world.moment->profiles() == std::vector<std::pair<std::string, std::size_t>>{{"month-end", 1}});
  CHECK(world.moment->holds_at(at(2026, 11, 25, 10, 59)));
  CHECK_FALSE(world.moment->holds_at(at(2026, 11, 25, 11)));  // it ends in Zurich
  CHECK_FALSE(world.moment->holds_at(at(2026, 11, 25, 8)));   // the clock was set back
  world.go_to(at(2026, 11, 25, 11));
  CHECK(world.of("acme") == nullptr);
  world.go_to(at(2026, 11, 25, 13));  // 10:00 in Santiago
  CHECK(world.of("globex") != nullptr);
}

TEST_CASE("moment: for whom a profile is", "[guard][moment]") {
  auto set = documents();
  set.calendars[0].time_zone = "Europe/Zurich";
  set.guard_policy->profiles = {profile("tier-1", {{"finance", "close"}}), profile("acme-only", {{"finance", "close"}})};
  set.guard_policy->profiles[0].tiers = {1};
  set.guard_policy->profiles[0].factor = 3;
  set.guard_policy->profiles[1].tenants = {"acme"};
  set.guard_policy->profiles[1].deny = {"upload"};
  World world(set);
  REQUIRE(world.of("globex") != nullptr);
  CHECK(world.of("globex")->profiles == "tier-1");
  CHECK(world.of("globex")->bucket_factor == 3);
  REQUIRE(world.of("acme") != nullptr);
  CHECK(world.of("acme")->denied.test(index_of(RouteClass::upload)));
}

TEST_CASE("moment: switched by hand, on and off, until it expires (B57)", "[guard][moment]") {
  auto set = documents();
  set.guard_policy->profiles = {profile("maintenance"), profile("month-end", {{"finance", "close"}})};
  set.guard_policy->profiles[0].maintenance = policy::Maintenance{"Upgrade to 18.", {"hoster-vpn"}};
  set.guard_policy->profiles[1].factor = 2;
  auto on = by_hand("maintenance", wall_start + 1h);
  on.tenants = {"acme"};
  on.from = wall_start - 1h;
  auto off = by_hand("month-end", wall_start + 30min);
  off.active = false;
  set.guard_policy->overrides = {on, off};
  World world(set);
  REQUIRE(world.of("acme") != nullptr);
  CHECK(world.of("acme")->profiles == "maintenance");
  CHECK(world.of("globex") == nullptr);
  CHECK(world.moment->holds_at(wall_start + 29min));
  CHECK_FALSE(world.moment->holds_at(wall_start + 30min));
  world.go_to(wall_start + 30min);
  CHECK(world.of("acme")->profiles == "maintenance,month-end");
  world.go_to(wall_start + 1h);
  CHECK(world.of("acme")->profiles == "month-end");
  world.go_to(wall_start - 2h);
  CHECK(world.of("acme") == nullptr);
}

TEST_CASE("moment: maintenance keeps out all but its list and the probes; a denied class is refused", "[guard][moment][decide]") {
  auto set = documents();
  set.guard_policy->profiles = {profile("maintenance"), profile("freeze")};
  set.guard_policy->profiles[0].maintenance = policy::Maintenance{"Upgrade to 18.", {"hoster-vpn"}};
  set.guard_policy->profiles[1].deny = {"upload"};
  auto maintenance = by_hand("maintenance", wall_start + 1h), freeze = by_hand("freeze", wall_start + 1h);
  maintenance.tenants = {"acme"};
  freeze.tenants = {"globex"};
  set.guard_policy->overrides = {maintenance, freeze};
  World world(set);
  Limiter limiter(1 << 16);
  const SipKey seed = SipKey::random();
  DecideScratch scratch;
  const auto ask = [&](std::string_view tenant, RouteClass route_class, std::string_view client) {
    const GuardSubject subject{.tenant = *world.snapshot->tenant_named(tenant), .route_class = route_class, .client = address(client)};
    return std::string(reason_name(decide(*world.moment, {.limiter = limiter, .seed = seed}, subject, 0, scratch).reason));
  };
  CHECK(ask("acme", RouteClass::other, "198.51.100.7") == "maintenance");
  CHECK(ask("acme", RouteClass::other, "192.0.2.241").empty());
  CHECK(ask("acme", RouteClass::health, "198.51.100.7").empty());
  CHECK(ask("globex", RouteClass::upload, "198.51.100.7") == "profile");
  CHECK(ask("globex", RouteClass::other, "198.51.100.7").empty());
}

TEST_CASE("moment: a window's end does not move when the wall clock does (B37)", "[guard][moment]") {
  World world(documents());
  const GuardTenant& acme = *world.snapshot->tenant_named("acme");
  const QuotaWindow before = world.moment->window(acme, policy::QuotaPeriod::day);
  world.go_to(wall_start + 1h);  // a step of an hour, in no time
  const QuotaWindow after = world.moment->window(acme, policy::QuotaPeriod::day);
  CHECK(before.number == after.number);
  CHECK(before.end == after.end);
  CHECK(world.moment->window(acme, policy::QuotaPeriod::month).number != after.number);
}
