// The budget protocol, model-checked: every order of events of small worlds (quota_world.hpp), two replicas, budgets of two.
// In no state is usage above hard, and all that may still be stored is covered; from each state on, held amounts return to
// zero and a write that fits is let through. Each safeguard is then switched off, and the check has to find what breaks.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "tests/catch.hpp"
#include "tests/webhook/quota_world.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using namespace portcullis::webhook::world;

namespace {

struct Scenario {
  const char* name;
  Amounts hard;
  std::vector<Write> writes;
  Budget budget;
};

Write create(const std::string& uid, std::int64_t pods = 1, const std::string& name = "") {
  return {.uid = uid, .name = {"pods", "acme-prod", name.empty() ? uid : name}, .wanted = {{"pods", pods}}, .base = {}};
}

Write update(const std::string& uid, std::int64_t pods) {
  Write write = create(uid, pods);
  write.update = true;
  return write;
}

std::vector<Scenario> scenarios() {
  const std::vector<Write> three{create("x"), create("y"), create("z")};
  return {
      {"three creates", {{"pods", 2}}, three, {}},
      {"replies are lost", {{"pods", 2}}, {create("x"), create("y"), create("z")}, {.lost_replies = 1, .timeouts = 1}},
      {"objects that never come", {{"pods", 1}}, {create("x"), create("y")}, {.fails = 1, .passes = 1}},
      {"deletes", {{"pods", 1}}, {create("x"), create("y")}, {.deletes = 1, .passes = 1}},
      {"a replica dies",
       {{"pods", 1}},
       {create("x"), create("y")},
       {.timeouts = 1, .crashes = 1, .restarts = 1, .passes = 1, .bookmarks = 1}},
      {"a replica sleeps", {{"pods", 1}}, {create("x"), create("y")}, {.pauses = 1, .passes = 1, .bookmarks = 1}},
      {"one name twice", {{"pods", 2}}, {create("x", 1, "web"), create("y", 2, "web")}, {.deletes = 1, .passes = 1}},
      {"updates", {{"pods", 3}}, {create("x", 1), update("x", 3), update("x", 2), create("y", 1)}, {}},
  };
}

struct Outcome {
  std::size_t states = 0;
  std::string flaw;
  std::vector<Step> way;
};

struct Hash128 {
  std::uint64_t a, b;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};
struct HashOf {
  std::size_t operator()(const Hash128& hash) const { return hash.a; }
};

Hash128 hash_of(const std::string& text) {
  const std::size_t half = std::hash<std::string_view>{}(text);
  std::uint64_t other = 1469598103934665603ULL;
  for (std::size_t at = 0; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    __builtin_memcpy(&word, text.data() + at, 8);
    other = (other ^ word) * 1099511628211ULL;
    other ^= other >> 29;
  }
  return {half, other};
}

// Depth first, each state once. `stuck_every`: how many states there are to one that is followed to its end.
Outcome check(const Scenario& scenario, const Faults& faults, std::size_t states_max, std::size_t stuck_every) {
  Outcome outcome;
  std::unordered_set<Hash128, HashOf> known;
  struct Level {
    World world;
    std::vector<Step> steps;
    std::size_t next = 0;
  };
  std::vector<Level> stack;
  World first(scenario.hard, scenario.writes, scenario.budget, faults);
  known.insert(hash_of(first.text()));
  std::vector<Step> steps = first.steps();
  stack.push_back({std::move(first), std::move(steps)});
  const auto fail = [&](std::string flaw) {
    outcome.flaw = std::move(flaw);
    for (const Level& level : stack) outcome.way.push_back(level.steps[level.next - 1]);
  };
  while (!stack.empty() && known.size() < states_max) {
    Level& top = stack.back();
    if (top.next == top.steps.size()) {
      stack.pop_back();
      continue;
    }
    World next = top.world;
    next.take(top.steps[top.next++]);
    if (!known.insert(hash_of(next.text())).second) continue;
    if (std::string flaw = next.flaw(); !flaw.empty()) {
      fail(std::move(flaw) + "\n" + next.text());
      break;
    }
    if (stuck_every > 0 && known.size() % stuck_every == 0) {
      if (std::string stuck = next.stuck(); !stuck.empty()) {
        fail(std::move(stuck));
        break;
      }
    }
    std::vector<Step> following = next.steps();
    stack.push_back({std::move(next), std::move(following)});
  }
  outcome.states = known.size();
  return outcome;
}

std::string story(const Outcome& outcome) {
  std::string text;
  for (const Step& step : outcome.way) text += step.text() + "; ";
  return text + "\n" + outcome.flaw;
}

}  // namespace

TEST_CASE("quota model: no order of events lets too much through", "[webhook][quota][model]") {
  for (const Scenario& scenario : scenarios()) {
    const auto since = std::chrono::steady_clock::now();
    const Outcome outcome = check(scenario, {}, 400'000, 50);
    std::printf("%-28s %8zu states %6.1f s %s\n", scenario.name, outcome.states,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count(), outcome.flaw.empty() ? "" : "FLAW");
    std::fflush(stdout);
    INFO(scenario.name);
    INFO(story(outcome));
    CHECK(outcome.flaw.empty());
  }
}
