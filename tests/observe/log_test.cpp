#include "observe/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "tests/catch.hpp"

namespace portcullis::observe {
namespace {

// What is logged while it lives, without the time.
class Captured {
 public:
  Captured() {
    set_log_sink([this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line.substr(line.find(' ') + 1));
    });
  }
  ~Captured() {
    set_log_sink({});
    set_level(Level::info);
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST_CASE("a log line is an event and fields", "[observe]") {
  Captured captured;
  log(Level::info, "connection_closed", {{"peer", "10.0.0.7:51322"}, {"requests", 14}, {"reason", "read timeout"}});
  log(Level::warn, "nothing_more");
  CHECK(captured.lines() == std::vector<std::string>{
                                R"(level=info event=connection_closed peer=10.0.0.7:51322 requests=14 reason="read timeout")",
                                "level=warn event=nothing_more",
                            });
}

TEST_CASE("a log value cannot pretend to be more", "[observe]") {
  struct Case {
    const char* name;
    std::string value;
    std::string shown;
  };
  const Case cases[] = {
      {"empty", "", R"("")"},
      {"new line", "a\nlevel=error event=forged", R"("a\nlevel=error event=forged")"},
      {"equals", "a=b", R"("a=b")"},
      {"quote", R"(say "x")", R"("say \"x\"")"},
      {"backslash", R"(a\n)", R"("a\\n")"},
      {"terminal", "\x1b[2J", R"("\u001b[2J")"},
      {"bidi", "a\u202eb", R"("a\u202eb")"},
      {"invalid UTF-8", "a\xff", "\"a\xef\xbf\xbd\""},
      {"letters", "Zürich", "\"Zürich\""},
      {"long", std::string(5000, 'x'), std::string(1021, 'x') + "..."},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Captured captured;
      log(Level::error, "e", {{"value", c.value}});
      CHECK(captured.lines() == std::vector<std::string>{"level=error event=e value=" + c.shown});
    }
  }
}

TEST_CASE("levels", "[observe]") {
  Captured captured;
  log(Level::debug, "hidden");
  CHECK_FALSE(log_enabled(Level::debug));
  set_level(Level::debug);
  log(Level::debug, "shown");
  set_level(Level::error);
  log(Level::warn, "hidden");
  CHECK(captured.lines() == std::vector<std::string>{"level=debug event=shown"});
  Level level = Level::info;
  CHECK(parse_level("warn", level));
  CHECK(level == Level::warn);
  CHECK_FALSE(parse_level("WARN", level));
  CHECK_FALSE(parse_level("", level));
}

TEST_CASE("repeated lines say how many were left out", "[observe]") {
  Captured captured;
  for (int i = 0; i < 100; ++i) log_limited(Level::warn, "limited_once", {{"i", i}}, 3);
  log_limited(Level::warn, "limited_other", {}, 3);  // has an allowance of its own
  CHECK(captured.lines() == std::vector<std::string>{"level=warn event=limited_once i=0", "level=warn event=limited_once i=1",
                                                     "level=warn event=limited_once i=2", "level=warn event=limited_other"});
  // The window is a second of the steady clock; the first line after it tells.
  const Deadline deadline = Clock::now() + std::chrono::seconds(10);
  std::uint64_t tries = 0;
  while (captured.lines().size() == 4 && Clock::now() < deadline) {
    log_limited(Level::warn, "limited_once", {{"i", 100}}, 3);
    ++tries;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  REQUIRE(captured.lines().size() == 5);
  CHECK(captured.lines().back() == "level=warn event=limited_once i=100 left_out=" + std::to_string(97 + tries - 1));
}

TEST_CASE("the time comes first, and lines of several threads stay whole", "[observe]") {
  std::mutex mutex;
  std::vector<std::string> lines;
  set_log_sink([&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) log(Level::info, "e", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  set_log_sink({});
  REQUIRE(lines.size() == 2000);
  std::array<int, 4> next{};
  for (std::string line : lines) {
    for (std::size_t i = 0; i < line.find(' '); ++i) {
      if (line[i] >= '0' && line[i] <= '9') line[i] = '0';
    }
    const auto thread = static_cast<std::size_t>(line.at(line.find("thread=") + 7) - '0');
    REQUIRE(line == "time=0000-00-00T00:00:00.000000Z level=info event=e thread=" + std::to_string(thread) +
                        " i=" + std::to_string(next.at(thread)++));
  }
}

TEST_CASE("without a sink of one's own lines go to standard error", "[observe]") {
  int pipe_ends[2];
  REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
  const int kept = ::dup(STDERR_FILENO);
  REQUIRE(::dup2(pipe_ends[1], STDERR_FILENO) >= 0);
  log(Level::info, "to_standard_error");
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
  ::close(pipe_ends[1]);
  char text[512];
  const ssize_t got = ::read(pipe_ends[0], text, sizeof text);
  ::close(pipe_ends[0]);
  REQUIRE(got > 0);
  const std::string line(text, static_cast<std::size_t>(got));
  CHECK(line.find(" level=info event=to_standard_error\n") != std::string::npos);
}

}  // namespace
}  // namespace portcullis::observe
