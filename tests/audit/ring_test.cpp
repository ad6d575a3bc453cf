#include "audit/ring.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "tests/catch.hpp"

namespace portcullis::audit {
namespace {

// The n-th frame's bytes are a function of n, so the reader needs no list of what was sent.
struct Made {
  std::string before, after, secret;
};
Made make(std::uint32_t n) {
  std::minstd_rand random(n + 1);
  const auto bytes = [&](std::size_t max) { return std::string(random() % (max + 1), static_cast<char>('a' + n % 26)); };
  const bool is_large = random() % 16 == 0;
  return {std::to_string(n) + ":" + bytes(is_large ? 8000 : 300), bytes(is_large ? 8000 : 80),
          bytes(is_large ? frame_secret_bytes_max : 16)};
}

bool send(Ring& ring, const Made& made) {
  char* room = ring.reserve();
  if (room == nullptr) return false;
  std::memcpy(room, made.before.data(), made.before.size());
  std::memcpy(room + made.before.size(), made.after.data(), made.after.size());
  std::memcpy(room + made.before.size() + made.after.size(), made.secret.data(), made.secret.size());
  ring.publish(made.before.size(), made.after.size(), made.secret.size(), made.secret.empty() ? Secret::none : Secret::input);
  return true;
}

bool is(const Frame& frame, const Made& made) {
  return frame.before == made.before && frame.after == made.after && frame.secret == made.secret &&
         frame.kind == (made.secret.empty() ? Secret::none : Secret::input);
}

TEST_CASE("a ring gives what it got, in order, from another thread", "[audit]") {
  constexpr std::uint32_t frames = 100'000;
  Ring ring(0);  // the smallest there is
  std::thread producer([&] {
    for (std::uint32_t n = 0; n < frames; ++n) {
      const Made made = make(n);
      while (!send(ring, made)) std::this_thread::yield();
    }
  });
  std::uint32_t seen = 0;
  bool all_right = true;
  while (seen < frames) {
    unsigned taken = 0;
    ring.consume([&](const Frame& frame) {
      if (taken++ == 50) return false;  // ends early now and then
      all_right = all_right && is(frame, make(seen));
      ++seen;
      return true;
    });
  }
  producer.join();
  CHECK(all_right);
  CHECK(ring.is_empty());
}

TEST_CASE("a full ring says so, loses nothing, and goes on", "[audit]") {
  Ring ring(0);
  std::uint32_t sent = 0, seen = 0;
  for (int round = 0; round < 50; ++round) {
    while (send(ring, make(sent))) ++sent;
    CHECK(ring.is_half_full());
    REQUIRE(ring.reserve() == nullptr);
    const std::uint32_t stop = round % 2 == 0 ? sent : (seen + sent) / 2;
    ring.consume([&](const Frame& frame) {
      if (seen == stop) return false;
      REQUIRE(is(frame, make(seen)));
      ++seen;
      return true;
    });
    REQUIRE(seen == stop);
    REQUIRE(ring.reserve() != nullptr);
  }
}

TEST_CASE("a ring found empty starts at its beginning", "[audit]") {
  constexpr std::size_t bytes = 4 * 1024 * 1024;
  Ring ring(bytes);
  const char* const first = ring.reserve();
  const char* highest = first;
  for (std::uint32_t n = 0; n < 50'000; ++n) {
    highest = std::max<const char*>(highest, ring.reserve());
    REQUIRE(send(ring, make(n)));
    ring.consume([](const Frame&) { return true; });
  }
  CHECK(highest - first <= static_cast<std::ptrdiff_t>(bytes / 4));
}

}  // namespace
}  // namespace portcullis::audit
