#include "audit/log.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "audit/keyed_hash.hpp"
#include "audit/metrics.hpp"
#include "base/clock.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "tests/catch.hpp"

namespace portcullis::audit {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using nlohmann::json;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "portcullis-audit-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Keeps the tests' expected errors off the terminal and countable.
class Said {
 public:
  Said() {
    observe::set_log_sink([this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_ += line;
      lines_ += '\n';
    });
  }
  ~Said() { observe::set_log_sink({}); }
  bool has(std::string_view event) {
    const std::lock_guard lock(mutex_);
    return lines_.find("event=" + std::string(event)) != std::string::npos;
  }

 private:
  std::mutex mutex_;
  std::string lines_;
};

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Every line a JSON object, the last one ended.
std::vector<json> records_of(const std::string& text) {
  std::vector<json> records;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) FAIL("no newline at the end: " << text.substr(at));
    records.push_back(json::parse(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end)));
    at = end + 1;
  }
  return records;
}

bool is_dense(const std::vector<json>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i]["seq"] != i) return false;
  }
  return true;
}

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds wait_max = 20s) {
  const Deadline deadline = Clock::now() + wait_max;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

AdmissionRecord admission(std::string_view uid = "u") {
  AdmissionRecord record;
  record.uid = uid;
  record.verdict = "allow";
  return record;
}

GuardRecord guard(std::string_view verdict) {
  GuardRecord record;
  record.tenant = "acme";
  record.verdict = verdict;
  record.path = "/web";
  return record;
}

LogOptions to(const fs::path& file) {
  LogOptions options;
  options.file = file;
  return options;
}

// A named pipe that somebody holds open and reads only when told.
class Pipe {
 public:
  explicit Pipe(const fs::path& path) : path_(path) {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    descriptor_ = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(descriptor_ >= 0);
  }
  ~Pipe() {
    is_done_ = true;
    if (reader_.joinable()) reader_.join();
    ::close(descriptor_);
  }
  void start_reading() {
    reader_ = std::thread([this] {
      std::array<char, 65536> buffer;
      for (;;) {
        const bool was_done = is_done_;
        const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
        if (count > 0) {
          text_.append(buffer.data(), static_cast<std::size_t>(count));
        } else if (was_done) {
          return;
        } else {
          std::this_thread::sleep_for(1ms);
        }
      }
    });
  }
  std::string finish() {  // once the log is closed
    is_done_ = true;
    reader_.join();
    return text_;
  }

 private:
  fs::path path_;
  int descriptor_ = -1;
  std::atomic<bool> is_done_{false};
  std::string text_;
  std::thread reader_;
};

TEST_CASE("lines of all kinds in the file", "[audit]") {
  const Folder folder;
  LogOptions options = to(folder / "log");
  options.origin = "portcullis.example/test/webhook-0";
  options.hash_key = std::string(20, '\x0b');
  const auto log = Log::open(options).value();
  const auto writer = log->writer();
  AdmissionRecord review = admission("705ab4f5");
  review.input = "Hi There";
  writer->record(review);
  GuardRecord request = guard("pass");
  const std::array<std::uint8_t, 8> address{'H', 'i', ' ', 'T', 'h', 'e', 'r', 'e'};
  request.client = address;
  writer->record(request);
  REQUIRE(log->flush());
  log->record_config("loaded", "sha256:ab", "");
  REQUIRE(log->flush());
  const auto records = records_of(text_of(folder / "log"));
  REQUIRE(records.size() == 3);
  CHECK(is_dense(records));
  CHECK(records[0]["v"] == 1);
  CHECK(records[0]["log"] == "portcullis.example/test/webhook-0");
  CHECK(records[0]["kind"] == "admission");
  CHECK(records[0]["uid"] == "705ab4f5");
  CHECK(records[0]["in"] == "hmac:b0344c61d8db38535ca8afceaf0bf12b");
  CHECK(records[1]["kind"] == "guard");
  CHECK(records[1]["client"] == "hmac:b0344c61d8db3853");
  CHECK(records[2]["kind"] == "config");
  CHECK(records[2]["event"] == "loaded");
  CHECK(records[2].contains("detail") == false);
  CHECK(records[0]["boot"] == records[2]["boot"]);
  CHECK(records[0]["boot"].get<std::string>().size() == 32);
  CHECK(log->stats().records == 3);
  CHECK(text_of(folder / "log").rfind(R"({"v":1,"log":"portcullis.example/test/webhook-0","seq":0,"t":")", 0) == 0);
}

TEST_CASE("an input of any size has its hash, of all its bytes", "[audit]") {
  const Folder folder;
  LogOptions options = to(folder / "log");
  options.hash_key = "0123456789abcdef";
  const auto log = Log::open(options).value();
  const std::array writers{log->writer(), log->writer()};
  KeyedHash hash = KeyedHash::create("0123456789abcdef").value();
  std::vector<std::string> wanted;
  // Around the size from which the loop hashes, twice by two loops; the last two differ in their last byte.
  std::vector<std::string> inputs{"x", std::string(4095, 'x'), std::string(4096, 'x'), std::string(4097, 'x'), std::string(8 << 20, 'x')};
  inputs.push_back(inputs.back());
  inputs.back().back() = 'y';
  for (int again = 0; again < 2; ++again) {
    for (const std::string& input : inputs) {
      AdmissionRecord record = admission();
      record.input = input;
      writers[static_cast<std::size_t>(again)]->record(record);
      hash.append(wanted.emplace_back("hmac:"), input, 32);
    }
    REQUIRE(log->flush());  // one loop's records before the other's
  }
  AdmissionRecord without = admission();
  writers[0]->record(without);
  REQUIRE(log->flush());
  const auto records = records_of(text_of(folder / "log"));
  REQUIRE(records.size() == wanted.size() + 1);
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(records[i]["in"] == wanted[i]);
  CHECK_FALSE(records.back().contains("in"));
  CHECK(wanted[4] != wanted[5]);
}

TEST_CASE("seq is dense in the file's order whatever the loops do", "[audit]") {
  constexpr int loops = 4, each = 50'000;
  const Folder folder;
  auto log = Log::open(to(folder / "log")).value();
  std::vector<std::thread> threads;
  for (int loop = 0; loop < loops; ++loop) {
    threads.emplace_back([&, loop] {
      const auto writer = log->writer();
      for (int i = 0; i < each; ++i) {
        AdmissionRecord record = admission();
        record.microseconds = i;
        record.deadline_ms = loop;
        writer->record(record);
        if (i % 10'000 == 0) log->record_config("loaded", "sha256:ab", "while others write");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(log->stats().dropped == 0);
  log.reset();
  // 200,000 lines: looked through as text, every thousandth parsed. Each loop's records are all there, in its order.
  std::istringstream text(text_of(folder / "log"));
  std::array<int, loops> next{};
  std::uint64_t lines = 0, wrong = 0;
  for (std::string line; std::getline(text, line); ++lines) {
    const std::string start = R"({"v":1,"log":"portcullis","seq":)" + std::to_string(lines) + R"(,"t":")";
    if (line.compare(0, start.size(), start) != 0 || (lines % 1000 == 0 && !json::accept(line))) ++wrong;
    if (line.find(R"("kind":"config")") != std::string::npos) continue;
    const std::size_t us = line.find(R"("us":)"), deadline = line.find(R"("deadline_ms":)");
    REQUIRE(deadline != std::string::npos);
    if (std::atoi(line.c_str() + us + 5) != next.at(static_cast<std::size_t>(std::atoi(line.c_str() + deadline + 14)))++) ++wrong;
  }
  CHECK(lines == loops * each + loops * 5);
  CHECK(wrong == 0);
  CHECK(next == std::array<int, loops>{each, each, each, each});
}

TEST_CASE("a quiet log wakes for one record", "[audit]") {
  const Folder folder;
  const auto log = Log::open(to(folder / "log")).value();
  const auto writer = log->writer();
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(700ms);  // past the naps, so that the writing thread sleeps until it is woken
    writer->record(admission());
    CHECK(eventually([&] { return records_of(text_of(folder / "log")).size() == static_cast<std::size_t>(round + 1); }, 5s));
  }
}

TEST_CASE("what the guard let through is dropped when the log stands still, and the gap says how many", "[audit]") {
  const Folder folder;
  Pipe pipe(folder / "pipe");
  LogOptions options = to(folder / "pipe");
  options.buffer_bytes_max = 128 * 1024;
  auto log = Log::open(options).value();
  const auto writer = log->writer();
  constexpr int requests = 20'000;
  const auto start = Clock::now();
  for (int i = 0; i < requests; ++i) writer->record(guard("pass"));
  CHECK(Clock::now() - start < 1s);  // none of them waited
  const std::uint64_t dropped = log->stats().dropped;
  CHECK(dropped > 0);
  CHECK(log->stats().waits == 0);
  pipe.start_reading();
  REQUIRE(log->flush());
  writer->record(guard("refuse"));
  log.reset();
  const auto records = records_of(pipe.finish());
  CHECK(is_dense(records));
  std::uint64_t lost = 0, passes = 0, refusals = 0;
  for (const json& record : records) {
    if (record["kind"] == "gap") {
      lost += record["lost"].get<std::uint64_t>();
      CHECK(record["why"] == "buffer_full");
    } else {
      ++(record["verdict"] == "pass" ? passes : refusals);
    }
  }
  CHECK(lost == dropped);
  CHECK(passes + lost == requests);
  CHECK(refusals == 1);
}

TEST_CASE("admissions and refusals wait for room and none is lost", "[audit]") {
  const Folder folder;
  Pipe pipe(folder / "pipe");
  LogOptions options = to(folder / "pipe");
  options.buffer_bytes_max = 128 * 1024;
  options.room_wait_max = 20s;
  auto log = Log::open(options).value();
  constexpr int each = 3000;
  std::thread loop([&] {
    const auto writer = log->writer();
    for (int i = 0; i < each; ++i) {
      writer->record(admission());
      writer->record(guard(i % 2 == 0 ? "refuse" : "slow"));
    }
  });
  REQUIRE(eventually([&] { return log->stats().waits > 0; }));
  pipe.start_reading();
  loop.join();
  CHECK(log->stats().dropped == 0);
  log.reset();
  const auto records = records_of(pipe.finish());
  CHECK(records.size() == 2 * each);
  CHECK(is_dense(records));
}

TEST_CASE("a log that stands still costs a loop one wait, and the lost admissions are counted", "[audit]") {
  Said said;
  const Folder folder;
  Pipe pipe(folder / "pipe");
  LogOptions options = to(folder / "pipe");
  options.buffer_bytes_max = 128 * 1024;
  options.room_wait_max = 200ms;
  auto log = Log::open(options).value();
  const auto writer = log->writer();
  constexpr int reviews = 10'000;
  const auto start = Clock::now();
  for (int i = 0; i < reviews; ++i) writer->record(admission());
  CHECK(Clock::now() - start < 5s);  // a wait each would be minutes
  const std::uint64_t dropped = log->stats().dropped;
  CHECK(dropped > 0);
  CHECK(log->stats().waits >= 1);
  CHECK(said.has("audit_record_lost"));
  pipe.start_reading();
  REQUIRE(log->flush());
  const std::uint64_t waits = log->stats().waits;
  writer->record(admission());  // there is room again: nothing is lost any more
  CHECK(log->stats().dropped == dropped);
  CHECK(log->stats().waits == waits);
  log.reset();
  const auto records = records_of(pipe.finish());
  CHECK(is_dense(records));
  std::uint64_t lost = 0, kept = 0;
  for (const json& record : records) {
    if (record["kind"] == "gap") {
      lost += record["lost"].get<std::uint64_t>();
      CHECK(record["why"] == "waited_in_vain");
    } else {
      ++kept;
    }
  }
  CHECK(lost == dropped);
  CHECK(kept + lost == reviews + 1);
}

TEST_CASE("a full disk neither crashes nor holds up the end", "[audit]") {
  Said said;
  LogOptions options = to("/dev/full");
  options.buffer_bytes_max = 128 * 1024;
  options.room_wait_max = 100ms;
  options.disk_wait_max = 300ms;
  const auto start = Clock::now();
  {
    const auto log = Log::open(options).value();
    const auto writer = log->writer();
    for (int i = 0; i < 5000; ++i) writer->record(admission());
    for (int i = 0; i < 5000; ++i) writer->record(guard("pass"));
    CHECK_FALSE(log->flush());
    CHECK(log->stats().write_errors > 0);
    CHECK(log->stats().dropped > 5000);
  }
  CHECK(Clock::now() - start < 5s);
  CHECK(said.has("audit_write_failed"));
  CHECK(said.has("audit_lost_at_stop"));
}

// A bound on the file's size cuts a write in the middle of a line and then fails it, as a full disk does.
TEST_CASE("a disk that has room again gets every line whole", "[audit]") {
  Said said;
  const Folder folder;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit former{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &former) == 0);
  auto log = Log::open(to(folder / "log")).value();
  const auto writer = log->writer();
  const rlimit small{10'007, former.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  for (int i = 0; i < 1000; ++i) writer->record(admission());
  const bool failed = eventually([&] { return log->stats().write_errors > 1; });
  const auto size_then = fs::file_size(folder / "log");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &former) == 0);
  CHECK(failed);
  CHECK(size_then == 10'007);
  CHECK(log->flush());
  CHECK(eventually([&] { return said.has("audit_write_recovered"); }));
  log.reset();
  const auto records = records_of(text_of(folder / "log"));
  CHECK(records.size() == 1000);
  CHECK(is_dense(records));
}

TEST_CASE("a line begun in a file that fails is written whole to the next", "[audit]") {
  Said said;
  const Folder folder;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit former{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &former) == 0);
  LogOptions options = to(folder / "log");
  options.disk_wait_max = 500ms;
  auto log = Log::open(options).value();
  const auto writer = log->writer();
  const rlimit small{1'007, former.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  for (int i = 0; i < 5; ++i) writer->record(admission());
  const bool failed = eventually([&] { return log->stats().write_errors > 0; });
  fs::rename(folder / "log", folder / "log.1");
  log->reopen();
  const bool reopened = eventually([&] { return fs::exists(folder / "log"); });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &former) == 0);
  REQUIRE(failed);
  REQUIRE(reopened);
  CHECK(log->flush());
  log.reset();
  const std::string old_text = text_of(folder / "log.1");
  REQUIRE(old_text.size() == 1007);
  auto records = records_of(old_text.substr(0, old_text.rfind('\n') + 1));
  CHECK(records.size() < 5);
  for (json& record : records_of(text_of(folder / "log"))) records.push_back(std::move(record));
  CHECK(records.size() == 5);
  CHECK(is_dense(records));
}

TEST_CASE("reopen after a rotation by rename", "[audit]") {
  Said said;
  const Folder folder;
  auto log = Log::open(to(folder / "log")).value();
  const auto writer = log->writer();
  for (int i = 0; i < 100; ++i) writer->record(admission());
  fs::rename(folder / "log", folder / "log.1");
  log->reopen();
  for (int i = 0; i < 50; ++i) writer->record(admission());
  CHECK(log->flush());
  CHECK(said.has("audit_reopened"));
  auto records = records_of(text_of(folder / "log.1"));
  CHECK(records.size() == 100);
  for (json& record : records_of(text_of(folder / "log"))) records.push_back(std::move(record));
  CHECK(records.size() == 150);
  CHECK(is_dense(records));
}

TEST_CASE("a torn last line stands alone", "[audit]") {
  const Folder folder;
  std::ofstream(folder / "log") << "{\"v\":1,\"log\":\"portcul";
  auto log = Log::open(to(folder / "log")).value();
  log->writer()->record(admission());
  log.reset();
  const std::string text = text_of(folder / "log");
  const std::size_t newline = text.find('\n');
  CHECK(text.substr(0, newline) == "{\"v\":1,\"log\":\"portcul");
  CHECK(records_of(text.substr(newline + 1)).size() == 1);
}

TEST_CASE("a log that cannot be opened is refused with its place", "[audit]") {
  const Folder folder;
  const auto missing = Log::open(to(folder / "no-such-folder/log"));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message() ==
        "decision log " + (folder / "no-such-folder/log").string() + ": cannot be opened for writing: No such file or directory");
  LogOptions weak = to(folder / "log");
  weak.hash_key = "secret";
  const auto refused = Log::open(weak);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message() == "decision log hash key: found 6 bytes, want at least 16");
}

TEST_CASE("what is recorded before the writer and the log go is written", "[audit]") {
  const Folder folder;
  auto log = Log::open(to(folder / "log")).value();
  for (int i = 0; i < 10; ++i) log->writer()->record(admission());
  log.reset();
  CHECK(records_of(text_of(folder / "log")).size() == 10);
}

TEST_CASE("keys, addresses, inputs and query values never reach the file", "[audit]") {
  const Folder folder;
  LogOptions options = to(folder / "log");
  options.hash_key = "CANARY-key-0123456789";
  auto log = Log::open(options).value();
  const auto writer = log->writer();
  AdmissionRecord review = admission();
  review.input = "CANARY-input";
  writer->record(review);
  const std::string large = "CANARY-large" + std::string(10'000, 'x');
  review.input = large;
  writer->record(review);
  GuardRecord request = guard("refuse");
  const std::string_view address = "CANARY-address16";
  request.client = {reinterpret_cast<const std::uint8_t*>(address.data()), address.size()};
  request.path = "/web/session?token=CANARY-query#CANARY-fragment";
  writer->record(request);
  log.reset();
  const std::string text = text_of(folder / "log");
  CHECK(records_of(text).size() == 3);
  CHECK(text.find("/web/session") != std::string::npos);
  CHECK(text.find("CANARY") == std::string::npos);
}

// The words of a record's keys, and those of the page that explains them.
TEST_CASE("every field has its row in docs/decision-log.md, and the examples there are records", "[audit][docs]") {
  const Folder folder;
  Pipe pipe(folder / "pipe");
  LogOptions options = to(folder / "pipe");
  options.buffer_bytes_max = 128 * 1024;
  auto log = Log::open(options).value();
  const auto writer = log->writer();
  const std::array<std::string_view, 1> rules{"x"};
  AdmissionRecord review;
  for (std::string_view* field : {&review.uid, &review.operation, &review.resource, &review.kind, &review.name_space, &review.name,
                                  &review.tenant, &review.user, &review.verdict, &review.exception, &review.reason, &review.policy_hash,
                                  &review.change_ticket, &review.approved_by, &review.door, &review.input}) {
    *field = "x";
  }
  review.rules = rules;
  const std::array<std::uint8_t, 4> address{203, 0, 113, 7};
  GuardRecord request;
  for (std::string_view* field :
       {&request.tenant, &request.route_class, &request.reason, &request.method, &request.path, &request.policy_hash})
    *field = "x";
  request.verdict = "pass";
  request.client = address;
  writer->record(review);
  for (int i = 0; i < 2000; ++i) writer->record(request);  // more than there is room for: a gap
  log->record_config("refused", "x", "x");
  pipe.start_reading();
  log.reset();
  std::map<std::string, std::vector<std::string>> fields;  // in order, of each kind
  for (const auto& text : {pipe.finish(), [] {
                             const std::string docs = text_of(PORTCULLIS_SOURCE_DIR "/docs/decision-log.md");
                             const std::size_t start = docs.find("```json\n") + 8;
                             return docs.substr(start, docs.find("```", start) - start);
                           }()}) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const auto record = nlohmann::ordered_json::parse(line);
      std::vector<std::string> names;
      for (const auto& [name, value] : record.items()) names.push_back(name);
      std::vector<std::string>& known = fields[record["kind"]];
      if (known.empty()) known = names;
      // An example has the fields of the full record, some left out, in its order.
      auto at = known.begin();
      for (const std::string& name : names) {
        CAPTURE(line, name);
        at = std::find(at, known.end(), name);
        REQUIRE(at != known.end());
      }
    }
  }
  REQUIRE(fields.size() == 4);
  const std::string docs = text_of(PORTCULLIS_SOURCE_DIR "/docs/decision-log.md");
  const std::string every_record = docs.substr(docs.find("### Every record"), docs.find("### `admission`") - docs.find("### Every record"));
  for (const auto& [kind, names] : fields) {
    const std::size_t start = docs.find("### `" + kind + "`");
    REQUIRE(start != std::string::npos);
    const std::string rows = every_record + docs.substr(start, docs.find("\n##", start + 4) - start);
    for (const std::string& name : names) {
      CAPTURE(kind, name);
      CHECK((rows.find("| `" + name + "`") != std::string::npos || rows.find(", `" + name + "`") != std::string::npos));
    }
  }
}

TEST_CASE("the log's metrics have their rows in docs/metrics.md", "[audit][docs]") {
  const Folder folder;
  const auto log = Log::open(to(folder / "log")).value();
  log->writer()->record(admission());
  REQUIRE(log->flush());
  observe::Metrics metrics;
  add_metrics(metrics, *log);
  const std::string page = metrics.expose(), docs = text_of(PORTCULLIS_SOURCE_DIR "/docs/metrics.md");
  CHECK(page.find("\nportcullis_audit_records_total 1\n") != std::string::npos);
  for (const char* name : {"records", "dropped", "write_errors", "waits"}) {
    const std::string metric = "portcullis_audit_" + std::string(name) + "_total";
    CHECK(page.find("# TYPE " + metric + " counter\n") != std::string::npos);
    CHECK(docs.find("| `" + metric + "` | counter |") != std::string::npos);
  }
}

}  // namespace
}  // namespace portcullis::audit
