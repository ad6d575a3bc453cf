#include "policy/object/quantity.hpp"

#include <fstream>
#include <limits>
#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;

namespace {

std::string decimal(Quantity::Nanos nanos) {
  __extension__ using Wide = unsigned __int128;
  Wide rest = nanos < 0 ? Wide{0} - static_cast<Wide>(nanos) : static_cast<Wide>(nanos);
  std::string digits;
  do digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  while ((rest /= 10) != 0);
  return (nanos < 0 ? "-" : "") + digits;
}

std::string nanos_of(std::string_view text) {
  const auto quantity = Quantity::parse(text);
  return quantity ? decimal(quantity->nanos()) : "refused";
}

}  // namespace

TEST_CASE("quantities are what Kubernetes takes them for (threats 74, 75)", "[policy][quantity]") {
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/tests/data/quantities.tsv");
  REQUIRE(file);
  std::string line;
  int rows = 0;
  while (std::getline(file, line)) {
    if (line.starts_with("# ")) continue;
    const std::size_t tab = line.find('\t');
    REQUIRE(tab != std::string::npos);
    const std::string text = line.substr(0, tab);
    CAPTURE(text);
    CHECK(nanos_of(text) == line.substr(tab + 1));
    ++rows;
  }
  CHECK(rows > 400);
}

TEST_CASE("quantities by name", "[policy][quantity]") {
  struct Case {
    const char *text, *nanos;
  };
  const Case cases[] = {
      {"1E", "1000000000000000000000000000"},  // exa
      {"1E3", "1000000000000"},                // an exponent
      {"1e3", "1000000000000"},
      {"0.1m", "100000"},
      {"0.1n", "1"},  // rounded up to the least there is
      {"-1", "-1000000000"},
      {"9223372036854775808Ki", "9223372036854775807000000000"},  // capped, with a binary suffix only
      {"100E", "100000000000000000000000000000"},
      {"1e400", "170141183460469231731687303715884105727"},
      {"1 Gi", "refused"},
      {"1gi", "refused"},
      {"0x10", "refused"},
      {"", "refused"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION("`" << c.text << "`") { CHECK(nanos_of(c.text) == c.nanos); }
  }
  CHECK_FALSE(Quantity::parse(std::string(129, '1')));  // above the bound on bytes
  CHECK(Quantity::parse(std::string(128, '0')));
}

TEST_CASE("a quantity in an object is a string or a number (threats 76)", "[policy][quantity]") {
  const Tree tree = testing::tree_of("{a: 0.5, b: '500m', c: ' 500m ', d: null, e: true, f: {}, g: [1], h: ''}");
  const Value root = tree.root();
  CHECK(Quantity::parse(root["a"]) == Quantity::parse("500m"));
  CHECK(Quantity::parse(root["b"]) == Quantity::parse("500m"));
  CHECK(Quantity::parse(root["c"]) == Quantity::parse("500m"));  // UnmarshalJSON trims
  for (const char* name : {"d", "e", "f", "g", "h", "absent"}) {
    CAPTURE(name);
    CHECK_FALSE(Quantity::parse(root[name]));
  }
}

TEST_CASE("quantities print short and exact", "[policy][quantity]") {
  for (const char* text :
       {"0", "500m", "1.5", "2Gi", "1Ki", "7Ei", "1536Mi", "1u", "1n", "-500m", "-2Gi", "1000", "1.000000001", "12m", "2500"}) {
    CAPTURE(text);
    CHECK(Quantity::parse(text)->text() == text);
  }
  CHECK(Quantity::parse("2048Mi")->text() == "2Gi");
  CHECK(Quantity::parse("1500m")->text() == "1.5");
}

TEST_CASE("whatever a quantity prints parses to the same quantity", "[policy][quantity]") {
  for (const char* text : {"123456789n", "1.5Gi", "0.3Ki", "9223372036854775807", "1e20", "-1e20", "7u", "1025", "3.14159"}) {
    CAPTURE(text);
    const auto quantity = Quantity::parse(text);
    REQUIRE(quantity);
    CHECK(Quantity::parse(quantity->text()) == quantity);
  }
}

TEST_CASE("sums and products of quantities saturate (threats 78)", "[policy][quantity]") {
  const Quantity most = *Quantity::parse("1e400");
  CHECK(most + most == most);
  CHECK(most * 1000 == most);
  CHECK((most * -1000).negative());
  CHECK(Quantity::of_units(std::numeric_limits<std::int64_t>::max()) * std::numeric_limits<std::int64_t>::max() == most);
  CHECK(Quantity::of_units(2) + Quantity::of_units(3) == Quantity::of_units(5));
  CHECK(Quantity::of_units(2) * 3 > Quantity::of_units(5));
}
