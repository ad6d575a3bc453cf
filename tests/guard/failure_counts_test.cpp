// Counting failed logins in a window, and what is forgotten when there are too many keys.
#include "guard/failure_counts.hpp"

#include <random>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace std::chrono_literals;

namespace {

constexpr Clock::time_point start{1000h};
constexpr std::chrono::nanoseconds window = 10min;
constexpr std::uint64_t ada = 11, bob = 22;

}  // namespace

TEST_CASE("failure counts: within the window, whole; a slice behind it, gone", "[guard][bans]") {
  FailureCounts counts;
  CHECK(counts.add(7, ada, window, start).failures == 1);
  CHECK(counts.add(7, ada, window, start + 1min).failures == 2);
  CHECK(counts.add(8, ada, window, start + 1min).failures == 1);
  CHECK(counts.add(7, ada, window, start + window).failures == 3);
  // The first two have left the window by more than a slice of 40 s.
  CHECK(counts.add(7, ada, window, start + 1min + window + 41s).failures == 2);
  CHECK(counts.add(7, ada, window, start + 100h).failures == 1);
}

TEST_CASE("failure counts: never fewer than fell into the window, and none from more than a fifteenth before it", "[guard][bans]") {
  std::mt19937_64 random(5);
  FailureCounts counts;
  std::vector<Clock::time_point> failed;
  Clock::time_point now = start;
  for (int i = 0; i < 5'000; ++i) {
    now += std::chrono::milliseconds(random() % (random() % 50 == 0 ? 900'000 : 30'000));
    failed.push_back(now);
    const std::uint64_t counted = counts.add(9, ada, window, now).failures;
    const auto within = [&](std::chrono::nanoseconds span) {
      return static_cast<std::uint64_t>(std::count_if(failed.begin(), failed.end(), [&](auto each) { return each > now - span; }));
    };
    REQUIRE(counted >= within(window));
    REQUIRE(counted <= within(window + window / 15));
  }
}

TEST_CASE("failure counts: one login or several", "[guard][bans]") {
  FailureCounts counts;
  SECTION("the same one") {
    for (int i = 0; i < 20; ++i) CHECK_FALSE(counts.add(7, ada, window, start + i * 1s).several_logins);
  }
  SECTION("another") {
    CHECK_FALSE(counts.add(7, ada, window, start).several_logins);
    CHECK(counts.add(7, bob, window, start + 1s).several_logins);
    CHECK(counts.add(7, bob, window, start + window - 1s).several_logins);
    CHECK_FALSE(counts.add(7, bob, window, start + window + 41s).several_logins);  // ada's has left the window
  }
  SECTION("one that nobody knows may be any") {
    CHECK(counts.add(7, std::nullopt, window, start).several_logins);
    CHECK(counts.add(7, ada, window, start + 1s).several_logins);
    CHECK_FALSE(counts.add(7, ada, window, start + window + 41s).several_logins);
  }
  SECTION("two in turn") {
    for (int i = 1; i < 10; ++i) counts.add(7, i % 2 == 0 ? ada : bob, window, start + i * 1s);
    CHECK(counts.add(7, ada, window, start + 11s).several_logins);
  }
}

TEST_CASE("failure counts: cleared, or only where all was for one login", "[guard][bans]") {
  FailureCounts counts;
  counts.add(7, ada, window, start);
  counts.clear_of_login(7, bob, window, start);
  CHECK(counts.add(7, ada, window, start).failures == 2);
  counts.clear_of_login(7, ada, window, start);
  CHECK(counts.add(7, ada, window, start).failures == 1);
  counts.add(7, bob, window, start);
  counts.clear_of_login(7, bob, window, start);
  CHECK(counts.add(7, bob, window, start).failures == 3);
  counts.clear(7);
  CHECK(counts.add(7, bob, window, start).failures == 1);
  counts.clear(999);  // nobody's
}

TEST_CASE("failure counts: keys that fail once do not push out the one that fails on", "[guard][bans]") {
  FailureCounts counts(4096);
  std::mt19937_64 random(1);
  constexpr std::uint64_t attacker = 0x123456789abcdef;
  for (int i = 0; i < 5; ++i) counts.add(attacker, ada, window, start);
  for (int i = 0; i < 200'000; ++i) counts.add(random(), ada, window, start + 1s);
  CHECK(counts.forgotten() > 100'000);
  CHECK(counts.add(attacker, ada, window, start + 2s).failures == 6);
}

TEST_CASE("failure counts: what has left the window makes room for nothing lost", "[guard][bans]") {
  FailureCounts counts(512);
  std::mt19937_64 random(2);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 100; ++i) counts.add(random() | 1, ada, window, start + round * 11min);
  }
  // 100 keys on 64 sets of 8: few sets ever hold nine at once.
  CHECK(counts.forgotten() < 50);
}
