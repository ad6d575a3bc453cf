// The budget protocol under random schedules: larger worlds than the model check can go through, with three replicas, several
// dimensions of two resources, and every fault of quota_world.hpp. PORTCULLIS_QUOTA_SCHEDULES says how many, and
// PORTCULLIS_QUOTA_SEED where to begin: a failure names its seed.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "tests/catch.hpp"
#include "tests/webhook/quota_world.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using namespace portcullis::webhook::world;

namespace {

constexpr unsigned long schedules_default = 5'000, steps_max = 300;

unsigned long from_environment(const char* name, unsigned long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

World random_world(std::mt19937_64& random) {
  const auto up_to = [&](int most) { return static_cast<int>(random() % static_cast<unsigned long>(most + 1)); };
  const Amounts hard{{"pods", 1 + up_to(4)}, {"memory", 2 + up_to(8)}, {"pvcs", 1 + up_to(2)}};
  std::vector<Write> writes;
  const int creates = 3 + up_to(5);
  for (int index = 0; index < creates; ++index) {
    Write write;
    write.uid = "u" + std::to_string(index);
    const bool claim = up_to(3) == 0;
    write.name = {claim ? "pvcs" : "pods", "acme-prod", up_to(4) == 0 ? "same" : write.uid};
    write.wanted = claim ? Amounts{{"pvcs", 1}} : Amounts{{"pods", 1}, {"memory", 1 + up_to(3)}};
    writes.push_back(write);
    for (int updates = up_to(2); updates > 0 && !claim; --updates) {
      write.update = true;
      write.wanted["memory"] = 1 + up_to(5);
      writes.push_back(write);
    }
  }
  Budget budget;
  for (int* each : {&budget.lost_replies, &budget.timeouts, &budget.deletes, &budget.fails, &budget.bookmarks, &budget.duplicates,
                    &budget.relists, &budget.failed_reads, &budget.retries})
    *each = up_to(3);
  for (int* each : {&budget.crashes, &budget.restarts, &budget.pauses, &budget.passes, &budget.expiries}) *each = up_to(2);
  Faults faults;
  faults.settles_late = up_to(3) == 0;
  return World(hard, std::move(writes), budget, faults, 3);
}

}  // namespace

TEST_CASE("quota schedules: usage is never above hard", "[webhook][quota]") {
  const unsigned long schedules = from_environment("PORTCULLIS_QUOTA_SCHEDULES", schedules_default);
  const unsigned long first = from_environment("PORTCULLIS_QUOTA_SEED", 1);
  std::size_t stored = 0;
  for (unsigned long seed = first; seed < first + schedules; ++seed) {
    std::mt19937_64 random(seed);
    World world = random_world(random);
    std::string way;
    std::string flaw;
    for (unsigned long count = 0; count < steps_max && flaw.empty(); ++count) {
      const std::vector<Step> steps = world.steps();
      if (steps.empty()) break;
      const Step step = steps[random() % steps.size()];
      way += step.text() + "; ";
      world.take(step);
      flaw = world.flaw();
    }
    if (flaw.empty() && seed % 10 == 0) flaw = world.stuck();
    if (!flaw.empty()) {
      INFO("seed " << seed << ": " << way << "\n" << flaw << "\n" << world.text());
      CHECK(flaw.empty());
      return;
    }
    stored += static_cast<std::size_t>(
        std::count_if(world.writes().begin(), world.writes().end(), [](const Write& write) { return write.phase == Phase::stored; }));
  }
  CHECK(stored > schedules);  // else nothing was tried
}
