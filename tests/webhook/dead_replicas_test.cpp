// Who is dead: by leases and by counters that stand still, at a clock of its own.
#include "webhook/dead_replicas.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using namespace std::chrono_literals;

namespace {

// Two others, `a` and `b`, whose leases were renewed at `renewed`; we are `me`.
struct Leases {
  Clock::time_point now{1'000'000s};
  std::map<std::string, Clock::time_point, std::less<>> renewed{{"a", now}, {"b", now}, {"me", now}};
  Holds holds{{"a", {.granted = {{"pods", 3}}, .released = {}, .as_of = {}, .rv = {}, .used = {}}}, {"b", {}}, {"me", {}}};
  DeadReplicas replicas;

  // "dead a=3; lapsed a", "" when there is nothing to tell.
  std::string look() {
    const auto verdict = replicas.look(
        holds, "me", [this](std::string_view key) { return renewed.find(key)->second; }, {.lapse = 16s, .death = 90s}, now);
    if (!verdict) return "";
    std::string text = "dead";
    for (const auto& [key, granted] : verdict->dead) text += " " + key + "=" + std::to_string(amount_of(granted, "pods"));
    text += "; lapsed";
    for (const std::string& key : verdict->lapsed) text += " " + key;
    return text;
  }
  void pass(std::chrono::seconds time, const std::string& still_renewed) {
    now += time;
    renewed[still_renewed] = now;
  }
};

}  // namespace

TEST_CASE("dead replicas: silent leases lapse, then their holders are dead", "[webhook][quota]") {
  Leases l;
  CHECK(l.look().empty());
  l.pass(16s, "b");
  CHECK(l.look().empty());  // not a moment early
  l.pass(1s, "b");
  CHECK(l.look() == "dead; lapsed a");
  CHECK(l.look().empty());  // no news
  CHECK_FALSE(l.replicas.any());
  l.pass(73s, "b");
  CHECK(l.look().empty());
  l.pass(1s, "b");
  CHECK(l.look() == "dead a=3; lapsed a");
  CHECK(l.look() == "dead a=3; lapsed a");  // as long as there is somebody
  CHECK(l.replicas.any());
  l.holds.erase("a");
  CHECK(l.look() == "dead; lapsed");  // once more, that there is nobody now
  CHECK(l.look().empty());
}

TEST_CASE("dead replicas: who grants lives, whatever is known of its lease", "[webhook][quota]") {
  Leases l;
  l.look();
  l.pass(80s, "b");
  CHECK(l.look() == "dead; lapsed a");
  l.holds["a"].granted["pods"] = 4;  // seen late: it granted meanwhile
  l.pass(11s, "b");
  CHECK(l.look() == "dead; lapsed");
  l.pass(91s, "b");
  CHECK(l.look() == "dead a=4; lapsed a");
  l.renewed["a"] = l.now;  // it came back
  CHECK(l.look() == "dead; lapsed");
}

TEST_CASE("dead replicas: who has just come, before its lease is seen, is alive; we are always", "[webhook][quota]") {
  Leases l;
  l.pass(1'000s, "b");
  l.renewed["c"] = {};
  l.holds["c"].granted["pods"] = 1;
  CHECK(l.look().empty());  // all are seen for the first time
  l.pass(17s, "b");
  CHECK(l.look() == "dead; lapsed a c");
  l.pass(80s, "b");
  CHECK(l.look() == "dead a=3 c=1; lapsed a c");  // `me` is as silent as they
}
