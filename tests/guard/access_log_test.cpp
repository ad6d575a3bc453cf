// Traefik's access log: what a line says, and a file that is followed through all that is done to log files.
#include "guard/access_log.hpp"

#include <condition_variable>
#include <fstream>
#include <thread>

#include "guard/planted_ids.hpp"
#include "tests/catch.hpp"
#include "tests/temp_dir.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view some_id = "pg-0123456789abcdeffedcba9876543210";

// As Traefik 3.7 writes it.
std::string line(std::string_view user, std::string_view path = "/web/login", int status = 303) {
  return R"({"ClientAddr":"198.51.100.7:40102","ClientHost":"198.51.100.7","ClientPort":"40102","ClientUsername":")" + std::string(user) +
         R"(","DownstreamContentSize":215,"DownstreamStatus":)" + std::to_string(status) +
         R"(,"Duration":41234567,"OriginContentSize":215,"OriginDuration":40123456,"OriginStatus":)" + std::to_string(status) +
         R"(,"Overhead":1111111,"RequestAddr":"erp.acme.example","RequestContentSize":120,"RequestCount":17,"RequestHost":"erp.acme.example",)"
         R"("RequestMethod":"POST","RequestPath":")" +
         std::string(path) +
         R"(","RequestPort":"-","RequestProtocol":"HTTP/2.0","RequestScheme":"https","RetryAttempts":0,"RouterName":"acme@kubernetescrd",)"
         R"("ServiceAddr":"10.42.0.9:8069","ServiceName":"acme@kubernetescrd","ServiceURL":"http://10.42.0.9:8069","StartLocal":"2026-11-01T10:00:00Z",)"
         R"("StartUTC":"2026-11-01T10:00:00Z","entryPointName":"websecure","level":"info","msg":"","time":"2026-11-01T10:00:00Z"})";
}

std::string id_of(int number) {
  std::string id(some_id);
  const std::string digits = std::to_string(number);
  return id.replace(id.size() - digits.size(), digits.size(), digits);
}

// A reader, and what it told.
class Following {
 public:
  explicit Following(const std::filesystem::path& file, bool use_inotify = true, std::chrono::milliseconds poll_time = 20ms) {
    auto started = AccessLogReader::start({.file = file,
                                           .finished =
                                               [this](const FinishedRequest& request) {
                                                 const std::lock_guard lock(mutex_);
                                                 ids_.emplace_back(request.id);
                                                 changed_.notify_all();
                                               },
                                           .tick =
                                               [this] {
                                                 const std::lock_guard lock(mutex_);
                                                 ++ticks_;
                                                 changed_.notify_all();
                                               },
                                           .poll_time = poll_time,
                                           .use_inotify = use_inotify});
    REQUIRE(started);
    reader_ = *std::move(started);
  }
  ~Following() { reader_.reset(); }
  // Waits until it has told of `id`.
  [[nodiscard]] bool hears(const std::string& id) {
    return wait([&] { return std::find(ids_.begin(), ids_.end(), id) != ids_.end(); });
  }
  // Waits until the reader has looked at everything that there is now.
  void settle() {
    std::unique_lock lock(mutex_);
    const int until = ticks_ + 3;
    REQUIRE(changed_.wait_for(lock, 30s, [&] { return ticks_ >= until; }));
  }
  template <class Condition>
  [[nodiscard]] bool wait(const Condition& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, holds);
  }
  [[nodiscard]] std::size_t told() {
    const std::lock_guard lock(mutex_);
    return ids_.size();
  }
  [[nodiscard]] AccessLogStats stats() const { return reader_->stats(); }
  [[nodiscard]] const AccessLogReader& reader() const { return *reader_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> ids_;
  int ticks_ = 0;
  std::unique_ptr<AccessLogReader> reader_;
};

void append(const std::filesystem::path& file, std::string_view text) { std::ofstream(file, std::ios::app | std::ios::binary) << text; }

}  // namespace

TEST_CASE("access log: a line", "[guard][access-log]") {
  AccessLogParser parser;
  FinishedRequest request;
  REQUIRE(parser.read(line(some_id, "/web/login?a=\\u00e9\\\"", 200), request) == AccessLogParser::Line::ours);
  CHECK(request.id == some_id);
  CHECK(request.downstream_status == 200);
  CHECK(request.origin_status == 200);
  CHECK(request.duration == 41'234'567ns);
  CHECK(request.method == "POST");
  CHECK(request.path == "/web/login?a=\xc3\xa9\"");
}

TEST_CASE("access log: lines of every kind", "[guard][access-log]") {
  using Line = AccessLogParser::Line;
  struct Case {
    const char* name;
    std::string text;
    Line kind;
  };
  const std::string id(some_id), has_id = R"("ClientUsername":")" + id + '"';
  const Case cases[] = {
      {"nobody's", line("-"), Line::others},
      {"a person's", line("admin"), Line::others},
      {"begins like ours", line("pg-admin"), Line::others},
      {"our own shape", line(some_id), Line::ours},
      {"in the path", line("-", "/?x=\\\"ClientUsername\\\":\\\"" + id), Line::others},
      {"without a user", R"({"DownstreamStatus":200})", Line::others},
      {"nothing", "", Line::bad},
      {"common log format", R"(198.51.100.7 - - [01/Nov/2026:10:00:00 +0000] "GET / HTTP/2.0" 200 0 "-" "-" 1 "r" "s" 4ms)", Line::bad},
      {"an array", "[" + line(some_id) + "]", Line::bad},
      {"cut off", line(some_id).substr(0, 150), Line::bad},
      {"cut off and closed", line(some_id).substr(0, 150) + "}", Line::bad},
      {"no status", "{" + has_id + "}", Line::bad},
      {"the least", "{" + has_id + R"(,"DownstreamStatus":200})", Line::ours},
      {"a status of text", "{" + has_id + R"(,"DownstreamStatus":"200"})", Line::bad},
      {"a status of null", "{" + has_id + R"(,"DownstreamStatus":null})", Line::bad},
      {"a status in an object", "{" + has_id + R"(,"DownstreamStatus":{"a":1}})", Line::bad},
      {"a status below zero", "{" + has_id + R"(,"DownstreamStatus":-1})", Line::bad},
      {"a status of four digits", "{" + has_id + R"(,"DownstreamStatus":1000})", Line::bad},
      {"a status twice", "{" + has_id + R"(,"DownstreamStatus":200,"DownstreamStatus":303})", Line::bad},
      {"a status that is nested", "{" + has_id + R"(,"x":{"DownstreamStatus":200}})", Line::bad},
      {"an id that is nested", R"({"x":{)" + has_id + R"(},"DownstreamStatus":200})", Line::bad},
      {"a duration of fractions", "{" + has_id + R"(,"DownstreamStatus":200,"Duration":1.5})", Line::bad},
      {"a duration without end", "{" + has_id + R"(,"DownstreamStatus":200,"Duration":18446744073709551615})", Line::ours},
      {"invalid UTF-8", line(some_id, "/\xff\xfe"), Line::bad},
      {"depth", "{" + has_id + R"(,"x":)" + std::string(30'000, '[') + std::string(30'000, ']') + "}", Line::bad},
      {"what others may add", "{" + has_id + R"(,"DownstreamStatus":200,"x":[[{"DownstreamStatus":1}],null,true,1.5,-3]})", Line::ours},
  };
  AccessLogParser parser;
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      FinishedRequest request;
      CHECK(parser.read(c.text, request) == c.kind);
    }
  }
}

TEST_CASE("access log: bytes into lines, however they come", "[guard][access-log]") {
  const std::string text = "one\n\ntwo\nthree\n" + std::string(log_line_bytes_max, 'x') + "\n" + std::string(log_line_bytes_max + 1, 'y') +
                           "\nfour\n" + std::string(3 * log_line_bytes_max, 'z') + "\nfive\nsix";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, log_line_bytes_max, text.size()}) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += step)
      splitter.feed(std::string_view(text).substr(at, step), [&](std::string_view each) { lines.emplace_back(each); });
    CHECK(lines == std::vector<std::string>{"one", "", "two", "three", std::string(log_line_bytes_max, 'x'), "four", "five"});
    CHECK(splitter.too_long() == 2);
  }
}

TEST_CASE("access log: a file is followed from its end, whole lines alone", "[guard][access-log]") {
  const bool use_inotify = GENERATE(true, false);
  const tests::TempDir dir;
  const auto file = dir.path() / "access.log";
  append(file, line(id_of(1)) + "\n" + line(id_of(2)).substr(0, 100));
  Following following(file, use_inotify);
  following.settle();
  append(file, line(id_of(2)).substr(100) + "\n");  // of a line that we saw no beginning of
  append(file, line(id_of(3)) + "\n" + line("-") + "\nnonsense\n");
  CHECK(following.hears(id_of(3)));
  append(file, line(id_of(4)).substr(0, 200));
  following.settle();
  CHECK(following.told() == 1);
  append(file, line(id_of(4)).substr(200) + "\n");
  CHECK(following.hears(id_of(4)));
  following.settle();
  const AccessLogStats stats = following.stats();
  CHECK(stats.lines == 4);
  CHECK(stats.requests == 2);
  CHECK(stats.bad == 1);
  CHECK(stats.bytes_behind == 0);
  CHECK(stats.is_open);
  CHECK(Clock::now() - stats.last_line < 30s);
}

TEST_CASE("access log: a file that comes later is read from its beginning, its folder too", "[guard][access-log]") {
  const tests::TempDir dir;
  const auto file = dir.path() / "traefik" / "access.log";
  Following following(file);
  following.settle();
  CHECK_FALSE(following.stats().is_open);
  CHECK(following.stats().last_line == Clock::time_point{});
  std::filesystem::create_directory(file.parent_path());
  following.settle();
  append(file, line(id_of(1)) + "\n");
  CHECK(following.hears(id_of(1)));
}

TEST_CASE("access log: rotated by rename", "[guard][access-log]") {
  const bool use_inotify = GENERATE(true, false);
  const tests::TempDir dir;
  const auto file = dir.path() / "access.log", old = dir.path() / "access.log.1";
  append(file, "");
  Following following(file, use_inotify);
  following.settle();
  append(file, line(id_of(1)) + "\n" + line(id_of(2)).substr(0, 50));
  CHECK(following.hears(id_of(1)));
  std::filesystem::rename(file, old);
  append(old, line(id_of(2)).substr(50) + "\n");  // Traefik has not let go of it yet
  CHECK(following.hears(id_of(2)));
  append(file, line(id_of(3)) + "\n");
  CHECK(following.hears(id_of(3)));
  append(old, line(id_of(4)) + "\n");  // logrotate's `create`: the new one was there first
  CHECK(following.hears(id_of(4)));
  std::filesystem::rename(file, old);
  append(file, line(id_of(5)) + "\n");
  CHECK(following.hears(id_of(5)));
  CHECK(following.told() == 5);
  CHECK(following.wait([&] { return following.stats().rotations == 2; }));
}

TEST_CASE("access log: cut to nothing, deleted, replaced by what is no file", "[guard][access-log]") {
  const tests::TempDir dir;
  const auto file = dir.path() / "access.log";
  append(file, line(id_of(9)) + "\n");
  Following following(file);
  following.settle();
  append(file, line(id_of(1)) + "\n" + line(id_of(8)).substr(0, 60));
  CHECK(following.hears(id_of(1)));
  SECTION("copytruncate") {
    std::filesystem::resize_file(file, 0);
    CHECK(following.wait([&] { return following.stats().truncations == 1; }));
    append(file, line(id_of(2)) + "\n");
    CHECK(following.hears(id_of(2)));
    CHECK(following.stats().bad == 0);
  }
  SECTION("deleted, and made anew") {
    std::filesystem::remove(file);
    following.settle();
    append(file, line(id_of(2)) + "\n");
    CHECK(following.hears(id_of(2)));
  }
  SECTION("a directory takes its name for a while") {
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
    following.settle();
    std::filesystem::remove(file);
    append(file, line(id_of(2)) + "\n");
    CHECK(following.hears(id_of(2)));
  }
  CHECK(following.told() == 2);
}

TEST_CASE("access log: a line that is too long costs only itself", "[guard][access-log]") {
  const tests::TempDir dir;
  const auto file = dir.path() / "access.log";
  Following following(file);
  append(file, line(id_of(1), std::string(200'000, 'a')) + "\n" + line(id_of(2)) + "\n");
  CHECK(following.hears(id_of(2)));
  following.settle();
  CHECK(following.told() == 1);
  CHECK(following.stats().too_long == 1);
}

TEST_CASE("access log: a line is told at once, not at the next look", "[guard][access-log]") {
  const tests::TempDir dir;
  const auto file = dir.path() / "access.log";
  append(file, "");
  Following following(file, true, 20s);
  CHECK(following.wait([&] { return following.stats().is_open; }));
  for (int i = 1; i <= 20; ++i) {
    append(file, line(id_of(i)) + "\n");
    const auto written = Clock::now();
    REQUIRE(following.hears(id_of(i)));
    CHECK(Clock::now() - written < 5s);  // milliseconds; a machine under load is slower, but not by looks of 20 s
  }
}

TEST_CASE("access log: ends while there is much to read", "[guard][access-log]") {
  const tests::TempDir dir;
  const auto file = dir.path() / "access.log";
  auto following = std::make_unique<Following>(file);
  {
    std::ofstream out(file, std::ios::binary);
    const std::string each = line(some_id) + "\n";
    for (int i = 0; i < 50'000; ++i) out << each;
  }
  CHECK(following->hears(std::string(some_id)));
  following.reset();
}
