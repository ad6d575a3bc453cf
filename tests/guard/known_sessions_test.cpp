#include "guard/known_sessions.hpp"

#include "guard/leases.hpp"
#include "tests/guard/support.hpp"

using namespace portcullis::guard;
using testing::address;

namespace {
constexpr std::int64_t second = 1'000'000'000, day = 86'400 * second;
}

TEST_CASE("known sessions: known by tenant, for a week after the last proof", "[guard][sessions]") {
  KnownSessions sessions;
  CHECK_FALSE(sessions.is_known(1, 7, day));
  sessions.learn(1, 7, address("198.51.100.7"), day);
  CHECK(sessions.is_known(1, 7, day));
  CHECK_FALSE(sessions.is_known(2, 7, day));
  CHECK_FALSE(sessions.is_known(1, 8, day));
  CHECK(sessions.is_known(1, 7, 8 * day - second));
  CHECK_FALSE(sessions.is_known(1, 7, 8 * day + second));
  sessions.learn(1, 7, address("198.51.100.7"), 5 * day);
  CHECK(sessions.is_known(1, 7, 11 * day));
  CHECK(sessions.learned() == 1);
}

TEST_CASE("known sessions: what they do for their address is bounded and fades", "[guard][sessions]") {
  KnownSessions sessions;
  const Address office = address("198.51.100.7");
  CHECK(sessions.factor_at(1, office, day) == 1);
  for (std::uint64_t session = 1; session <= 150; ++session) sessions.learn(1, session, office, day);
  CHECK(sessions.factor_at(1, office, day) == 50);
  CHECK(sessions.spares(1, office, day));
  CHECK(sessions.factor_at(1, address("198.51.100.8"), day) == 1);
  CHECK(sessions.factor_at(2, office, day) == 1);
  CHECK(sessions.factor_at(1, office, 5 * day) == 25);
  CHECK(sessions.factor_at(1, office, 60 * day) == 1);
  sessions.learn(1, 1, office, day);  // the same again is no further one
  CHECK(sessions.learned() == 150);
}

TEST_CASE("known sessions: a flood takes the oldest first, and memory is fixed (B35)", "[guard][sessions]") {
  KnownSessions sessions;
  for (std::uint64_t session = 1; session <= 1000; ++session) sessions.learn(1, session, address("198.51.100.7"), 2 * day);
  int known = 0;
  for (std::uint64_t session = 1; session <= 1000; ++session) known += sessions.is_known(1, session, 2 * day);
  CHECK(known == 1000);
}

TEST_CASE("leases: at most so many at once, given back or ended by themselves", "[guard][leases]") {
  Leases leases;
  const auto first = leases.take(5, 2, 10 * second, 0), next = leases.take(5, 2, 10 * second, second);
  CHECK(first.grant == Leases::Grant::taken);
  CHECK(next.grant == Leases::Grant::taken);
  const auto full = leases.take(5, 2, 10 * second, 2 * second);
  CHECK(full.grant == Leases::Grant::full);
  CHECK(full.wait == 8 * second);
  CHECK(leases.held(5, 2 * second) == 2);
  leases.give_back(first.lease);
  leases.give_back(first.lease);  // twice is once
  CHECK(leases.held(5, 2 * second) == 1);
  CHECK(leases.take(5, 2, 10 * second, 2 * second).grant == Leases::Grant::taken);
  CHECK(leases.take(5, 2, 10 * second, 11 * second).grant == Leases::Grant::taken);  // the second has ended
  CHECK(leases.held(6, 0) == 0);
}

TEST_CASE("leases: bounded, and beyond that nothing is counted", "[guard][leases]") {
  Leases leases;
  bool uncounted = false;
  for (std::uint64_t key = 0; key < leases_max * 2 && !uncounted; ++key)
    uncounted = leases.take(key, 1, 10 * second, 0).grant == Leases::Grant::uncounted;
  CHECK(uncounted);
  CHECK(leases.size() <= leases_max);
  CHECK(leases.take(1, 5, 10 * second, 11 * second).grant == Leases::Grant::taken);  // what has ended makes room
}
