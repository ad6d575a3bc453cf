// A conversation with Redis without a Redis: what is said, and what is made of the answers.
#include "guard/redis_session.hpp"

#include <string>
#include <vector>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace std::chrono_literals;

namespace {

const std::string sha = "$40\r\n" + std::string(40, 'a') + "\r\n", other_sha = "$40\r\n" + std::string(40, 'b') + "\r\n";
constexpr auto start = Clock::time_point(1000s);

struct Talk {
  RedisSession session{{.prefix = "portcullis", .replica = "r1", .keys_max = 100, .database = 0, .budget = 5ms}};
  std::vector<RedisSession::Answer> answers;
  std::shared_ptr<net::Waker> waker = std::make_shared<net::Waker>();

  std::string said() {
    std::string out;
    session.take_output(out);
    return out;
  }
  std::string hear(std::string_view bytes, Clock::time_point now = start) {
    const auto fault = session.feed(bytes, now, answers);
    return fault ? std::string(store_fault_name(fault->fault)) : "";
  }
  void set_up() {
    session.begin("", "");
    REQUIRE(hear(sha + other_sha + ":1\r\n").empty());
    REQUIRE(session.is_ready());
    said();
  }
  std::shared_ptr<SharedVerdict> ask(Clock::time_point deadline, std::uint64_t ticket = 1) {
    const auto verdict = std::make_shared<SharedVerdict>();
    verdict->wait = -1;  // not written
    session.call(
        {.tenant = 1, .limits = {{.fingerprint = 2, .step = 3, .tolerance = 4}}, .deadline = deadline, .asker = {waker, ticket, verdict}});
    return verdict;
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("setting up: who we are, the scripts, and a write in time", "[guard][redis]") {
  Talk talk;
  SECTION("with a user") {
    talk.session.begin("guard", "secret");
    const std::string said = talk.said();
    CHECK(said.starts_with("*3\r\n$4\r\nAUTH\r\n$5\r\nguard\r\n$6\r\nsecret\r\n*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n"));
    CHECK(talk.hear("+OK\r\n" + sha).empty());
    CHECK_FALSE(talk.session.has_output());
    CHECK(talk.hear(other_sha).empty());
    CHECK(has(talk.said(), "$40\r\n" + std::string(40, 'b') + "\r\n$1\r\n1\r\n$19\r\nportcullis:replicas\r\n$2\r\nr1\r\n"));
    CHECK_FALSE(talk.session.is_ready());
    CHECK(talk.hear(":3\r\n").empty());
    CHECK(talk.session.is_ready());
    CHECK(talk.session.replicas() == 3);
  }
  SECTION("with the password of the default user") {
    talk.session.begin("", "secret");
    CHECK(talk.said().starts_with("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"));
    CHECK(talk.hear("-WRONGPASS invalid username-password pair\r\n") == "authentication");
  }
  SECTION("a write that was late is asked for again") {
    talk.session.begin("", "");
    CHECK(talk.hear(sha + other_sha).empty());
    talk.said();
    CHECK(talk.hear(":1\r\n", start + 6ms).empty());
    CHECK_FALSE(talk.session.is_ready());
    CHECK(has(talk.said(), "replicas"));
    CHECK(talk.hear(":1\r\n", start + 11ms).empty());
    CHECK(talk.session.is_ready());
  }
  SECTION("an error's text that repeats what was said is not kept") {
    talk.session.begin("guard", "secret");
    const auto fault =
        talk.session.feed("-ERR unknown command 'AUTH', with args beginning with: 'guard' 'secret'\r\n", start, talk.answers);
    REQUIRE(fault);
    CHECK_FALSE(has(fault->what, "secret"));
  }
}

TEST_CASE("answers come in order, each to its call", "[guard][redis]") {
  Talk talk;
  talk.set_up();
  for (std::uint64_t ticket = 1; ticket <= 3; ++ticket) talk.ask(start + 5ms, ticket);
  CHECK(talk.hear("*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n*4\r\n:0\r\n:0\r\n:70").empty());
  REQUIRE(talk.answers.size() == 1);
  CHECK(talk.hear("0\r\n:1\r\n*4\r\n:-1\r\n:0\r\n:0\r\n:0\r\n").empty());
  REQUIRE(talk.answers.size() == 3);
  CHECK(talk.answers[0].answer.kind == LimitsAnswer::Kind::admitted);
  CHECK(talk.answers[1].answer.kind == LimitsAnswer::Kind::refused);
  CHECK(talk.answers[1].answer.wait_us == 700);
  CHECK(talk.answers[2].answer.kind == LimitsAnswer::Kind::foreign);
  for (std::size_t i = 0; i < 3; ++i) CHECK(talk.answers[i].call.asker.ticket == i + 1);
  CHECK(talk.session.waiting() == 0);
  CHECK(talk.hear("*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n") == "garbage");
}

TEST_CASE("who waits past the deadline is given back, and the answer still finds its call", "[guard][redis]") {
  Talk talk;
  talk.set_up();
  talk.session.heartbeat(start);
  const auto first = talk.ask(start + 5ms, 1), second = talk.ask(start + 7ms, 2);
  CHECK(talk.session.next_deadline() == start + 5ms);
  std::vector<RedisAsker> late;
  talk.session.expire(start + 4ms, late);
  CHECK(late.empty());
  talk.session.expire(start + 5ms, late);
  REQUIRE(late.size() == 1);
  CHECK(late[0].ticket == 1);
  CHECK(talk.session.next_deadline() == start + 7ms);
  CHECK(talk.hear(":1\r\n*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n").empty());
  REQUIRE(talk.answers.size() == 1);
  CHECK_FALSE(talk.answers[0].call.asker.verdict);
  CHECK(talk.session.next_deadline() == start + 7ms);
  CHECK(talk.hear("*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n").empty());
  CHECK(talk.answers[1].call.asker.verdict == second);
  CHECK_FALSE(talk.session.next_deadline());
}

TEST_CASE("a forgotten script is loaded once, and each call repeated once", "[guard][redis]") {
  Talk talk;
  talk.set_up();
  talk.ask(start + 5ms, 1), talk.ask(start + 9ms, 2), talk.ask(start + 10ms, 3);
  talk.said();
  std::vector<RedisAsker> late;
  talk.session.expire(start + 5ms, late);
  REQUIRE(late.size() == 1);
  CHECK(talk.hear("-NOSCRIPT No matching script.\r\n-NOSCRIPT No matching script.\r\n").empty());
  const std::string said = talk.said();
  CHECK(has(said, "SCRIPT"));
  CHECK(said.find("SCRIPT") < said.find("EVALSHA"));
  CHECK(talk.session.next_deadline() == start + 9ms);  // though its call is behind the third
  CHECK(talk.hear("*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n" + sha + other_sha).empty());
  REQUIRE(talk.answers.size() == 1);
  CHECK(talk.answers[0].call.asker.ticket == 3);
  SECTION("and answered") {
    CHECK(talk.hear("*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n*4\r\n:1\r\n:0\r\n:3\r\n:0\r\n").empty());
    REQUIRE(talk.answers.size() == 3);
    CHECK_FALSE(talk.answers[1].call.asker.verdict);  // told already
    CHECK(talk.answers[2].call.asker.ticket == 2);
  }
  SECTION("or refused again, which ends it") {
    CHECK(talk.hear("-NOSCRIPT No matching script.\r\n") == "other");
    auto calls = talk.session.end();
    REQUIRE(calls.size() == 2);
    CHECK(calls[1].asker.ticket == 2);
  }
}

TEST_CASE("what an error means", "[guard][redis]") {
  struct Case {
    const char* error;
    StoreFault fault;
  };
  const Case cases[] = {
      {"-READONLY You can't write against a read only replica.", StoreFault::read_only},
      {"-OOM command not allowed when used memory > 'maxmemory'.", StoreFault::memory},
      {"-NOAUTH Authentication required.", StoreFault::authentication},
      {"-NOPERM this user has no permissions", StoreFault::authentication},
      {"-LOADING Redis is loading the dataset in memory", StoreFault::loading},
      {"-BUSY Redis is busy running a script.", StoreFault::loading},
      {"-MASTERDOWN Link with MASTER is down", StoreFault::loading},
      {"-MISCONF Redis is configured to save RDB snapshots", StoreFault::loading},
      {"-MOVED 3999 127.0.0.1:6381", StoreFault::cluster},
      {"-CROSSSLOT Keys in request don't hash to the same slot", StoreFault::cluster},
      {"-CLUSTERDOWN The cluster is down", StoreFault::cluster},
      {"-ERR wrong", StoreFault::other},
      {"-", StoreFault::other},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.error) {
      Talk talk;
      talk.set_up();
      talk.ask(start + 5ms);
      CHECK(talk.hear(std::string(c.error) + "\r\n") == store_fault_name(c.fault));
      CHECK(talk.session.end().size() == 1);
      CHECK_FALSE(talk.session.is_ready());
    }
  }
}
