// What a probe is told: which requirement is missing, and what one that needed to be met only once asks for later.
#include "cli/readiness.hpp"

#include <array>
#include <string>
#include <vector>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::cli;

TEST_CASE("what is required once is asked for until all of it was well once", "[cli]") {
  // What each of three requirements says at a probe, "" when it is well, and what the probe says then.
  struct Probe {
    std::array<std::string, 3> reasons;
    std::string text;
  };
  struct Case {
    const char* name;
    std::vector<Probe> probes;
  };
  const Case cases[] = {
      {"well from the start", {{{"", "", ""}, "ready\n"}}},
      {"each that is missing is named", {{{"no pods", "no tenants", "draining"}, "no pods\nno tenants\ndraining\n"}}},
      {"only what is missing is named", {{{"no pods", "", ""}, "no pods\n"}, {{"", "", ""}, "ready\n"}}},
      {"one after the other, never together",
       {{{"", "no tenants", ""}, "no tenants\n"}, {{"pods too old", "", ""}, "ready\n"}, {{"pods too old", "gone", ""}, "ready\n"}}},
      {"the reason is the present one", {{{"no pods", "", ""}, "no pods\n"}, {{"403", "", ""}, "403\n"}, {{"", "", ""}, "ready\n"}}},
      {"what was well once is not taken away", {{{"", "", ""}, "ready\n"}, {{"pods too old", "tenants too old", ""}, "ready\n"}}},
      {"what must hold always is", {{{"", "", ""}, "ready\n"}, {{"", "", "draining"}, "draining\n"}, {{"", "", ""}, "ready\n"}}},
      {"nor does the one stand for the other", {{{"", "", "draining"}, "draining\n"}, {{"gone", "gone", "draining"}, "draining\n"}}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::array<std::string, 3> now;
      Readiness readiness;
      readiness.require_once([&] { return now[0]; });
      readiness.require_once([&] { return now[1]; });
      readiness.require([&] { return now[2]; });
      for (std::size_t i = 0; i < c.probes.size(); ++i) {
        CAPTURE(i);
        now = c.probes[i].reasons;
        const Readiness::State state = readiness.state();
        CHECK(state.text == c.probes[i].text);
        CHECK(state.ready == (c.probes[i].text == "ready\n"));
      }
    }
  }
}

TEST_CASE("what is required once is not looked at any more when it was well", "[cli]") {
  int asked = 0;
  Readiness readiness;
  readiness.require_once([&] { return ++asked == 2 ? std::string() : std::string("no pods"); });
  CHECK_FALSE(readiness.state().ready);
  CHECK(readiness.state().ready);
  CHECK(readiness.state().ready);
  CHECK(asked == 2);
}

TEST_CASE("a door that was forgotten is not ready, whatever was well once", "[cli]") {
  Readiness readiness;
  readiness.require_once([] { return std::string(); });
  readiness.tell([] { return std::string("documents abc"); });
  readiness.tell([] { return std::string(); });
  CHECK(readiness.state().text == "ready\ndocuments abc\n");
  readiness.forget();
  CHECK_FALSE(readiness.state().ready);
  CHECK(readiness.state().text == "ended\n");
}
