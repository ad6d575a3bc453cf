#include "webhook/deadline.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis::webhook;

TEST_CASE("A139: the answer budget of ?timeout=", "[webhook][deadline]") {
  struct Case {
    const char *name, *query;
    int budget_ms;
  };
  const Case cases[] = {
      {"the API server's", "timeout=10s", 8'000},
      {"five seconds", "timeout=5s", 4'000},
      {"one second: half", "timeout=1s", 500},
      {"two seconds: half beats t - 1 s", "timeout=2s", 1'000},
      {"absent", "", 8'000},
      {"zero", "timeout=0s", 8'000},
      {"negative", "timeout=-5s", 8'000},
      {"no duration", "timeout=soon", 8'000},
      {"no unit", "timeout=10", 8'000},
      {"twice", "timeout=1s&timeout=30s", 8'000},
      {"huge", "timeout=1000000000s", 24'000},
      {"above every number", "timeout=99999999999999999999h", 8'000},
      {"below the floor", "timeout=1ms", 500},
      {"among others", "dryRun=1&timeout=1m30s&x", 24'000},
      {"fractions", "timeout=2.5s", 1'500},
      {"another name", "xtimeout=1s", 8'000},
      {"empty value", "timeout=", 8'000},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(answer_budget(c.query).count() == c.budget_ms); }
  }
}

TEST_CASE("durations as Go writes them", "[webhook][deadline]") {
  CHECK(parse_go_duration("1h2m3s")->count() == 3'723'000);
  CHECK(parse_go_duration("1.5s")->count() == 1'500);
  CHECK(parse_go_duration("250ms")->count() == 250);
  CHECK(parse_go_duration("\xC2\xB5s") == std::nullopt);
  CHECK(parse_go_duration("0")->count() == 0);
  CHECK_FALSE(parse_go_duration("1..5s"));
  CHECK_FALSE(parse_go_duration("s"));
  CHECK_FALSE(parse_go_duration("1s1"));
  CHECK_FALSE(parse_go_duration(std::string(100, '1') + "s"));
}
