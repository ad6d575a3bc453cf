// Planted ids: taken once, by who has them, in time; what is lost is given back.
#include "guard/planted_ids.hpp"

#include <random>
#include <set>
#include <string>
#include <thread>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace std::chrono_literals;

namespace {

constexpr Clock::time_point start{1000h};

std::string text(const PlantedId& id) { return std::string(id.text()); }

}  // namespace

TEST_CASE("planted ids: what was planted is taken, once", "[guard][planted]") {
  PlantedIds<std::string> ids;
  const std::string first = text(ids.plant("first", start)), second = text(ids.plant("second", start));
  CHECK(first.size() == planted_id_bytes);
  CHECK(first.starts_with("pg-"));
  CHECK(first.find_first_not_of("0123456789abcdef", 3) == std::string::npos);
  CHECK(ids.take(second, start + 1s) == "second");
  CHECK(ids.take(first, start + 599s) == "first");
  CHECK_FALSE(ids.take(first, start + 1s));
  CHECK(ids.stats().planted == 2);
  CHECK(ids.stats().taken == 2);
  CHECK(ids.stats().late == 1);
}

TEST_CASE("planted ids: nobody else makes one", "[guard][planted]") {
  PlantedIds<int> ids, others;
  const std::string id = text(ids.plant(1, start));
  SECTION("texts of another shape are nobody's") {
    for (const std::string& other :
         {std::string(), std::string("pg-"), std::string("admin"), id + "0", id.substr(0, 34), std::string(35, 'a')})
      CHECK_FALSE(ids.take(other, start));
    CHECK(ids.stats().forged == 0);
  }
  SECTION("each changed character is noticed") {
    for (std::size_t at = 3; at < id.size(); ++at) {
      for (const char c : {'0', '1', 'f', 'A', 'g', ' ', '\0'}) {
        std::string other = id;
        if (other[at] == c) continue;
        other[at] = c;
        CHECK_FALSE(ids.take(other, start));
      }
    }
    CHECK(ids.stats().forged > 32 * 5);
  }
  SECTION("that of another start") {
    const std::string other = text(others.plant(2, start));
    CHECK_FALSE(ids.take(other, start));
    CHECK(ids.stats().forged == 1);
  }
  CHECK(ids.take(id, start) == 1);
}

TEST_CASE("planted ids: they tell nothing of how many there were", "[guard][planted]") {
  const PlantedIdCode code;
  std::set<std::string> seen;
  std::array<int, 64> flipped{};
  std::uint64_t before = 0;
  for (std::uint64_t number = 0; number < 4096; ++number) {
    const PlantedId id = code.write(number);
    CHECK(code.read(id.text()) == number);
    seen.insert(text(id));
    const std::uint64_t mixed = std::stoull(text(id).substr(3, 16), nullptr, 16);
    for (unsigned bit = 0; number > 0 && bit < 64; ++bit) flipped[bit] += static_cast<int>((mixed ^ before) >> bit & 1);
    before = mixed;
  }
  CHECK(seen.size() == 4096);
  for (const int count : flipped) {  // every bit changes in half of the steps: 2048 +- 6 standard deviations of 32
    CHECK(count > 2048 - 192);
    CHECK(count < 2048 + 192);
  }
  CHECK(code.read(code.write(~std::uint64_t{0}).text()) == ~std::uint64_t{0});
}

TEST_CASE("planted ids: what no line came for is given back", "[guard][planted]") {
  std::vector<int> lost;
  PlantedIds<int> ids([&](int payload) { lost.push_back(payload); }, 128, 10min);
  SECTION("when it is due") {
    const std::string first = text(ids.plant(1, start)), second = text(ids.plant(2, start + 1min)),
                      third = text(ids.plant(3, start + 2min));
    CHECK(ids.take(first, start + 3min) == 1);
    ids.expire(start + 10min);
    CHECK(lost.empty());
    ids.expire(start + 11min);
    CHECK(lost == std::vector{2});
    CHECK_FALSE(ids.take(second, start + 11min));
    CHECK(ids.take(third, start + 11min) == 3);
    ids.expire(start + 20min);
    CHECK(lost == std::vector{2});
    CHECK(ids.stats().expired == 1);
  }
  SECTION("when its line comes late") {
    const std::string id = text(ids.plant(1, start));
    CHECK_FALSE(ids.take(id, start + 10min));
    CHECK(lost == std::vector{1});
    ids.expire(start + 10min);
    CHECK(lost == std::vector{1});
  }
  SECTION("when the ring has gone round") {
    std::vector<std::string> planted;
    for (int i = 0; i < 130; ++i) planted.push_back(text(ids.plant(i, start)));
    CHECK(lost == std::vector{0, 1});
    CHECK(ids.stats().overwritten == 2);
    CHECK_FALSE(ids.take(planted[1], start));
    for (int i = 2; i < 130; ++i) CHECK(ids.take(planted[static_cast<std::size_t>(i)], start) == i);
    // What was due already when it was overwritten counts as such.
    for (int i = 0; i < 128; ++i) ids.plant(i, start);
    for (int i = 0; i < 128; ++i) ids.plant(i, start + 1h);
    CHECK(ids.stats().overwritten == 2);
    CHECK(ids.stats().expired == 128);
    CHECK(lost.size() == 130);
    ids.expire(start + 2h);
    CHECK(lost.size() == 258);
  }
}

TEST_CASE("planted ids: loops plant, the reader takes, nothing is lost twice or not at all", "[guard][planted]") {
  std::atomic<std::uint64_t> lost{0};
  PlantedIds<std::unique_ptr<std::uint64_t>> ids([&](const auto& payload) { lost.fetch_add(*payload); }, 1024, 1h);
  constexpr std::uint64_t each = 20'000;
  std::mutex mutex;
  std::vector<std::string> log;
  std::atomic<unsigned> planting{2};
  std::uint64_t taken = 0;
  std::vector<std::thread> loops;
  for (unsigned loop = 0; loop < 2; ++loop) {
    loops.emplace_back([&] {
      for (std::uint64_t i = 1; i <= each; ++i) {
        std::string id = text(ids.plant(std::make_unique<std::uint64_t>(i), start));
        const std::lock_guard lock(mutex);
        log.push_back(std::move(id));
      }
      planting.fetch_sub(1);
    });
  }
  for (bool last = false; !last;) {
    last = planting.load() == 0;
    std::vector<std::string> lines;
    {
      const std::lock_guard lock(mutex);
      lines.swap(log);
    }
    for (const std::string& line : lines) {
      if (const auto payload = ids.take(line, start + 1s)) taken += **payload;
    }
    ids.expire(start + 1s);
  }
  for (std::thread& loop : loops) loop.join();
  ids.expire(start + 2h);
  CHECK(taken + lost.load() == 2 * each * (each + 1) / 2);
  CHECK(ids.stats().taken + ids.stats().overwritten + ids.stats().expired == 2 * each);
}
