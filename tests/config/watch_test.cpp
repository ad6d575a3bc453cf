// Changes of files are told: writes, swaps, new folders, a lone file; a burst is one call; a stream of writes is heard too.
#include "config/watch.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "tests/config/scratch.hpp"

using namespace portcullis;
using namespace portcullis::config;
using namespace portcullis::config::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds settle{20};

// Counts calls, and waits for the next one with a deadline.
class Calls {
 public:
  void call() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool reached(int wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= wanted; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace

TEST_CASE("a directory's changes are told", "[config]") {
  const Scratch scratch;
  scratch.write("sub/a.yaml", "1");
  Calls calls;
  const auto watch = Watch::start({{scratch.path(), [&] { calls.call(); }}}, settle);
  REQUIRE(watch);
  SECTION("a file below") {
    scratch.write("sub/a.yaml", "2");
    CHECK(calls.reached(1));
  }
  SECTION("a new folder and what is written there later") {
    scratch.write("new/b.yaml", "1");
    REQUIRE(calls.reached(2));  // the folder, and that it is watched from now on
    const int before = calls.count();
    scratch.write("new/b.yaml", "2");
    CHECK(calls.reached(before + 1));
  }
  SECTION("the swap of ..data") {
    scratch.write("..one/a.yaml", "1");
    fs::create_directory_symlink("..one", scratch.path() / "..data_tmp");
    REQUIRE(calls.reached(1));
    const int before = calls.count();
    fs::rename(scratch.path() / "..data_tmp", scratch.path() / "..data");
    CHECK(calls.reached(before + 1));
  }
  SECTION("a removal") {
    fs::remove(scratch.path() / "sub/a.yaml");
    CHECK(calls.reached(1));
  }
}

TEST_CASE("a lone file is watched through its folder, others there are not told", "[config]") {
  const Scratch scratch;
  scratch.write("tls.crt", "1");
  scratch.write("other", "1");
  Calls mine, all;
  const auto watch = Watch::start({{scratch.path() / "tls.crt", [&] { mine.call(); }}, {scratch.path(), [&] { all.call(); }}}, settle);
  REQUIRE(watch);
  scratch.write("other", "2");
  REQUIRE(all.reached(1));
  CHECK(mine.count() == 0);
  scratch.write("next", "2");
  fs::rename(scratch.path() / "next", scratch.path() / "tls.crt");
  CHECK(mine.reached(1));
}

TEST_CASE("who writes without end is heard", "[config]") {
  const Scratch scratch;
  scratch.write("a.yaml", "0");
  Calls calls;
  const auto watch = Watch::start({{scratch.path(), [&] { calls.call(); }}}, std::chrono::milliseconds(100));
  REQUIRE(watch);
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  int writes = 0;
  while (calls.count() == 0 && Clock::now() < deadline) {
    scratch.write("a.yaml", std::to_string(++writes));
    std::this_thread::yield();
  }
  CHECK(calls.count() > 0);
  CHECK(writes > 1);
}

TEST_CASE("a watch ends at once", "[config]") {
  const Scratch scratch;
  const auto began = Clock::now();
  for (int i = 0; i < 10; ++i) REQUIRE(Watch::start({{scratch.path(), [] {}}}, std::chrono::seconds(30)));
  CHECK(Clock::now() - began < std::chrono::seconds(5));
}
