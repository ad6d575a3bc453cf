#include "guard/limiter.hpp"

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "guard/siphash.hpp"
#include "tests/catch.hpp"

using namespace portcullis::guard;

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 1'000 * second;
const SipKey seed = SipKey::random();

Charge charge(std::uint64_t key, double per_second, double burst, double cost = 1) {
  Charge made;
  made.fingerprint = siphash(seed, &key, sizeof key);
  made.limit = Gcra::make(per_second, second, burst);
  made.cost = cost;
  return made;
}

bool admit(Limiter& limiter, const Charge& one, std::int64_t now) {
  Charge copy = one;
  return limiter.charge({&copy, 1}, now);
}

// The slow, obvious model of the same promise: a bucket of `burst` that refills continuously.
class LeakyBucket {
 public:
  LeakyBucket(std::int64_t interval, std::int64_t burst) : interval_(interval), level_max_(burst * interval) {}
  bool take(std::int64_t now) {
    level_ = std::max<std::int64_t>(0, level_ - (now - last_));
    last_ = now;
    if (level_ + interval_ > level_max_) return false;
    level_ += interval_;
    return true;
  }

 private:
  std::int64_t interval_, level_max_, level_ = 0, last_ = 0;
};

}  // namespace

TEST_CASE("limiter: burst at once, then the rate", "[guard][limiter]") {
  Limiter limiter(64 * 1024);
  const Charge login = charge(1, 10.0 / 60, 10);
  for (int i = 0; i < 10; ++i) REQUIRE(admit(limiter, login, start));
  Charge refused = login;
  REQUIRE_FALSE(limiter.charge({&refused, 1}, start));
  CHECK(refused.wait > 5 * second);
  CHECK(refused.wait <= 6 * second + 1000);
  CHECK(refused.remaining == 0);
  CHECK_FALSE(admit(limiter, login, start + refused.wait - 1));
  CHECK(admit(limiter, login, start + refused.wait));  // exactly then
  CHECK_FALSE(admit(limiter, login, start + refused.wait));
  CHECK(admit(limiter, charge(2, 10.0 / 60, 10), start));  // another key knows nothing of it
}

TEST_CASE("limiter: agrees with a leaky bucket", "[guard][limiter]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    Limiter limiter(4096);
    const double rate = 1 + static_cast<double>(random() % 100);
    const auto burst = static_cast<std::int64_t>(1 + random() % 40);
    const Charge one = charge(random(), rate, static_cast<double>(burst));
    LeakyBucket model(one.limit.interval, burst);
    std::int64_t now = start;
    for (int i = 0; i < 2000; ++i) {
      now += static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * one.limit.interval));
      if (random() % 50 == 0) now += burst * one.limit.interval;
      REQUIRE(admit(limiter, one, now) == model.take(now));
    }
  }
}

TEST_CASE("limiter: never more than burst + rate * t in any interval (B32)", "[guard][limiter]") {
  std::mt19937_64 random(3);
  Limiter limiter(4096);
  constexpr std::int64_t burst = 20;
  const Charge one = charge(5, 10, burst);
  std::vector<std::int64_t> admitted;
  std::int64_t now = start;
  for (int i = 0; i < 3000; ++i) {
    now += static_cast<std::int64_t>(random() % (second / 12));
    if (random() % 100 == 0) now += 3 * second;
    if (admit(limiter, one, now)) admitted.push_back(now);
  }
  REQUIRE(admitted.size() > 500);
  std::size_t worst_excess = 0;
  for (std::size_t from = 0; from < admitted.size(); ++from) {
    for (std::size_t to = from; to < admitted.size(); ++to) {
      const std::int64_t span = admitted[to] - admitted[from];
      const auto allowed = static_cast<std::size_t>(burst + span / one.limit.interval);
      const std::size_t count = to - from + 1;
      if (count > allowed) worst_excess = std::max(worst_excess, count - allowed);
    }
  }
  CHECK(worst_excess == 0);
}

TEST_CASE("limiter: all charges or none", "[guard][limiter]") {
  Limiter limiter(64 * 1024);
  const Charge narrow = charge(1, 1, 2), wide = charge(2, 1, 5);
  for (int i = 0; i < 6; ++i) {
    std::vector<Charge> both{narrow, wide};
    CHECK(limiter.charge(both, start) == (i < 2));
  }
  // The four refused ones cost the wide key nothing: three of five are left.
  int left = 0;
  while (admit(limiter, wide, start)) ++left;
  CHECK(left == 3);
}

TEST_CASE("limiter: the longest wait is told for each charge", "[guard][limiter]") {
  Limiter limiter(64 * 1024);
  const Charge slow = charge(1, 1.0 / 60, 1), fast = charge(2, 1, 1), open = charge(3, 1, 100);
  std::vector<Charge> all{slow, fast, open};
  REQUIRE(limiter.charge(all, start));
  all = {slow, fast, open};
  REQUIRE_FALSE(limiter.charge(all, start));
  for (const Charge& one : all) {
    if (one.limit.interval == slow.limit.interval) CHECK(one.wait == 60 * second);
    if (one.limit.tolerance == fast.limit.tolerance) CHECK(one.wait == second);
    if (one.limit.tolerance == open.limit.tolerance) CHECK(one.wait == 0);
  }
}

TEST_CASE("limiter: costs in fractions, and above the burst", "[guard][limiter]") {
  Limiter limiter(64 * 1024);
  int admitted = 0;
  while (admit(limiter, charge(1, 1, 10, 0.5), start)) ++admitted;
  CHECK(admitted == 20);
  admitted = 0;
  while (admit(limiter, charge(2, 1, 10, 3), start)) ++admitted;
  CHECK(admitted == 3);
  // More than the whole bucket costs the whole bucket: it is slow, not impossible.
  CHECK(admit(limiter, charge(3, 1, 10, 30), start));
  CHECK_FALSE(admit(limiter, charge(3, 1, 10, 30), start + 9 * second));
  CHECK(admit(limiter, charge(3, 1, 10, 30), start + 10 * second));
}

TEST_CASE("limiter: a wider factor is wider in rate and burst", "[guard][limiter]") {
  const Gcra plain = Gcra::make(10, 60 * second, 10), office = Gcra::make(10, 60 * second, 10, 10);
  CHECK(plain.tolerance / plain.interval == 10);
  CHECK(office.tolerance / office.interval == 100);
  CHECK(office.interval == plain.interval / 10);
  // Rates at the end of the scale stay within what the clock can hold.
  const Gcra never = Gcra::make(1, 86'400.0 * second, 4'000'000'000.0);
  CHECK(never.tolerance > 0);
  Limiter limiter(4096);
  Charge once;
  once.fingerprint = 42;
  once.limit = never;
  CHECK(limiter.charge({&once, 1}, start));
}

TEST_CASE("limiter: a limit made tighter does not lock a key out for longer than its burst", "[guard][limiter]") {
  Limiter limiter(4096);
  Charge wide = charge(1, 1, 1000);
  for (int i = 0; i < 1000; ++i) REQUIRE(admit(limiter, wide, start));
  Charge tight = charge(1, 1, 5);
  REQUIRE_FALSE(limiter.charge({&tight, 1}, start));
  CHECK(tight.wait == second);
}

TEST_CASE("limiter: many at once are admitted exactly as often as in turn (B31)", "[guard][limiter]") {
  Limiter limiter(1024 * 1024);
  constexpr int threads = 8, each = 2000, burst = 3000;
  const Charge shared = charge(1, 1e-4, burst), other = charge(2, 1e-4, threads * each);
  std::atomic<int> admitted{0};
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        // In both orders, so that a lock order that is not one would hang.
        std::vector<Charge> charges = t % 2 == 0 ? std::vector{shared, other} : std::vector{other, shared};
        charges.push_back(charge(100 + static_cast<std::uint64_t>(t), 1e-4, each));
        if (limiter.charge(charges, start)) admitted.fetch_add(1);
      }
    });
  }
  for (auto& thread : running) thread.join();
  CHECK(admitted.load() == burst);
  int left = 0;
  while (admit(limiter, other, start)) ++left;
  CHECK(left == threads * each - burst);  // what was refused cost it nothing
}

TEST_CASE("limiter: a million keys in bounded memory (B35)", "[guard][limiter]") {
  Limiter limiter;  // the default: 64 MiB
  CHECK(limiter.stats().bytes == limiter_bytes_max_default);
  for (std::uint64_t key = 0; key < 1'000'000; ++key) REQUIRE(admit(limiter, charge(key, 1, 1), start));
  const Limiter::Stats stats = limiter.stats();
  CHECK(stats.keys <= stats.keys_max);
  CHECK(stats.keys + stats.forgotten == 1'000'000);
  CHECK(stats.forgotten < 10'000);  // buckets that got more than four of them: under one in a hundred
  CHECK(stats.bytes == limiter_bytes_max_default);
}

TEST_CASE("limiter: when full, keys that have paid go first and lose nothing", "[guard][limiter]") {
  Limiter limiter(1);  // one bucket of four
  REQUIRE(limiter.stats().keys_max == 4);
  for (std::uint64_t key = 0; key < 4; ++key) REQUIRE(admit(limiter, charge(key, 1, 1 + static_cast<double>(key)), start));
  // All four are paid a second later: a fifth key takes a slot and nobody is forgotten.
  REQUIRE(admit(limiter, charge(9, 1, 1), start + second));
  CHECK(limiter.stats().forgotten == 0);
  CHECK(limiter.stats().keys == 4);
  // Now penalise the four, the key 9 least: it is the one to go.
  for (std::uint64_t key = 1; key < 4; ++key) {
    while (admit(limiter, charge(key, 1, 10), start + second)) {
    }
  }
  REQUIRE(admit(limiter, charge(10, 1, 5), start + second));
  CHECK(limiter.stats().forgotten == 1);
  for (std::uint64_t key = 1; key < 4; ++key) CHECK_FALSE(admit(limiter, charge(key, 1, 10), start + second));
}

TEST_CASE("limiter: time that stands still or was long ago is no harm (B37)", "[guard][limiter]") {
  Limiter limiter(4096);
  const Charge one = charge(1, 1, 2);
  REQUIRE(admit(limiter, one, start));
  CHECK_FALSE(admit(limiter, one, start - second / 2));  // a clock read a moment earlier admits nothing on top
  CHECK(admit(limiter, one, start));
  CHECK_FALSE(admit(limiter, one, start));
  CHECK(admit(limiter, one, start + 100'000 * second));
  Limiter fresh(4096);
  CHECK(fresh.charge({}, start));  // no limits: nothing to refuse
}
