// Tasks on a thread of their own: they run, wait, wake each other, and end when they are told to.
#include "net/background.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"
#include "tests/net/client.hpp"

namespace portcullis::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

net::Task<void> count_after(std::atomic<int>& count, Deadline deadline) {
  const bool slept = co_await net::sleep_until(deadline);
  if (slept) ++count;
}

net::Task<void> wait_for(net::Event& event, Deadline deadline, std::atomic<int>& told, std::atomic<int>& late) {
  const bool notified = co_await event.wait(deadline);
  ++(notified ? told : late);
}

}  // namespace

TEST_CASE("background: work and tasks run on one thread of their own", "[net][background]") {
  net::Background background("test");
  std::atomic<int> count{0};
  std::atomic<bool> elsewhere{false}, same{true};
  std::thread::id first;
  background.post([&] {
    first = std::this_thread::get_id();
    elsewhere = true;
  });
  for (int i = 0; i < 100; ++i) {
    background.spawn("counting", [&]() -> net::Task<void> {
      if (std::this_thread::get_id() != first) same = false;
      co_await count_after(count, Clock::now() + milliseconds(5));
      if (std::this_thread::get_id() != first) same = false;
    });
  }
  CHECK(becomes_true([&] { return count == 100; }));
  CHECK(elsewhere);
  CHECK(same);
  CHECK(first != std::this_thread::get_id());
  CHECK(background.stop(Clock::now() + seconds(patience_seconds)));
}

TEST_CASE("background: an event wakes who waits now, and nobody later", "[net][background]") {
  net::Background background("test");
  net::Event event;
  std::atomic<int> told{0}, late{0};
  std::atomic<bool> waits{false};
  for (int i = 0; i < 3; ++i) {
    background.spawn("waiting", [&] { return wait_for(event, Clock::now() + seconds(patience_seconds), told, late); });
  }
  background.post([&] { waits = true; });
  REQUIRE(becomes_true([&] { return waits.load(); }));
  background.post([&] { event.notify(); });
  CHECK(becomes_true([&] { return told == 3; }));
  background.spawn("waiting", [&] { return wait_for(event, Clock::now() + milliseconds(20), told, late); });
  CHECK(becomes_true([&] { return late == 1; }));
  CHECK(told == 3);
  // The state outlives an event that goes while it is waited for.
  auto passing = std::make_unique<net::Event>();
  background.spawn("waiting", [&] { return wait_for(*passing, Clock::now() + milliseconds(50), told, late); });
  background.post([&] { passing.reset(); });
  CHECK(becomes_true([&] { return late == 2; }));
  CHECK(background.stop(Clock::now() + seconds(patience_seconds)));
}

TEST_CASE("background: tasks end when it stops", "[net][background]") {
  std::atomic<int> count{0}, cancelled{0}, told{0}, late{0};
  net::Event event;
  {
    net::Background background("a-name-that-is-too-long");
    for (int i = 0; i < 10; ++i) background.spawn("sleeping", [&] { return count_after(count, Clock::now() + seconds(3600)); });
    struct Ending {
      std::atomic<int>& count;
      ~Ending() { ++count; }
    };
    background.spawn("forever", [&]() -> net::Task<void> {
      const Ending ending{cancelled};
      for (bool slept = true; slept;) slept = co_await net::sleep_until(Clock::now() + milliseconds(1));
      co_await net::sleep_until(Clock::now() + seconds(3600));  // throws
      ++count;
    });
    background.spawn("waiting", [&] { return wait_for(event, Deadline::max(), told, late); });
    std::atomic<bool> begun{false};
    background.post([&] { begun = true; });
    REQUIRE(becomes_true([&] { return begun.load(); }));
    SECTION("when asked") {
      CHECK(background.stop(Clock::now() + seconds(patience_seconds)));
      background.spawn("too late", [&] { return count_after(count, Clock::now()); });
    }
    SECTION("when it is destroyed") {}
  }
  CHECK(count == 0);
  CHECK(cancelled == 1);
  CHECK(late == 1);
  CHECK(told == 0);
}

TEST_CASE("background: a task that does not end holds up a stop until its deadline", "[net][background]") {
  std::atomic<bool> go_on{true};
  net::Background background("test");
  background.spawn("busy", [&]() -> net::Task<void> {
    while (go_on) std::this_thread::yield();
    co_return;
  });
  CHECK(!background.stop(Clock::now() + milliseconds(50)));
  go_on = false;
  CHECK(background.stop(Clock::now() + seconds(patience_seconds)));
}

}  // namespace portcullis::test
