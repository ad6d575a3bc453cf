// The budget protocol, model-checked: every order of events of small worlds (quota_world.hpp), two replicas, budgets of two.
// In no state is usage above hard, and all that may still be stored is covered; from each state on, held amounts return to
// zero and a write that fits is let through. Each safeguard is then switched off, and the check has to find what breaks.
#include <algorithm>
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

constexpr std::size_t states_max = 4'000'000;

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

const std::vector<Write> two{create("x"), create("y")};
const std::vector<Write> three{create("x"), create("y"), create("z")};
const std::vector<Write> down_and_up{create("x", 2), update("x", 1), update("x", 2), create("y", 1)};

const std::vector<Scenario> scenarios{
    {"a reply is lost", {{"pods", 1}}, two, {.lost_replies = 1}},
    {"a write comes late", {{"pods", 1}}, two, {.timeouts = 1}},
    {"objects that never come", {{"pods", 1}}, two, {.fails = 1, .passes = 1}},
    {"a delete", {{"pods", 1}}, two, {.deletes = 1, .passes = 1}},
    {"a replica dies", {{"pods", 1}}, two, {.crashes = 1, .passes = 1}},
    {"a replica comes back", {{"pods", 1}}, two, {.crashes = 1, .restarts = 1}},
    {"a replica sleeps", {{"pods", 1}}, two, {.pauses = 1, .passes = 1}},
    {"three creates", {{"pods", 2}}, three, {}},
    {"one name twice", {{"pods", 2}}, {create("x", 1, "web"), create("y", 2, "web")}, {.deletes = 1}},
    {"an update", {{"pods", 2}}, {create("x", 1), update("x", 2), create("y", 1)}, {}},
    {"two updates at once", {{"pods", 2}}, {create("x", 1), update("x", 2), update("x", 2)}, {}},
    {"down and up", {{"pods", 2}}, down_and_up, {}},
};

// Larger ones, for a night.
const std::vector<Scenario> large{
    {"a replica comes back", {{"pods", 1}}, two, {.crashes = 1, .restarts = 1, .passes = 1}},
    {"replies are lost", {{"pods", 2}}, three, {.lost_replies = 1, .timeouts = 1}},
    {"a replica dies", {{"pods", 2}}, three, {.timeouts = 1, .crashes = 1, .restarts = 1, .passes = 1, .bookmarks = 1}},
    {"a replica sleeps", {{"pods", 2}}, three, {.pauses = 1, .passes = 1, .bookmarks = 1}},
    {"objects that never come", {{"pods", 2}}, three, {.deletes = 1, .fails = 1, .passes = 1}},
};

struct Mutant {
  const char* name;
  Faults faults;
  Scenario scenario;
};

Faults without(bool Safeguards::*safeguard, bool Guard::*rule = nullptr) {
  Faults faults;
  if (safeguard != nullptr) faults.safeguards.*safeguard = false;
  if (rule != nullptr) faults.guard.*rule = false;
  return faults;
}

Faults late(Faults faults) {
  faults.settles_late = true;
  return faults;
}

Faults reclaim_at_once() {
  Faults faults;
  faults.reclaim_at_once = true;
  return faults;
}

Faults reuse_key() {
  Faults faults;
  faults.reuse_key = true;
  return faults;
}

const Budget a_death{.crashes = 1, .passes = 1};
const std::vector<Mutant> mutants{
    {"no guard in the API server", without(nullptr, &Guard::no_grant_beyond_hard), {"", {{"pods", 2}}, three, {}}},
    {"a net hold", late(without(&Safeguards::counters)), {"", {{"pods", 2}}, three, {}}},
    {"release without a view",
     late(without(&Safeguards::publish_with_release, &Guard::release_what_was_seen)),
     {"", {{"pods", 2}}, three, {}}},
    {"an older view believed", without(nullptr, &Guard::newest_view_counts), {"", {{"pods", 2}}, three, {}}},
    {"expiry by the clock alone", without(&Safeguards::look_before_expiry), {"", {{"pods", 1}}, two, {.passes = 1}}},
    {"reclaim at once", reclaim_at_once(), {"", {{"pods", 1}}, two, a_death}},
    {"reclaim before the view has it", without(&Safeguards::barrier_before_reclaim), {"", {{"pods", 1}}, two, a_death}},
    {"reclaim of one that came back", without(&Safeguards::unchanged_before_reclaim), {"", {{"pods", 2}}, two, {.pauses = 1, .passes = 1}}},
    {"a timeout taken for done", without(&Safeguards::compare_after_unknown), {"", {{"pods", 1}}, two, {.timeouts = 1}}},
    {"a late write undoes", without(nullptr, &Guard::counters_rise), {"", {{"pods", 2}}, two, {.timeouts = 1}}},
    {"an old key used again", reuse_key(), {"", {{"pods", 1}}, two, {.crashes = 1, .restarts = 1}}},
    {"answered before it is counted", without(&Safeguards::pend_before_answer), {"", {{"pods", 1}}, two, {}}},
    {"any event ends an update", without(&Safeguards::newer_than_found), {"", {{"pods", 2}}, down_and_up, {}}},
    {"a sleeper answers", without(&Safeguards::lease_before_answer), {"", {{"pods", 1}}, two, {.pauses = 1, .passes = 1}}},
};

struct Outcome {
  std::size_t states = 0;
  std::string flaw;
  std::vector<Step> way;  // to the flaw
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

enum class Order { common_first, rare_first };

// Depth first, each state once. `stuck_every`: how many states there are to one that is followed to its end, 0 for none.
Outcome check(const Scenario& scenario, const Faults& faults, std::size_t stuck_every, Order order) {
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
    if (order == Order::rare_first) std::reverse(following.begin(), following.end());
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

// Sanitizers make every step many times dearer and there is one thread: a few small worlds tell them all there is.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t worlds_max = 3, mutants_max = 2;
#else
constexpr std::size_t worlds_max = 100, mutants_max = 100;
#endif

void check_all(const std::vector<Scenario>& worlds, std::size_t stuck_every) {
  for (std::size_t i = 0; i < std::min(worlds.size(), worlds_max); ++i) {
    const Scenario& scenario = worlds[i];
    DYNAMIC_SECTION(scenario.name) {
      const auto since = std::chrono::steady_clock::now();
      const Outcome outcome = check(scenario, {}, stuck_every, Order::common_first);
      if (std::getenv("PORTCULLIS_MODEL_FIGURES") != nullptr) {
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
        std::printf("%-26s %8zu states %6.1f s\n", scenario.name, outcome.states, seconds);
        std::fflush(stdout);
      }
      INFO(story(outcome));
      CHECK(outcome.flaw.empty());
      CHECK(outcome.states < states_max);
    }
  }
}

}  // namespace

TEST_CASE("quota model: no order of events lets too much through", "[webhook][quota][model]") { check_all(scenarios, 100); }

TEST_CASE("quota model: larger worlds", "[.][model-large]") { check_all(large, 1'000); }

TEST_CASE("quota model: each safeguard is needed", "[webhook][quota][model]") {
  for (std::size_t i = 0; i < std::min(mutants.size(), mutants_max); ++i) {
    const Mutant& mutant = mutants[i];
    const Outcome outcome = check(mutant.scenario, mutant.faults, 0, Order::rare_first);
    INFO(mutant.name << ": nothing found in " << outcome.states << " states");
    CHECK(!outcome.flaw.empty());
    if (std::getenv("PORTCULLIS_MODEL_FIGURES") != nullptr) {
      std::printf("%-32s found after %zu states: %s\n", mutant.name, outcome.states,
                  outcome.flaw.substr(0, outcome.flaw.find('\n')).c_str());
      std::fflush(stdout);
    }
  }
}
