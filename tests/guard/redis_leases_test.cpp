// The local tables of the shared store, by a clock of the test's own: leases, refusals, notes.
#include "guard/redis_leases.hpp"

#include <random>
#include <vector>

#include "guard/redis_notes.hpp"
#include "guard/redis_refusals.hpp"
#include "tests/guard/redis_server.hpp"

using namespace portcullis::guard;
using namespace portcullis::guard::testing;
using Kind = SharedVerdict::Kind;

namespace {

constexpr std::uint64_t tenant = 5;
constexpr std::int64_t second = 1'000'000'000;

// A Redis of one key, in the test: what it has given, and whether it may give more.
struct Lender {
  std::int64_t room;
  std::int64_t given = 0;
  void answer(RedisLeases& leases, std::vector<RedisOrder>& orders, std::int64_t now) {
    for (const RedisOrder& order : orders) {
      const std::int64_t taken = std::min(order.limit.step, room);
      room -= taken;
      given += taken;
      leases.granted(order, taken, now);
    }
    orders.clear();
  }
};

}  // namespace

TEST_CASE("how a limit is counted in Redis", "[guard][redis]") {
  struct Case {
    const char* name;
    SharedCharge charge;
    std::int64_t step, tolerance, unit, window_ms;
  };
  const auto huge = std::chrono::nanoseconds(3'153'600'000'000'000'000);
  const Case cases[] = {
      {"ten a second, burst 20", rate(1, 100ms, 20), 100'000, 2'000'000, 100'000, 0},
      {"three a second: the interval is rounded up, the burst is kept", rate(1, 333'333'334ns, 10), 333'334, 3'333'340, 333'334, 0},
      {"faster than a million a second", rate(1, 1ns, 7), 1, 7, 1, 0},
      {"a cost", rate(1, 100ms, 20, 2.5), 250'000, 2'000'000, 100'000, 0},
      {"a cost above the burst", rate(1, 100ms, 20, 1e30), 2'000'000, 2'000'000, 100'000, 0},
      {"no cost", rate(1, 100ms, 20, 0), 0, 2'000'000, 100'000, 0},
      {"a cost that is none", rate(1, 100ms, 20, std::numeric_limits<double>::quiet_NaN()), 0, 2'000'000, 100'000, 0},
      {"a century", rate(1, huge, 1), 3'153'600'000'000'000, 3'153'600'000'000'000, 3'153'600'000'000'000, 0},
      {"a window", quota(1, 500, 1h), 1000, 500'000, 1000, 3'600'000},
      {"a window's last nanosecond", quota(1, 500, 1ns), 1000, 500'000, 1000, 1},
      {"a window of none is one of one", quota(1, 0, 1h), 1000, 1000, 1000, 3'600'000},
      {"a window of more than fits", quota(1, INT64_MAX, 1h), 1000, 9'000'000'000'000'000, 1000, 3'600'000},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const RedisLimit limit = redis_limit(c.charge);
      CHECK(limit.step == c.step);
      CHECK(limit.tolerance == c.tolerance);
      CHECK(limit.unit == c.unit);
      CHECK(limit.window_ms == c.window_ms);
    }
  }
}

TEST_CASE("keys are hashes, and a tenant's are together", "[guard][redis]") {
  CHECK(redis_key("portcullis", 0xabc, redis_limit(rate(0x1f, 1s, 1))) == "portcullis:{0000000000000abc}:000000000000001f");
  CHECK(redis_key("p", UINT64_MAX, redis_limit(quota(0, 1, 1h))) == "p:{ffffffffffffffff}:0000000000000000:w");
}

TEST_CASE("a lease: half a slice on credit, half in advance", "[guard][redis]") {
  RedisLeases leases(10, 64);
  Lender lender{.room = 100 * 3'600'000'000};
  std::vector<RedisOrder> orders;
  const std::vector charges{rate(1, 1h, 100)};
  const auto take = [&](std::int64_t now) { return leases.take(tenant, charges, now, true, orders).kind; };
  int admitted = 0;
  while (take(second) == Kind::admitted) ++admitted;
  CHECK(admitted == 5);
  REQUIRE(orders.size() == 1);
  CHECK(take(second) == Kind::unknown);  // it is on its way
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].limit.soft);
  lender.answer(leases, orders, second);
  for (admitted = 0; take(second) == Kind::admitted;) ++admitted;
  CHECK(admitted >= 5);
  CHECK(admitted <= 10);
  SECTION("no answer: it is ordered again") {
    REQUIRE(orders.size() == 1);
    leases.failed(orders[0]);
    orders.clear();
    CHECK(take(second) == Kind::unknown);
    CHECK(orders.size() == 1);
  }
  SECTION("away: what was borrowed and no credit") {
    lender.answer(leases, orders, second);
    int left = 0;
    while (leases.take(tenant, charges, second, false, orders).kind == Kind::admitted) ++left;
    CHECK(left <= 5);
    CHECK(orders.empty());
    CHECK(leases.take(tenant, charges, second, false, orders).kind == Kind::unknown);
  }
}

TEST_CASE("a lease ends when nobody uses it, a debt does not", "[guard][redis]") {
  RedisLeases leases(10, 8);
  std::vector<RedisOrder> orders;
  const std::vector charges{rate(1, 1h, 100)};
  REQUIRE(leases.take(tenant, charges, second, true, orders).kind == Kind::admitted);
  Lender lender{.room = 100 * 3'600'000'000};
  SECTION("given up") {
    lender.answer(leases, orders, second);
    CHECK(leases.take(tenant, charges, second, false, orders).kind == Kind::admitted);
    CHECK(leases.take(tenant, charges, 10 * second, false, orders).kind == Kind::unknown);
  }
  SECTION("a debt is paid by a sweep") {
    for (int i = 0; i < 4; ++i) REQUIRE(leases.take(tenant, charges, second, true, orders).kind == Kind::admitted);
    lender.room = 0;
    lender.answer(leases, orders, second);
    for (std::size_t i = 0; i < RedisLeases::sweep_parts; ++i) leases.sweep(second + second / 1000, orders);
    CHECK(orders.empty());  // Redis has no more before an hour has passed
    const std::int64_t later = 4000 * second;
    for (std::size_t i = 0; i < RedisLeases::sweep_parts; ++i) leases.sweep(later, orders);
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].limit.step == 5 * 3'600'000'000);
  }
  SECTION("keys in debt leave no room, and a new one is unknown") {
    for (std::uint64_t key = 2; key <= 8; ++key)
      REQUIRE(leases.take(tenant, std::vector{rate(key, 1h, 100)}, second, true, orders).kind == Kind::admitted);
    CHECK(leases.take(tenant, std::vector{rate(9, 1h, 100)}, second, true, orders).kind == Kind::unknown);
    lender.answer(leases, orders, second);
    CHECK(leases.take(tenant, std::vector{rate(9, 1h, 100)}, second, true, orders).kind == Kind::admitted);
  }
}

TEST_CASE("leases of several limits: all or none", "[guard][redis]") {
  RedisLeases leases(10, 64);
  std::vector<RedisOrder> orders;
  const SharedCharge wide = rate(1, 1h, 100), narrow = rate(2, 1h, 1);
  CHECK(leases.take(tenant, std::vector{wide, narrow}, second, true, orders).kind == Kind::admitted);
  Lender none{.room = 0};
  none.answer(leases, orders, second);
  const SharedVerdict refused = leases.take(tenant, std::vector{wide, narrow}, second, true, orders);
  CHECK(refused.kind == Kind::refused);
  CHECK(refused.which == 1);
  CHECK(refused.wait > 3599 * second);
  // `wide` was taken from once, and has four left on credit; none of them went with the refusals.
  CHECK(leases.take(tenant, std::vector{rate(1, 1h, 100, 4)}, second, true, orders).kind == Kind::admitted);
  // More than half a slice never fits.
  CHECK(leases.take(tenant, std::vector{rate(3, 1h, 100, 6)}, second, true, orders).kind == Kind::unknown);
  // A soft one needs nothing, and is sent when it has added up.
  orders.clear();
  for (int i = 0; i < 5; ++i) CHECK(leases.take(tenant, std::vector{soft(rate(4, 1h, 100))}, second, true, orders).kind == Kind::admitted);
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].limit.step == 5 * 3'600'000'000);
}

TEST_CASE("whatever happens, a replica admits no more than Redis gave and one slice", "[guard][redis]") {
  std::minstd_rand random(9);
  for (int round = 0; round < 200; ++round) {
    const auto slice = static_cast<std::uint32_t>(1 + random() % 12);
    const std::int64_t burst = 1 + static_cast<std::int64_t>(random() % 30);
    const SharedCharge charge = random() % 2 == 0 ? rate(1, 1ms, burst) : quota(1, burst, 1h);
    const std::int64_t unit = redis_limit(charge).unit;
    RedisLeases leases(slice, 8);
    Lender lender{.room = 0};
    std::vector<RedisOrder> orders;
    std::int64_t admitted = 0, now = second;
    for (int step = 0; step < 400; ++step) {
      switch (random() % 8) {
        case 0:
          now += static_cast<std::int64_t>(random() % 10'000'000);
          lender.room = std::min<std::int64_t>(lender.room + static_cast<std::int64_t>(random() % 3) * unit, burst * unit);
          break;
        case 1:
          lender.answer(leases, orders, now);
          break;
        case 2:
          for (const RedisOrder& order : orders) leases.failed(order);
          orders.clear();
          break;
        case 3:
          leases.sweep(now, orders);
          break;
        case 4:
          leases.take(tenant, std::vector{rate(100 + random() % 50, 1ms, burst)}, now, random() % 2 == 0, orders);
          std::erase_if(orders, [&](const RedisOrder& order) {
            if (order.limit.fingerprint == charge.fingerprint) return false;
            leases.granted(order, 0, now);
            return true;
          });
          break;
        default:
          if (leases.take(tenant, std::vector{charge}, now, random() % 4 != 0, orders).kind == Kind::admitted) ++admitted;
      }
      const std::int64_t over = admitted * unit - lender.given;
      CAPTURE(round, step, slice, burst);
      REQUIRE(over <= (std::min<std::int64_t>(slice, burst) + 1) / 2 * unit);
    }
  }
}

TEST_CASE("refusals are forgotten when they are over, or too many", "[guard][redis]") {
  RedisRefusals refusals(8);
  const RedisLimit limit = redis_limit(rate(1, 1h, 5));
  CHECK(refusals.wait(tenant, limit, second) == 0);
  refusals.remember(tenant, limit, 3 * second);
  CHECK(refusals.wait(tenant, limit, second) == 2 * second);
  CHECK(refusals.wait(tenant, limit, 3 * second) == 0);
  for (std::uint64_t key = 2; key < 1000; ++key) refusals.remember(tenant, redis_limit(rate(key, 1h, 5)), 10 * second);
  CHECK(refusals.wait(tenant, limit, second) == 0);
}

TEST_CASE("notes: a rate is paid by time, a window is not", "[guard][redis]") {
  RedisNotes notes(3);
  std::vector<RedisOrder> orders;
  for (int i = 0; i < 4; ++i) CHECK(notes.note(tenant, std::vector{rate(1, 1s, 10), quota(2, 10, 60s)}, second) == 0);
  CHECK(notes.note(tenant, std::vector{rate(3, 1s, 10), rate(4, 1s, 10)}, second) == 1);
  SECTION("three seconds later") {
    notes.take(4 * second, 10, orders);
    REQUIRE(orders.size() == 2);
    for (const RedisOrder& order : orders) {
      CHECK(order.limit.soft);
      CHECK(order.limit.step == (order.limit.fingerprint == 1 ? 1'000'000 : 4000));
      CHECK(order.limit.window_ms == (order.limit.fingerprint == 1 ? 0 : 57'000));
    }
    const auto unanswered = orders;
    orders.clear();
    notes.take(4 * second, 10, orders);
    CHECK(orders.empty());
    for (const RedisOrder& order : unanswered) notes.put_back(order, 4 * second);
    notes.take(4 * second, 10, orders);
    CHECK(orders.size() == 2);
  }
  SECTION("when all is over") {
    notes.take(100 * second, 10, orders);
    CHECK(orders.empty());
  }
  SECTION("a few at a time") {
    notes.take(second, 2, orders);
    CHECK(orders.size() == 2);
    notes.take(second, 2, orders);
    CHECK(orders.size() == 3);
  }
}
