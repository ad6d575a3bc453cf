// The shared store beside the real redis-server: what is counted.
#include <algorithm>
#include <random>
#include <thread>

#include "guard/shared_store.hpp"
#include "tests/guard/redis_server.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace portcullis::guard::testing;
using Said = Asker::Said;

namespace {

constexpr std::uint64_t tenant = 0xabc;

std::string key_of(const SharedCharge& charge, std::uint64_t of = tenant) { return redis_key("portcullis", of, redis_limit(charge)); }

std::int64_t microseconds_of(const RedisServer& server, const SharedCharge& charge) {
  const RedisReply reply = server.say({"GET", key_of(charge)});
  return reply.kind == RedisReply::Kind::text ? std::stoll(reply.text) : 0;
}

}  // namespace

TEST_CASE("a burst, and then refused until it is paid", "[guard][redis]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  const std::vector charges{rate(1, 1h, 5)};
  for (int i = 0; i < 5; ++i) CHECK(asker.say(*store, tenant, charges) == Said::admitted);
  CHECK_FALSE(store->would_refuse(tenant, charges, now_ns()));
  const auto refused = asker.ask(*store, tenant, charges);
  REQUIRE(refused.said == Said::refused);
  CHECK(refused.verdict.which == 0);
  CHECK(refused.verdict.remaining == 0);
  CHECK(refused.verdict.wait <= std::chrono::nanoseconds(1h).count());
  CHECK(refused.verdict.wait > std::chrono::nanoseconds(59min).count());
  SECTION("without a call from then on") {
    const auto known = store->would_refuse(tenant, charges, now_ns());
    REQUIRE(known);
    CHECK(known->kind == SharedVerdict::Kind::refused);
    CHECK(known->wait <= refused.verdict.wait);
    CHECK_FALSE(store->would_refuse(tenant, charges, now_ns() + refused.verdict.wait + 1));
    CHECK_FALSE(store->would_refuse(tenant + 1, charges, now_ns()));
    CHECK_FALSE(store->would_refuse(tenant, std::vector{soft(charges[0])}, now_ns()));
    CHECK_FALSE(store->would_refuse(tenant, std::vector{rate(1, 1h, 6)}, now_ns()));       // the limit is wider now
    CHECK_FALSE(store->would_refuse(tenant, std::vector{rate(1, 1h, 5, 0.5)}, now_ns()));  // a smaller one may fit
  }
  SECTION("and no other key") {
    CHECK(asker.say(*store, tenant, {rate(2, 1h, 5)}) == Said::admitted);
    CHECK(asker.say(*store, tenant + 1, charges) == Said::admitted);
  }
  SECTION("the key lives until it is paid") {
    const std::int64_t left = server.say({"PTTL", key_of(charges[0])}).integer;
    CHECK(left <= std::chrono::milliseconds(5h).count());
    CHECK(left > std::chrono::milliseconds(5h - 1min).count());
  }
}

TEST_CASE("two replicas and one Redis: no more than the burst and the rate, however they ask", "[guard][redis]") {
  const RedisServer server;
  const auto here = open_up(patient(server)), there = open_up(patient(server));
  constexpr auto interval = 2ms;
  constexpr std::int64_t burst = 50;
  const std::vector charges{rate(1, interval, burst)};
  std::atomic<std::int64_t> admitted{0}, wrong{0};
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::thread> loops;
  for (SharedStore* store : {here.get(), there.get(), here.get(), there.get()}) {
    loops.emplace_back([&, store] {
      Asker asker;
      while (std::chrono::steady_clock::now() - begun < 300ms) {
        const Said said = asker.say(*store, tenant, charges);
        if (said == Said::admitted) ++admitted;
        if (said != Said::admitted && said != Said::refused) ++wrong;
      }
    });
  }
  for (std::thread& loop : loops) loop.join();
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(wrong == 0);
  CHECK(admitted <= burst + took / interval + 1);
  CHECK(admitted >= burst + 300ms / interval - 10);  // nor much less, where they ask all the time
}

TEST_CASE("what the script makes of a key is exact, up to a century", "[guard][redis]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  std::mt19937_64 random(11);
  const auto up_to = [&](std::int64_t max) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(max)) + 1; };
  for (std::uint64_t key = 1; key <= 200; ++key) {
    const std::int64_t interval_us = up_to(1'000'000'000'000), burst = up_to(3000);
    const SharedCharge charge = rate(key, std::chrono::microseconds(interval_us), burst, static_cast<double>(up_to(burst)));
    const std::int64_t tolerance = interval_us * burst, step = interval_us * static_cast<std::int64_t>(charge.cost);
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    // An arrival time an hour or more away: the time that the test takes cannot bring it below now.
    const std::int64_t hour = 3'600'000'000;
    if (tolerance <= 3 * hour) continue;
    const std::int64_t before = now + hour + up_to(tolerance - 2 * hour);
    CAPTURE(interval_us, burst, charge.cost, before - now);
    REQUIRE(server.say({"SET", key_of(charge), std::to_string(before)}).text == "OK");
    const auto heard = asker.ask(*store, tenant, {charge});
    const std::int64_t late = before + step - tolerance - now;  // by the clock of before the call
    if (std::abs(late) < hour / 60) continue;                   // too near to say which it is
    if (late > 0) {
      REQUIRE(heard.said == Said::refused);
      CHECK(heard.verdict.wait <= late * 1000);
      CHECK(heard.verdict.wait > (late - hour / 60) * 1000);
      CHECK(microseconds_of(server, charge) == before);
    } else {
      REQUIRE(heard.said == Said::admitted);
      CHECK(microseconds_of(server, charge) == before + step);
    }
  }
}

TEST_CASE("random costs over two replicas admit what exact arithmetic admits", "[guard][redis]") {
  const RedisServer server;
  const auto here = open_up(patient(server)), there = open_up(patient(server));
  Asker asker;
  std::minstd_rand random(3);
  std::vector<std::int64_t> used(5, 0);  // in tenths of a request; an hour each, so no time passes
  constexpr std::int64_t burst_tenths = 200;
  for (int i = 0; i < 600; ++i) {
    const std::size_t key = random() % used.size();
    const auto tenths = static_cast<std::int64_t>(1 + random() % 40);
    SharedStore& store = random() % 2 == 0 ? *here : *there;
    const Said said = asker.say(store, tenant, {rate(key, 10h, burst_tenths / 10, static_cast<double>(tenths) / 10)});
    const bool fits = used[key] + tenths <= burst_tenths;
    CAPTURE(i, key, tenths, used[key]);
    REQUIRE(said == (fits ? Said::admitted : Said::refused));
    if (fits) used[key] += tenths;
  }
  CHECK(here->stats().admitted > 0);
  CHECK(there->stats().admitted > 0);
  CHECK(here->stats().refused + there->stats().refused > 100);
}

TEST_CASE("all limits of a request, or none", "[guard][redis]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  const SharedCharge wide = rate(1, 1h, 10), narrow = rate(2, 1h, 1), window = quota(3, 10, 1h), observed = soft(rate(4, 1h, 2));
  const std::vector all{wide, narrow, window, observed};
  CHECK(asker.say(*store, tenant, all) == Said::admitted);
  const auto wide_before = microseconds_of(server, wide);
  const auto refused = asker.ask(*store, tenant, all);
  CHECK(refused.said == Said::refused);
  CHECK(refused.verdict.which == 1);
  CHECK(microseconds_of(server, wide) == wide_before);
  CHECK(server.say({"GET", key_of(window)}).text == "1000");
  SECTION("the longest wait is the one that is told") {
    const auto both = asker.ask(*store, tenant, {narrow, quota(3, 1, 2h)});
    CHECK(both.said == Said::refused);
    CHECK(both.verdict.which == 1);
    CHECK(both.verdict.wait == std::chrono::nanoseconds(2h).count());
  }
  SECTION("a soft one is charged as far as there is room, and refuses nothing") {
    for (int i = 0; i < 5; ++i) CHECK(asker.say(*store, tenant, {wide, observed}) == Said::admitted);
    CHECK(asker.say(*store, tenant, {rate(4, 1h, 2)}) == Said::refused);
    CHECK(server.say({"PTTL", key_of(observed)}).integer <= std::chrono::milliseconds(2h).count());
  }
  SECTION("no more of them than can be told apart") {
    const std::vector<SharedCharge> many(shared_charges_max + 1, wide);
    CHECK(asker.say(*store, tenant, many) == Said::not_asked);
    CHECK(asker.say(*store, tenant, {}) == Said::not_asked);
  }
}

TEST_CASE("a quota of a window", "[guard][redis]") {
  const RedisServer server;
  const auto here = open_up(patient(server)), there = open_up(patient(server));
  Asker asker;
  const SharedCharge week = quota(1, 3, 168h);
  CHECK(asker.say(*here, tenant, {week}) == Said::admitted);
  CHECK(asker.say(*there, tenant, {quota(1, 3, 168h, 1.5)}) == Said::admitted);
  const auto refused = asker.ask(*here, tenant, {week});
  CHECK(refused.said == Said::refused);
  CHECK(refused.verdict.wait == week.window_left);
  CHECK(refused.verdict.remaining == 0);
  CHECK(asker.say(*here, tenant, {quota(1, 3, 168h, 0.5)}) == Said::admitted);
  CHECK(server.say({"PTTL", key_of(week)}).integer > std::chrono::milliseconds(167h).count());
  // A rate of the same fingerprint is another key.
  CHECK(asker.say(*here, tenant, {rate(1, 1h, 1)}) == Said::admitted);
  // A window that ends leaves nothing behind.
  const SharedCharge moment = quota(2, 1, 100ms);
  CHECK(asker.say(*here, tenant, {moment}) == Said::admitted);
  CHECK(becomes([&] { return server.say({"EXISTS", key_of(moment)}).integer == 0; }));
  CHECK(asker.say(*here, tenant, {moment}) == Said::admitted);
}

TEST_CASE("a key that holds what no replica wrote is left alone, and nobody is refused by it", "[guard][redis]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  const SharedCharge fine = rate(1, 1h, 5), other = rate(2, 1h, 5);
  const std::string key = key_of(other);
  SECTION("a list") { REQUIRE(server.say({"LPUSH", key, "x"}).integer == 1); }
  SECTION("a set") { REQUIRE(server.say({"SADD", key, "x"}).integer == 1); }
  SECTION("a word") { REQUIRE(server.say({"SET", key, "hello"}).text == "OK"); }
  SECTION("a negative number") { REQUIRE(server.say({"SET", key, "-1"}).text == "OK"); }
  SECTION("a fraction") { REQUIRE(server.say({"SET", key, "1.5"}).text == "OK"); }
  SECTION("no number") { REQUIRE(server.say({"SET", key, "nan"}).text == "OK"); }
  SECTION("nothing") { REQUIRE(server.say({"SET", key, ""}).text == "OK"); }
  SECTION("too long a number") { REQUIRE(server.say({"SET", key, "12345678901234567"}).text == "OK"); }
  const std::string before = server.say({"TYPE", key}).text, value = server.say({"GET", key}).text;
  CHECK(asker.say(*store, tenant, {fine, other}) == Said::unknown);
  CHECK(microseconds_of(server, fine) == 0);
  CHECK(server.say({"TYPE", key}).text == before);
  CHECK(server.say({"GET", key}).text == value);
  CHECK(store->stats().foreign == 1);
  CHECK(store->state() == StoreState::up);
  CHECK(asker.say(*store, tenant, {fine}) == Said::admitted);
}

TEST_CASE("an arrival time of somebody's choice costs a burst at most", "[guard][redis]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  const SharedCharge charge = rate(1, 1h, 2);
  REQUIRE(server.say({"SET", key_of(charge), "9999999999999999"}).text == "OK");
  const auto refused = asker.ask(*store, tenant, {charge});
  CHECK(refused.said == Said::refused);
  CHECK(refused.verdict.wait <= std::chrono::nanoseconds(1h).count());
}

TEST_CASE("no key is made above the bound", "[guard][redis]") {
  const RedisServer server;
  auto options = patient(server);
  options.keys_max = 4;  // the set of replicas is one
  const auto store = open_up(options);
  Asker asker;
  for (const std::uint64_t key : {1U, 2U, 3U}) CHECK(asker.say(*store, tenant, {rate(key, 1h, 5)}) == Said::admitted);
  CHECK(asker.say(*store, tenant, {rate(4, 1h, 5)}) == Said::unknown);
  CHECK(asker.say(*store, tenant, {rate(1, 1h, 5), rate(4, 1h, 5)}) == Said::unknown);
  CHECK(asker.say(*store, tenant, {rate(1, 1h, 5)}) == Said::admitted);
  CHECK(server.say({"DBSIZE"}).integer == 4);
  CHECK(store->stats().full == 2);
  CHECK(store->state() == StoreState::up);
}

TEST_CASE("other databases and prefixes are other counts", "[guard][redis]") {
  const RedisServer server;
  auto options = patient(server);
  const auto one = open_up(options);
  options.url.database = 3;
  const auto two = open_up(options);
  options.prefix = "other:guard";
  const auto three = open_up(options);
  Asker asker;
  for (SharedStore* store : {one.get(), two.get(), three.get()}) CHECK(asker.say(*store, tenant, {rate(1, 1h, 1)}) == Said::admitted);
  CHECK(asker.say(*two, tenant, {rate(1, 1h, 1)}) == Said::refused);
}

TEST_CASE("how many replicas there are", "[guard][redis]") {
  RedisServer server;
  auto options = patient(server);
  const auto one = open_up(options);
  CHECK(one->replicas_alive() == 1);
  // One that has not been heard of for six seconds, and one from the future.
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  REQUIRE(server.say({"ZADD", "portcullis:replicas", std::to_string(now - 6'000'000), "gone"}).integer == 1);
  REQUIRE(server.say({"ZADD", "portcullis:replicas", std::to_string(now + 60'000'000), "forged"}).integer == 1);
  const auto two = open_up(options), three = open_up(options);
  CHECK(three->replicas_alive() == 3);
  CHECK(becomes([&] { return one->replicas_alive() == 3; }));
  server.kill();
  CHECK(becomes([&] { return one->state() == StoreState::away; }));
  CHECK(one->replicas_alive() == 3);
  CHECK(one->away_for(now_ns()) > 0ns);
}

TEST_CASE("a set of replicas that is none takes nothing away", "[guard][redis]") {
  const RedisServer server;
  REQUIRE(server.say({"SET", "portcullis:replicas", "x"}).text == "OK");
  const auto store = open_up(patient(server));
  CHECK(store->replicas_alive() == 1);
  Asker asker;
  CHECK(asker.say(*store, tenant, {rate(1, 1h, 1)}) == Said::admitted);
}

TEST_CASE("leases: no more than the burst and a slice for each replica", "[guard][redis]") {
  const RedisServer server;
  auto options = patient(server);
  options.mode = StoreMode::lease;
  options.slice = 10;
  std::vector<std::unique_ptr<SharedStore>> replicas;
  for (int i = 0; i < 3; ++i) replicas.push_back(open_up(options));
  constexpr std::int64_t burst = 100;
  const auto by_window = GENERATE(false, true);
  const std::vector charges{by_window ? quota(1, burst, 24h) : rate(1, 1h, burst)};
  std::atomic<std::int64_t> admitted{0};
  std::vector<std::thread> loops;
  for (const auto& replica : replicas) {
    loops.emplace_back([&] {
      // Until this replica is refused for good: what it borrowed is used and Redis has no more.
      const auto deadline = std::chrono::steady_clock::now() + patience;
      while (std::chrono::steady_clock::now() < deadline) {
        const SharedVerdict verdict = replica->lease(tenant, charges, now_ns());
        if (verdict.kind == SharedVerdict::Kind::admitted) ++admitted;
        if (verdict.kind == SharedVerdict::Kind::refused) return;
      }
    });
  }
  for (std::thread& loop : loops) loop.join();
  const std::int64_t slices = 3 * options.slice;
  CHECK(admitted >= burst);
  CHECK(admitted <= burst + slices);
  for (const auto& replica : replicas) {
    const SharedVerdict verdict = replica->lease(tenant, charges, now_ns());
    CHECK(verdict.kind == SharedVerdict::Kind::refused);
    CHECK(verdict.wait > 0);
  }
  CHECK(becomes([&] {
    return replicas[0]->stats().leased + replicas[1]->stats().leased + replicas[2]->stats().leased == static_cast<std::uint64_t>(admitted);
  }));
}

TEST_CASE("leases: what one replica took, Redis knows", "[guard][redis]") {
  const RedisServer server;
  auto options = patient(server);
  options.mode = StoreMode::lease;
  options.slice = 4;
  const auto store = open_up(options);
  const SharedCharge charge = rate(1, 1h, 100), observed = soft(rate(2, 1h, 100));
  for (int taken = 0; taken < 20;) {
    if (store->lease(tenant, std::vector{charge, observed}, now_ns()).kind == SharedVerdict::Kind::admitted) ++taken;
  }
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::hours>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  // What was admitted, and at most half a slice in advance; all of the soft ones after the sweep.
  CHECK(becomes([&] { return microseconds_of(server, charge) / 3'600'000'000 - now() >= 20; }));
  CHECK(microseconds_of(server, charge) / 3'600'000'000 - now() <= 23);
  CHECK(becomes([&] { return microseconds_of(server, observed) / 3'600'000'000 - now() >= 20; }));
  CHECK(microseconds_of(server, observed) / 3'600'000'000 - now() <= 21);
}
