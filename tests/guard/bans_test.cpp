// Bans: who is banned by which failures, for how long, what a full table does, and that nothing pushes a ban out.
#include "guard/bans.hpp"

#include <random>
#include <thread>

#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using testing::address;
using testing::network;
using namespace std::chrono_literals;

namespace {

constexpr Clock::time_point start{1000h};
constexpr std::uint64_t ada = 11, bob = 22;
const policy::Bans rules{};  // 10 in 10 min ban for 1 min, doubling up to 60
const BanTenant acme{1, "acme"}, globex{2, "globex"};

std::string said(const std::optional<BanView>& view, Clock::time_point now) {
  if (!view) return "";
  return std::string(ban_source_name(view->source)) + (view->of_login ? " login " : " address ") +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(view->ends - now).count());
}

// Fails `count` times at `now`; what the last failure led to.
std::optional<BanView> fail_often(Bans& bans, const BanTenant& tenant, const Address& client, std::optional<std::uint64_t> login, int count,
                                  Clock::time_point now) {
  std::optional<BanView> last;
  for (int i = 0; i < count; ++i) last = bans.failed(tenant, client, login, rules, now);
  return last;
}

std::string at(const Bans& bans, const BanTenant& tenant, const Address& client, std::vector<std::uint64_t> logins, Clock::time_point now) {
  return said(bans.find(tenant.id, client, logins, now), now);
}

OperatorBan by_operator(std::string_view cidr, std::chrono::seconds length, std::optional<BanTenant> tenant = std::nullopt) {
  return {tenant, network(cidr), length, "abuse report 17", "ops"};
}

}  // namespace

TEST_CASE("bans: failures for one login ban that login from that address", "[guard][bans]") {
  Bans bans;
  const Address client = address("198.51.100.7");
  CHECK_FALSE(fail_often(bans, acme, client, ada, 9, start));
  CHECK(bans.find(acme.id, client, std::vector{ada}, start) == std::nullopt);
  CHECK(said(bans.failed(acme, client, ada, rules, start), start) == "automatic login 60");
  CHECK(at(bans, acme, client, {ada}, start) == "automatic login 60");
  CHECK(at(bans, acme, client, {bob, ada}, start) == "automatic login 60");
  CHECK(at(bans, acme, client, {bob}, start) == "");
  CHECK(at(bans, acme, client, {}, start) == "");
  CHECK(at(bans, globex, client, {ada}, start) == "");
  CHECK(at(bans, acme, address("198.51.100.8"), {ada}, start) == "");
  CHECK(at(bans, acme, client, {ada}, start + 59s) == "automatic login 1");
  CHECK(at(bans, acme, client, {ada}, start + 60s) == "");
}

TEST_CASE("bans: failures for several logins, or for unknown ones, ban the address", "[guard][bans]") {
  Bans bans;
  const Address client = address("2001:db8:1:2:3:4:5:6");
  SECTION("several") {
    fail_often(bans, acme, client, ada, 9, start);
    CHECK(said(bans.failed(acme, client, bob, rules, start), start) == "automatic address 60");
  }
  SECTION("unknown") { CHECK(said(fail_often(bans, acme, client, std::nullopt, 10, start), start) == "automatic address 60"); }
  SECTION("some unknown") {
    fail_often(bans, acme, client, ada, 9, start);
    CHECK(said(bans.failed(acme, client, std::nullopt, rules, start), start) == "automatic address 60");
  }
  CHECK(at(bans, acme, client, {}, start) == "automatic address 60");
  CHECK(at(bans, acme, client, {ada}, start) == "automatic address 60");
  CHECK(at(bans, acme, address("2001:db8:1:2::1"), {}, start) == "automatic address 60");  // the /64 is one client
  CHECK(at(bans, acme, address("2001:db8:1:3::1"), {}, start) == "");
  CHECK(at(bans, globex, client, {}, start) == "");
  CHECK(bans.find(acme.id, client, {}, start)->spares_sessions());
}

TEST_CASE("bans: the window's edge", "[guard][bans]") {
  Bans bans;
  const Address client = address("198.51.100.7");
  SECTION("the tenth within it bans") {
    for (int i = 0; i < 9; ++i) CHECK_FALSE(bans.failed(acme, client, std::nullopt, rules, start + i * 1s));
    CHECK(bans.failed(acme, client, std::nullopt, rules, start + 10min));
  }
  SECTION("behind it does not") {
    for (int i = 0; i < 9; ++i) CHECK_FALSE(bans.failed(acme, client, std::nullopt, rules, start + i * 1s));
    CHECK_FALSE(bans.failed(acme, client, std::nullopt, rules, start + 8s + 10min + 41s));
  }
  SECTION("one a minute and a half never does") {
    for (int i = 0; i < 1'000; ++i) REQUIRE_FALSE(bans.failed(acme, client, std::nullopt, rules, start + i * 90s));
  }
  SECTION("no bound, no ban") {
    policy::Bans none = rules;
    none.failures = 0;
    for (int i = 0; i < 100; ++i) REQUIRE_FALSE(bans.failed(acme, client, std::nullopt, none, start));
  }
}

TEST_CASE("bans: each further one lasts twice as long, up to the longest, and a quiet day is forgiven", "[guard][bans]") {
  Bans bans;
  const Address client = address("198.51.100.7");
  Clock::time_point now = start;
  for (const int minutes : {1, 2, 4, 8, 16, 32, 60, 60}) {
    const auto ban = fail_often(bans, acme, client, ada, 10, now);
    CHECK(said(ban, now) == "automatic login " + std::to_string(minutes * 60));
    now = ban->ends + 23h;
  }
  CHECK(said(fail_often(bans, acme, client, ada, 10, now + 1h), now + 1h) == "automatic login 60");
  // Another subject has a past of its own.
  CHECK(said(fail_often(bans, acme, client, bob, 10, now + 2h), now + 2h) == "automatic login 60");
  CHECK(said(fail_often(bans, globex, client, ada, 10, now + 2h), now + 2h) == "automatic login 60");
}

TEST_CASE("bans: failures during a ban do not lengthen it", "[guard][bans]") {
  Bans bans;
  const Address client = address("198.51.100.7");
  fail_often(bans, acme, client, ada, 10, start);
  CHECK_FALSE(fail_often(bans, acme, client, ada, 10, start + 30s));
  CHECK(at(bans, acme, client, {ada}, start + 30s) == "automatic login 30");
}

TEST_CASE("bans: an address from which people work is spared, the logins tried from there are not", "[guard][bans]") {
  Bans bans({.spared = [](const BanTenant& tenant, const Address& client) {
    return tenant.name == "acme" && client == address("198.51.100.7");
  }});
  const Address office = address("198.51.100.7"), elsewhere = address("198.51.100.8");
  std::optional<BanView> last;
  for (std::uint64_t login = 100; login < 200; ++login) last = bans.failed(acme, office, login, rules, start);
  CHECK_FALSE(last);
  CHECK(at(bans, acme, office, {150}, start) == "");
  CHECK(said(fail_often(bans, acme, office, ada, 10, start), start) == "automatic login 60");
  CHECK(at(bans, acme, office, {ada}, start) == "automatic login 60");
  CHECK(at(bans, acme, office, {bob}, start) == "");
  CHECK(bans.stats(start).spared > 90);
  for (std::uint64_t login = 100; login < 110; ++login) last = bans.failed(acme, elsewhere, login, rules, start);
  CHECK(said(last, start) == "automatic address 60");
}

TEST_CASE("bans: a success forgives its own login, and no other", "[guard][bans]") {
  Bans bans;
  const Address client = address("198.51.100.7");
  SECTION("its own") {
    fail_often(bans, acme, client, ada, 9, start);
    bans.succeeded(acme, client, ada, rules, start);
    CHECK_FALSE(fail_often(bans, acme, client, ada, 9, start));
  }
  SECTION("a good account does not pay for guesses at others") {
    std::optional<BanView> last;
    for (std::uint64_t login = 100; login < 109; ++login) {
      last = bans.failed(acme, client, login, rules, start);
      bans.succeeded(acme, client, ada, rules, start);
    }
    CHECK_FALSE(last);
    CHECK(said(bans.failed(acme, client, bob, rules, start), start) == "automatic address 60");
  }
  SECTION("nobody's") {
    fail_often(bans, acme, client, std::nullopt, 9, start);
    bans.succeeded(acme, client, std::nullopt, rules, start);
    CHECK(bans.failed(acme, client, std::nullopt, rules, start));
  }
}

TEST_CASE("bans: an operator's", "[guard][bans]") {
  Bans bans;
  struct Case {
    const char *name, *cidr;
    bool everywhere;
    const char *client, *found;
  };
  const Case cases[] = {
      {"one address", "198.51.100.7/32", true, "198.51.100.7", "operator address 3600"},
      {"and no other", "198.51.100.7/32", true, "198.51.100.8", ""},
      {"a network", "198.51.100.0/24", true, "198.51.100.200", "operator address 3600"},
      {"beside it", "198.51.100.0/24", true, "198.51.101.1", ""},
      {"IPv6 /48", "2001:db8:7::/48", true, "2001:db8:7:ff::1", "operator address 3600"},
      {"IPv6 /128", "2001:db8:7::1/128", true, "2001:db8:7::1", "operator address 3600"},
      {"its neighbour", "2001:db8:7::1/128", true, "2001:db8:7::2", ""},
      {"IPv6 is no IPv4", "2000::/16", true, "32.0.0.1", ""},
      {"the tenant's", "198.51.100.7/32", false, "198.51.100.7", "operator address 3600"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      REQUIRE(bans.add(by_operator(c.cidr, 1h, c.everywhere ? std::nullopt : std::optional(acme)), start));
      CHECK(at(bans, acme, address(c.client), {}, start) == c.found);
      CHECK(at(bans, globex, address(c.client), {}, start) == (c.everywhere ? c.found : ""));
      CHECK(at(bans, acme, address(c.client), {ada}, start + 1h) == "");
    }
  }
  SECTION("is of known sessions too, and outranks an automatic one") {
    fail_often(bans, acme, address("198.51.100.7"), std::nullopt, 10, start);
    REQUIRE(bans.add(by_operator("198.51.100.0/24", 10s), start));
    const auto found = bans.find(acme.id, address("198.51.100.7"), {}, start);
    CHECK(said(found, start) == "operator address 10");
    CHECK_FALSE(found->spares_sessions());
    CHECK(at(bans, acme, address("198.51.100.7"), {}, start + 11s) == "automatic address 49");
  }
  SECTION("takes the place of the one there was") {
    REQUIRE(bans.add(by_operator("198.51.100.0/24", 1h), start));
    REQUIRE(bans.add(by_operator("198.51.100.0/24", 1min), start));
    CHECK(at(bans, acme, address("198.51.100.7"), {}, start) == "operator address 60");
    CHECK(bans.list({}, start).size() == 1);
    fail_often(bans, acme, address("192.0.2.1"), std::nullopt, 10, start);
    REQUIRE(bans.add(by_operator("192.0.2.1/32", 1h, acme), start));
    CHECK(at(bans, acme, address("192.0.2.1"), {}, start) == "operator address 3600");
    CHECK(bans.list({}, start).size() == 2);
  }
}

TEST_CASE("bans: what an operator may not ask for", "[guard][bans]") {
  Bans bans({.by_operator_max = 1});
  const auto refused = [&](const OperatorBan& wanted) {
    const auto result = bans.add(wanted, start);
    REQUIRE_FALSE(result);
    return result.error().message();
  };
  CHECK(refused(by_operator("0.0.0.0/0", 1h)) == "cidr: found 0.0.0.0/0, want /8 or longer; access lists keep out what is wider");
  CHECK(refused(by_operator("::/0", 1h)) == "cidr: found ::/0, want /16 or longer; access lists keep out what is wider");
  CHECK(refused(by_operator("10.0.0.0/7", 1h)) == "cidr: found 10.0.0.0/7, want /8 or longer; access lists keep out what is wider");
  CHECK(refused(by_operator("198.51.100.7/24", 1h)) == "cidr: has address bits beyond its length");
  CHECK(refused(by_operator("198.51.100.7/32", 0s)) == "duration: want more than nothing, and at most P366D");
  CHECK(refused(by_operator("198.51.100.7/32", 9000h)) == "duration: want more than nothing, and at most P366D");
  OperatorBan mute = by_operator("198.51.100.7/32", 1h);
  mute.reason.clear();
  CHECK(refused(mute) == "reason: is missing");
  mute.reason.assign(257, 'x');
  CHECK(refused(mute) == "reason: want UTF-8 of at most 256 bytes");
  mute.reason = "\xff";
  CHECK(refused(mute) == "reason: want UTF-8 of at most 256 bytes");
  REQUIRE(bans.add(by_operator("198.51.100.7/32", 1h), start));
  CHECK(refused(by_operator("198.51.100.8/32", 1h)) == "bans: there are 1 already; delete some first");
  CHECK(bans.add(by_operator("198.51.100.7/32", 2h), start));       // the same one anew
  CHECK(bans.add(by_operator("198.51.100.8/32", 1h), start + 2h));  // the first has ended
  CHECK(bans.stats(start + 2h).refused == 1);
}

TEST_CASE("bans: listed and taken away", "[guard][bans]") {
  Bans bans({.wall = [] { return Instant(std::chrono::seconds(1'800'000'000)); }});
  const Address client = address("198.51.100.7");
  fail_often(bans, acme, client, ada, 10, start);
  fail_often(bans, acme, client, std::nullopt, 10, start);
  REQUIRE(bans.add(by_operator("198.51.100.0/24", 1h), start));
  REQUIRE(bans.add(by_operator("2001:db8::/48", 1h, globex), start));
  const auto shown = [&](const Bans::Filter& filter) {
    std::string text;
    for (const Ban& ban : bans.list(filter, start))
      text += std::to_string(ban.id) + " " + ban.tenant.value_or("*") + " " + ban_network_text(ban.network) + (ban.login ? " login" : "") +
              " " + ban.by + "; ";
    return text;
  };
  CHECK(shown({}) ==
        "1 acme 198.51.100.7/32 login guard; 2 acme 198.51.100.7/32 guard; 3 * 198.51.100.0/24 ops; 4 globex 2001:db8::/48 ops; ");
  CHECK(shown({.tenant = "globex", .network = {}}) == "3 * 198.51.100.0/24 ops; 4 globex 2001:db8::/48 ops; ");
  CHECK(shown({.tenant = {}, .network = network("198.51.100.200/32")}) == "3 * 198.51.100.0/24 ops; ");
  CHECK(shown({.tenant = {}, .network = network("2001:db8::1/128")}) == "4 globex 2001:db8::/48 ops; ");
  CHECK(shown({.tenant = {}, .network = network("0.0.0.0/0")}).find("globex") == std::string::npos);
  CHECK(bans.list({}, start).front().created == Instant(std::chrono::seconds(1'800'000'000)));

  SECTION("by id") {
    CHECK_FALSE(bans.remove(17, start));
    REQUIRE(bans.remove(1, start));
    CHECK_FALSE(bans.remove(1, start));
    CHECK(at(bans, acme, address("198.51.100.7"), {ada}, start) == "operator address 3600");
    // Its past is gone with it.
    CHECK(said(fail_often(bans, acme, client, ada, 10, start), start) == "automatic login 60");
  }
  SECTION("by network") {
    CHECK(bans.remove(network("198.51.100.7/32"), "globex", start).empty());
    CHECK(bans.remove(network("198.51.100.7/32"), std::nullopt, start).size() == 2);
    CHECK(shown({}) == "3 * 198.51.100.0/24 ops; 4 globex 2001:db8::/48 ops; ");
    CHECK(bans.remove(network("198.51.100.0/24"), "globex", start).empty());
    CHECK(bans.remove(network("198.51.100.0/24"), std::nullopt, start).size() == 1);
    CHECK(at(bans, acme, client, {ada}, start) == "");
  }
  SECTION("what has ended is not there") {
    CHECK_FALSE(bans.remove(1, start + 60s));
    CHECK(bans.list({}, start + 60s).size() == 2);
    CHECK(bans.list({}, start + 1h).empty());
  }
}

TEST_CASE("bans: a full table refuses, counts, and drops nobody", "[guard][bans]") {
  Bans bans({.all_max = 6, .a_tenant_max = 4});
  const auto ban_address = [&](const BanTenant& tenant, int last, Clock::time_point now) {
    return fail_often(bans, tenant, address("192.0.2." + std::to_string(last)), std::nullopt, 10, now).has_value();
  };
  for (int i = 0; i < 4; ++i) CHECK(ban_address(acme, i, start));
  CHECK_FALSE(ban_address(acme, 4, start));  // the tenant's room
  CHECK(ban_address(globex, 0, start));
  CHECK(ban_address(globex, 1, start));
  CHECK_FALSE(ban_address(globex, 2, start));  // everybody's
  CHECK(bans.stats(start).refused == 2);
  CHECK(bans.stats(start).live_automatic == 6);
  for (int i = 0; i < 4; ++i) CHECK(at(bans, acme, address("192.0.2." + std::to_string(i)), {}, start) == "automatic address 60");
  REQUIRE(bans.add(by_operator("192.0.2.4/32", 1h), start));  // the operator's is apart
  // What has ended makes room, the oldest past first.
  CHECK(ban_address(acme, 5, start + 61s));
  CHECK(said(fail_often(bans, acme, address("192.0.2.3"), std::nullopt, 10, start + 62s), start + 62s) == "automatic address 120");
  CHECK(said(fail_often(bans, acme, address("192.0.2.0"), std::nullopt, 10, start + 62s), start + 62s) == "automatic address 60");
  CHECK(bans.stats(start + 62s).live_automatic == 3);
}

TEST_CASE("bans: random keys without end push out no ban", "[guard][bans]") {
  constexpr int keys = 1'000'000;
  Bans bans({.counts_max = 4096});
  const Address victim = address("198.51.100.7");
  policy::Bans long_rules = rules;
  long_rules.first = std::chrono::hours(1);
  for (int i = 0; i < 10; ++i) bans.failed(acme, victim, ada, long_rules, start);
  REQUIRE(bans.add(by_operator("203.0.113.0/24", 1h), start));
  std::mt19937_64 random(3);
  for (int i = 0; i < keys; ++i) {
    Address client{0x20, 0x01};
    const std::uint64_t bits = random();
    std::memcpy(client.data() + 2, &bits, 6);
    bans.failed(i % 2 == 0 ? acme : globex, client, random(), rules, start + std::chrono::microseconds(i));
  }
  CHECK(at(bans, acme, victim, {ada}, start) == "automatic login 3600");
  CHECK(at(bans, globex, address("203.0.113.9"), {}, start) == "operator address 3600");
  CHECK(bans.stats(start).failures == keys + 10U);
}

TEST_CASE("bans: loops, the log's reader and an operator at once", "[guard][bans]") {
  Bans bans({.all_max = 200, .a_tenant_max = 150});
  const Address network_of_all = address("192.0.2.0");  // here: what asserts does so on one thread
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> found{0};
  std::vector<std::thread> loops;
  for (unsigned seed = 0; seed < 2; ++seed) {
    loops.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!over.load()) {
        Address client = network_of_all;
        client[15] = static_cast<std::uint8_t>(random());
        if (bans.find(acme.id, client, std::vector{ada}, start + 1s)) found.fetch_add(1);
      }
    });
  }
  std::thread reader([&] {
    for (int i = 0; i < 20'000; ++i) {
      Address client = network_of_all;
      client[15] = static_cast<std::uint8_t>(i);
      bans.failed(i % 3 == 0 ? globex : acme, client, i % 2 == 0 ? std::optional(ada) : std::nullopt, rules,
                  start + std::chrono::milliseconds(i));
      if (i % 7 == 0) bans.succeeded(acme, client, ada, rules, start);
    }
  });
  for (int i = 0; i < 500; ++i) {
    const auto ban = bans.add(by_operator("192.0.2." + std::to_string(i % 256) + "/32", 1h), start);
    REQUIRE(ban);
    CHECK(bans.list({}, start).size() >= 1);
    if (i % 2 == 0) bans.remove(ban->id, start);
  }
  reader.join();
  const auto patience = Clock::now() + 30s;
  while (found.load() == 0 && Clock::now() < patience) std::this_thread::yield();
  CHECK(found.load() > 0);
  over.store(true);
  for (std::thread& loop : loops) loop.join();
  const BanStats stats = bans.stats(start);
  CHECK(stats.live_by_operator > 0);
  CHECK(bans.list({}, start).size() == stats.live_automatic + stats.live_by_operator);
}
