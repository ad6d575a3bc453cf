// Answers that come later: woken from other threads, over both protocols, with peers that leave and servers that go.
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "net/waker.hpp"
#include "tests/catch.hpp"
#include "tests/net/client.hpp"
#include "tests/net/http2_client.hpp"

namespace portcullis::test {
namespace {

// What the handlers and the test know together.
struct Desk {
  std::mutex mutex;
  std::shared_ptr<net::Waker> waker;
  std::map<std::uint64_t, std::string> asked;  // target by ticket
  std::set<std::uint64_t> abandoned;
  int finished = 0;

  bool has_asked(std::size_t count) {
    return becomes_true([&] {
      const std::lock_guard lock(mutex);
      return asked.size() >= count;
    });
  }
  bool has_abandoned(std::size_t count) {
    return becomes_true([&] {
      const std::lock_guard lock(mutex);
      return abandoned.size() >= count;
    });
  }
  std::uint64_t ticket_of(const std::string& target) {
    const std::lock_guard lock(mutex);
    for (const auto& [ticket, of] : asked) {
      if (of == target) return ticket;
    }
    return 0;
  }
  void wake(const std::string& target) { waker->wake(ticket_of(target)); }
};

// "/now" is answered at once; "/early" is woken before answer() returns; "/twice" waits a second time; the rest waits.
class Later final : public net::Handler {
 public:
  explicit Later(Desk& desk) : desk_(desk) {}
  void attach(const std::shared_ptr<net::Waker>& waker) override { desk_.waker = waker; }
  void answer(const net::Request& request, net::Response& response) override {
    response.body = "forgotten";
    if (request.path() == "/now") {
      response.body = "at once";
      return;
    }
    const std::uint64_t ticket = request.path() == "/same" ? 1 : ++last_;
    response.wait(ticket);
    if (request.path() == "/early") std::thread([&] { desk_.waker->wake(ticket); }).join();
    const std::lock_guard lock(desk_.mutex);
    desk_.asked[ticket] = request.target;
  }
  void finish(std::uint64_t ticket, net::Response& response) override {
    const std::lock_guard lock(desk_.mutex);
    std::string& target = desk_.asked.at(ticket);
    if (target == "/throw") throw std::runtime_error("on purpose");
    if (target == "/twice") {
      desk_.asked[++last_] = "/twice again";
      return response.wait(last_);
    }
    ++desk_.finished;
    response.header("x-later", "yes");
    response.body = "later " + target;
    if (target.starts_with("/large")) response.body.assign(3'000'000, 'x');
  }
  void abandoned(std::uint64_t ticket) noexcept override {
    const std::lock_guard lock(desk_.mutex);
    desk_.abandoned.insert(ticket);
  }

 private:
  Desk& desk_;
  std::uint64_t last_ = 0;
};

struct Door {
  Desk desk;
  TemporaryDirectory directory;
  std::unique_ptr<net::Server> server;

  explicit Door(bool tls, net::Limits limits = {}) {
    net::ServerOptions options{.door = "test", .listen = {{"127.0.0.1", 0}}, .tls = std::nullopt, .threads = 1, .limits = limits};
    if (tls) {
      const Certificate certificate({});
      options.tls = net::TlsFiles{.certificate = directory.path() / "c", .key = directory.path() / "k", .client_ca = std::nullopt};
      write_file(options.tls->certificate, certificate.certificate_pem());
      write_file(options.tls->key, certificate.key_pem());
    }
    auto started = net::Server::start(std::move(options), [this](unsigned) { return std::make_unique<Later>(desk); });
    if (!started) throw std::runtime_error(started.error().message());
    server = *std::move(started);
  }
  [[nodiscard]] std::uint16_t port() const { return port_of(*server); }
};

std::string body_of(const std::string& answer) { return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4)); }

}  // namespace

TEST_CASE("HTTP/1.1: an answer that comes later", "[net][wait]") {
  for (const bool tls : {false, true}) {
    DYNAMIC_SECTION((tls ? "over TLS" : "plain")) {
      Door door(tls);
      const auto client =
          tls ? std::make_unique<Client>(door.port(), Client::Tls{.protocol = "http/1.1"}) : std::make_unique<Client>(door.port());
      CHECK(body_of(client->ask(get("/now"))) == "at once");
      for (const std::string target : {"/a", "/b"}) {  // the connection is kept
        REQUIRE(client->send(post(target, "body")));
        REQUIRE(becomes_true([&] { return door.desk.ticket_of(target) != 0; }));
        door.desk.wake(target);
        const std::string answer = client->receive_answer();
        CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(answer.find("x-later: yes\r\n") != std::string::npos);
        CHECK(body_of(answer) == "later " + target);
      }
      CHECK(body_of(client->ask(get("/early"))) == "later /early");
      CHECK(body_of(client->ask(get("/now"))) == "at once");
      door.desk.wake("/a");  // long answered
      REQUIRE(client->send(get("/twice")));
      REQUIRE(becomes_true([&] { return door.desk.ticket_of("/twice") != 0; }));
      door.desk.wake("/twice");
      REQUIRE(becomes_true([&] { return door.desk.ticket_of("/twice again") != 0; }));
      door.desk.wake("/twice again");
      CHECK(body_of(client->receive_answer()) == "later /twice again");
      CHECK(door.desk.abandoned.empty());
    }
  }
}

TEST_CASE("HTTP/1.1: requests behind the one that waits keep their order", "[net][wait]") {
  for (const bool tls : {false, true}) {
    DYNAMIC_SECTION((tls ? "over TLS" : "plain")) {
      Door door(tls);
      const auto client =
          tls ? std::make_unique<Client>(door.port(), Client::Tls{.protocol = "http/1.1"}) : std::make_unique<Client>(door.port());
      REQUIRE(client->send(get("/now") + post("/a", "1") + get("/now") + post("/large", std::string(100'000, 'b')) + post("/c", "3") +
                           get("/now")));
      CHECK(body_of(client->receive_answer()) == "at once");
      REQUIRE(door.desk.has_asked(1));
      CHECK(door.desk.ticket_of("/large") == 0);  // not looked at before its turn
      door.desk.wake("/a");
      CHECK(body_of(client->receive_answer()) == "later /a");
      CHECK(body_of(client->receive_answer()) == "at once");
      REQUIRE(door.desk.has_asked(2));
      door.desk.wake("/large");
      CHECK(body_of(client->receive_answer()).size() == 3'000'000);
      REQUIRE(door.desk.has_asked(3));
      door.desk.wake("/c");
      CHECK(body_of(client->receive_answer()) == "later /c");
      CHECK(body_of(client->receive_answer()) == "at once");
      CHECK(door.server->stats().requests_http1 == 6);
    }
  }
}

TEST_CASE("HTTP/2: only the stream waits", "[net][wait]") {
  Door door(true);
  Http2Client client(door.port());
  const auto a = client.ask("POST", "/a", "1"), b = client.ask("POST", "/b", std::string(50'000, 'b'));
  const auto head = client.ask("HEAD", "/head"), now = client.ask("GET", "/now");
  while (!client.answers[now].is_whole) REQUIRE(client.turn());
  CHECK(client.answers[now].body == "at once");
  CHECK(!client.answers[a].is_whole);
  REQUIRE(door.desk.has_asked(3));  // within one window: all has left the client by now
  door.desk.wake("/b");
  while (!client.answers[b].is_whole) REQUIRE(client.turn());
  CHECK(client.answers[b].body == "later /b");
  CHECK(!client.answers[a].is_whole);
  std::thread([&] {
    door.desk.wake("/a");
    door.desk.wake("/head");
  }).join();
  REQUIRE(client.run());
  CHECK(client.answers[a].body == "later /a");
  CHECK(client.answers[a].fields["x-later"] == "yes");
  CHECK(client.answers[head].body.empty());
  CHECK(client.answers[head].status == "200");
  CHECK(client.only(client.ask("GET", "/early")).body == "later /early");
  // A stream that its peer takes back is nobody's any more; the connection goes on.
  const auto gone = client.ask("GET", "/gone");
  const auto after = client.ask("GET", "/now");
  while (!client.answers[after].is_whole) REQUIRE(client.turn());
  nghttp2_submit_rst_stream(client.session(), NGHTTP2_FLAG_NONE, gone, NGHTTP2_CANCEL);
  CHECK(client.only(client.ask("GET", "/now")).body == "at once");
  CHECK(door.desk.has_abandoned(1));
  CHECK(door.desk.abandoned.count(door.desk.ticket_of("/gone")) == 1);
}

TEST_CASE("a peer that leaves abandons what it waited for", "[net][wait]") {
  Door door(true);
  {
    Client plain_end(door.port(), {.protocol = "http/1.1"});
    REQUIRE(plain_end.send(get("/a") + get("/b")));
    REQUIRE(door.desk.has_asked(1));
  }
  CHECK(door.desk.has_abandoned(1));
  {
    Http2Client client(door.port());
    client.ask("GET", "/c");
    client.ask("GET", "/d");
    const auto now = client.ask("GET", "/now");
    while (!client.answers[now].is_whole) REQUIRE(client.turn());
  }
  CHECK(door.desk.has_abandoned(3));
  CHECK(door.desk.ticket_of("/b") == 0);
  for (const std::string target : {"/a", "/c", "/d"}) door.desk.wake(target);  // too late, and harmless
  CHECK(becomes_true([&] { return door.server->stats().connections_open == 0; }));
  Client next(door.port(), {.protocol = "http/1.1"});
  CHECK(body_of(next.ask(get("/now"))) == "at once");
  CHECK(door.desk.finished == 0);
}

TEST_CASE("a drain waits for answers that are owed", "[net][wait]") {
  Door door(true);
  Client http1(door.port(), {.protocol = "http/1.1"});
  Http2Client http2(door.port());
  REQUIRE(http1.send(get("/a")));
  const auto b = http2.ask("GET", "/b");
  const auto now = http2.ask("GET", "/now");
  while (!http2.answers[now].is_whole) REQUIRE(http2.turn());
  REQUIRE(door.desk.has_asked(2));
  door.server->drain(std::chrono::seconds(0));
  CHECK(!door.server->wait_until_idle(Clock::now() + std::chrono::milliseconds(600)));  // some ticks of the loop
  CHECK(door.desk.abandoned.empty());
  door.desk.wake("/a");
  door.desk.wake("/b");
  const std::string answer = http1.receive_answer();
  CHECK(body_of(answer) == "later /a");
  CHECK(answer.find("connection: close\r\n") != std::string::npos);
  CHECK(http1.receive_all().empty());
  REQUIRE(http2.run());
  CHECK(http2.answers[b].body == "later /b");
  CHECK(door.server->wait_until_idle(Clock::now() + std::chrono::seconds(patience_seconds)));
}

TEST_CASE("an answer that never comes is a 503 in the end", "[net][wait]") {
  net::Limits limits;
  limits.wait_time_max = std::chrono::seconds(1);
  limits.header_time_max = limits.body_time_max = std::chrono::seconds(0);  // not what a waiting request is measured by
  Door door(true, limits);
  const auto began = Clock::now();
  Client http1(door.port(), {.protocol = "http/1.1"});
  Http2Client http2(door.port());
  REQUIRE(http1.send(get("/a")));
  const std::string late = http1.receive_answer();
  CHECK(late.starts_with("HTTP/1.1 503 "));
  CHECK(late.find("retry-after: 1\r\n") != std::string::npos);
  const auto b = http2.ask("GET", "/b");
  const auto& answer = http2.only(b);
  CHECK(answer.status == "503");
  CHECK(Clock::now() - began >= std::chrono::seconds(2));
  CHECK(door.desk.has_abandoned(2));
  CHECK(door.server->stats().requests_failed == 2);
  door.desk.wake("/a");
  door.desk.wake("/b");
}

TEST_CASE("a handler that fails while it finishes, or waits twice with one ticket", "[net][wait]") {
  Door door(false);
  Client client(door.port()), other(door.port()), third(door.port());
  REQUIRE(client.send(get("/throw")));
  REQUIRE(door.desk.has_asked(1));
  door.desk.wake("/throw");
  CHECK(client.receive_answer().starts_with("HTTP/1.1 500 "));
  REQUIRE(other.send(get("/same")));
  REQUIRE(becomes_true([&] { return door.desk.ticket_of("/same") == 1; }));
  CHECK(third.ask(get("/same")).starts_with("HTTP/1.1 500 "));
  door.desk.wake("/same");
  CHECK(body_of(other.receive_answer()) == "later /same");
}

TEST_CASE("a server that is destroyed abandons what waits", "[net][wait]") {
  Door door(false);
  Client client(door.port());
  REQUIRE(client.send(get("/a")));
  REQUIRE(door.desk.has_asked(1));
  const auto waker = door.desk.waker;
  door.server.reset();
  CHECK(door.desk.abandoned.size() == 1);
  waker->wake(1);  // outlives its loop
  CHECK(client.receive_all().empty());
}

TEST_CASE("many answers at once, woken by many threads", "[net][wait]") {
  Door door(true);
  Http2Client client(door.port());
  constexpr int rounds = 20, streams = 90;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < streams; ++i) ids.push_back(client.ask("POST", "/" + std::to_string(i), "x"));
    const auto now = client.ask("GET", "/now");
    while (!client.answers[now].is_whole) REQUIRE(client.turn());
    REQUIRE(door.desk.has_asked(static_cast<std::size_t>((round + 1) * streams)));  // bodies may come after /now
    std::vector<std::thread> wakers;
    for (std::uint64_t t = 0; t < 3; ++t) {
      wakers.emplace_back([&, t] {
        for (std::uint64_t i = t; i < streams; i += 3) door.desk.waker->wake(static_cast<std::uint64_t>(round) * streams + i + 1);
      });
    }
    for (auto& waker : wakers) waker.join();
    REQUIRE(client.run());
    for (int i = 0; i < streams; ++i) REQUIRE(client.answers[ids[static_cast<std::size_t>(i)]].body == "later /" + std::to_string(i));
  }
  CHECK(door.desk.finished == rounds * streams);
}

}  // namespace portcullis::test
