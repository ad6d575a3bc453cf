// The client against peers that stream, stop, refuse, vanish, and speak nonsense.
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "net/client.hpp"
#include "tests/catch.hpp"
#include "tests/net/await.hpp"
#include "tests/net/client.hpp"
#include "tests/net/scripted_server.hpp"

namespace portcullis::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Peer = ScriptedServer::Peer;

constexpr std::uint8_t data_frame = 0, headers_frame = 1, reset_frame = 3, settings_frame = 4, ping_frame = 6, goaway_frame = 7;
constexpr std::uint8_t end_stream = 1, end_headers = 4, acknowledged = 1;
const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const std::string status_200 = "\x88";
const std::string settings = http2_frame(settings_frame, 0, 0);

std::string ok_head(std::uint32_t stream) { return http2_frame(headers_frame, end_headers, stream, status_200); }
std::string last_data(std::uint32_t stream, std::string_view text) { return http2_frame(data_frame, end_stream, stream, text); }
// Whether a HEADERS frame for `stream` has come.
bool has_request(const std::string& got, std::uint32_t stream) {
  std::size_t at = preface.size();
  while (got.size() >= at + 9) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(got[at + i])); };
    if (byte(3) == headers_frame && (byte(7) << 8U | byte(8)) == stream) return true;
    at += 9 + (byte(0) << 16U | byte(1) << 8U | byte(2));
  }
  return false;
}
bool receive_request(Peer& peer, std::uint32_t stream) {
  return peer.receive_until([stream](const std::string& got) { return has_request(got, stream); });
}

struct Fixture {
  Certificate ca{{.common_name = "test CA", .is_ca = true}};
  Certificate leaf{{.issuer = &ca}};
  ScriptedServer server;
  net::Background background{"client"};
  std::unique_ptr<net::Client> client;

  // `protocol`: "" for plain HTTP/1.1.
  Fixture(const std::string& protocol, ScriptedServer::Script script, net::ClientLimits limits = {})
      : server(std::move(script), protocol.empty() ? nullptr : &leaf, protocol) {
    auto opened = net::Client::open(
        background,
        {.host = "127.0.0.1", .port = server.port(), .plain = protocol.empty(), .server_name = {}, .http2 = true, .limits = limits},
        {.roots_pem = ca.certificate_pem(), .certificate_pem = {}, .key_pem = {}});
    if (!opened) throw std::runtime_error(opened.error().message());
    client = *std::move(opened);
  }
  ~Fixture() { client.reset(); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  std::future<Result<net::ClientResponse>> start(const std::string& method = "GET", Clock::duration patience = seconds(patience_seconds)) {
    return start_task(background, [this, method, patience] {
      return client->call({.method = method, .target = "/", .fields = {}, .body = {}}, Clock::now() + patience);
    });
  }
  Result<net::ClientResponse> ask(const std::string& method = "GET", Clock::duration patience = seconds(patience_seconds)) {
    return start(method, patience).get();
  }
};

// What a stream gave, seen from the test's thread.
struct Stream {
  std::mutex mutex;
  std::string got;
  std::atomic<int> status{0};
  std::size_t bytes_max = 1'000'000;

  bool take(std::string_view bytes) {
    const std::lock_guard lock(mutex);
    got += bytes;
    return got.size() < bytes_max;
  }
  bool has(const std::string& text) {
    return becomes_true([&] {
      const std::lock_guard lock(mutex);
      return got == text;
    });
  }
  std::future<Result<bool>> start(Fixture& fixture, Clock::duration patience = seconds(patience_seconds)) {
    return start_task(fixture.background, [this, &fixture, patience] {
      const auto on_head = [this](const net::ClientResponse& head) {
        status = head.status;
        return head.status == 200;
      };
      const auto on_bytes = [this](std::string_view bytes) { return take(bytes); };
      return fixture.client->stream({.target = "/watch", .fields = {}, .body = {}}, on_head, on_bytes, Clock::now() + patience);
    });
  }
};

constexpr const char* chunked_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("client: a stream over HTTP/1.1", "[net][client]") {
  std::atomic<bool> go_on{false};
  std::atomic<int> how{0};
  Fixture fixture("", [&](Peer& peer, int) {
    if (!peer.receive_head()) return;
    if (how == 1) return void(peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    if (how == 2) return void(peer.send("HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"));
    peer.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    peer.send(std::string(chunked_head) + "5\r\nfirst\r\n");
    becomes_true([&] { return go_on.load(); });
    peer.send("6\r\nsecond\r\n");
    if (how == 3) return;
    if (how == 4) return void(peer.send("zzz\r\n"));
    peer.send("0\r\n\r\n");
    peer.wait_for_end();
  });
  Stream stream;
  SECTION("pieces come before the end does") {
    auto end = stream.start(fixture);
    CHECK(stream.has("first"));
    CHECK(stream.status == 200);
    go_on = true;
    CHECK(end.get().value());
    CHECK(stream.got == "firstsecond");
  }
  SECTION("the end of the connection is the end of the body") {
    how = 1;
    CHECK(stream.start(fixture).get().value());
    CHECK(stream.got == "until the end");
  }
  SECTION("a head that is not wanted ends it") {
    how = 2;
    CHECK(!stream.start(fixture).get().value());
    CHECK(stream.status == 410);
    CHECK(stream.got.empty());
  }
  SECTION("cut off") {
    how = 3;
    go_on = true;
    const auto end = stream.start(fixture).get();
    REQUIRE(!end);
    CHECK(end.error().what == "the peer closed the connection");
  }
  SECTION("chunks that are none") {
    how = 4;
    go_on = true;
    const auto end = stream.start(fixture).get();
    REQUIRE(!end);
    CHECK(end.error().kind == ErrorKind::invalid);
  }
  SECTION("its reader has enough") {
    stream.bytes_max = 3;
    CHECK(!stream.start(fixture).get().value());
    go_on = true;
  }
  SECTION("its deadline") {
    const auto end = stream.start(fixture, milliseconds(200)).get();
    REQUIRE(!end);
    CHECK(end.error().kind == ErrorKind::deadline_passed);
    CHECK(stream.got == "first");
    go_on = true;
  }
}

TEST_CASE("client: a torn TLS connection is no end of a body", "[net][client]") {
  std::atomic<bool> goodbye{false};
  Fixture fixture("http/1.1", [&](Peer& peer, int) {
    if (!peer.receive_head()) return;
    peer.send("HTTP/1.1 200 OK\r\n\r\nhalf of it");
    if (goodbye) peer.say_goodbye();
  });
  const auto torn = fixture.ask("POST");
  REQUIRE(!torn);
  CHECK(torn.error().kind == ErrorKind::unavailable);
  goodbye = true;
  const auto whole = fixture.ask("POST");
  REQUIRE(whole);
  CHECK(whole->body == "half of it");
}

TEST_CASE("client: peers that are no HTTP/1.1 servers", "[net][client]") {
  for (const char* answer :
       {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", ""}) {
    DYNAMIC_SECTION("answer: " << answer) {
      Fixture fixture("", [&](Peer& peer, int) {
        if (peer.receive_head()) peer.send(answer);
      });
      const auto refused = fixture.ask("POST", seconds(5));
      CHECK(!refused);
    }
  }
}

TEST_CASE("client: a GET whose idle connection had gone is asked again, a POST is not", "[net][client]") {
  Fixture fixture("", [&](Peer& peer, int number) {
    if (!peer.receive_head()) return;
    if (number == 1 || number == 3) return;  // leaves without an answer
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });
  REQUIRE(fixture.ask("POST"));
  CHECK(fixture.ask("GET"));
  CHECK(fixture.server.accepted() == 3);
  const auto lost = fixture.ask("POST");
  REQUIRE(!lost);
  CHECK(lost.error().kind == ErrorKind::unavailable);
  CHECK(fixture.server.accepted() == 4);
}

TEST_CASE("client: HTTP/2 GOAWAY", "[net][client]") {
  std::atomic<bool> go_on{false};
  Fixture fixture("h2", [&](Peer& peer, int number) {
    peer.send(settings);
    if (number == 0) {
      if (!receive_request(peer, 1) || !receive_request(peer, 3)) return;
      peer.send(ok_head(1) + http2_frame(data_frame, 0, 1, "first"));
      peer.send(http2_frame(goaway_frame, 0, 0, number32(1) + number32(0)));  // stream 3 never happened
      becomes_true([&] { return go_on.load(); });
      peer.send(last_data(1, "second"));
    } else {
      if (!receive_request(peer, 1)) return;
      peer.send(ok_head(1) + last_data(1, "elsewhere"));
    }
    peer.wait_for_end();
  });
  Stream stream;
  auto end = stream.start(fixture);
  auto post = fixture.start("POST");
  const auto answer = post.get();
  REQUIRE(answer);
  CHECK(answer->body == "elsewhere");
  CHECK(stream.has("first"));
  go_on = true;
  CHECK(end.get().value());
  CHECK(stream.got == "firstsecond");
  CHECK(fixture.client->stats().dials == 2);
}

TEST_CASE("client: HTTP/2 streams that are refused or reset", "[net][client]") {
  Fixture fixture("h2", [&](Peer& peer, int) {
    peer.send(settings);
    if (!receive_request(peer, 1)) return;
    peer.send(http2_frame(reset_frame, 0, 1, number32(7)));  // REFUSED_STREAM: asked again
    if (!receive_request(peer, 3)) return;
    peer.send(ok_head(3) + last_data(3, "at last"));
    if (!receive_request(peer, 5)) return;
    peer.send(ok_head(5) + http2_frame(reset_frame, 0, 5, number32(2)));  // INTERNAL_ERROR: nobody knows
    if (!receive_request(peer, 7)) return;
    peer.send(http2_frame(headers_frame, end_headers | end_stream, 7, status_200));
    peer.wait_for_end();
  });
  const auto refused = fixture.ask("POST");
  REQUIRE(refused);
  CHECK(refused->body == "at last");
  const auto reset = fixture.ask("POST");
  REQUIRE(!reset);
  CHECK(reset.error().kind == ErrorKind::unavailable);
  CHECK(reset.error().what == "the stream was cut off: INTERNAL_ERROR");
  const auto empty = fixture.ask("POST");
  REQUIRE(empty);
  CHECK(empty->body.empty());
  CHECK(fixture.client->stats().dials == 1);
}

TEST_CASE("client: HTTP/2 nonsense ends the connection, not the client", "[net][client]") {
  Fixture fixture("h2", [&](Peer& peer, int number) {
    if (number == 0) {
      if (!peer.receive(preface)) return;
      peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    } else {
      peer.send(settings);
      if (!receive_request(peer, 1)) return;
      peer.send(ok_head(1) + last_data(1, "ok"));
    }
    peer.wait_for_end();
  });
  const auto nonsense = fixture.ask("POST");
  REQUIRE(!nonsense);
  CHECK(nonsense.error().kind == ErrorKind::unavailable);
  CHECK(fixture.ask("POST"));
}

TEST_CASE("client: a peer that has vanished is noticed by PING", "[net][client]") {
  net::ClientLimits limits;
  limits.quiet_time_max = limits.pong_time_max = seconds(1);
  std::atomic<int> pings{0};
  Fixture fixture(
      "h2",
      [&](Peer& peer, int) {
        peer.send(settings);
        if (!receive_request(peer, 1)) return;
        peer.send(ok_head(1));
        const auto ping_of = [](const std::string& got, std::size_t from) {
          return got.find(http2_frame(ping_frame, 0, 0, std::string(8, '\0')), from);
        };
        if (!peer.receive_until([&](const std::string& got) { return ping_of(got, 0) != std::string::npos; })) return;
        ++pings;
        const std::size_t first = ping_of(peer.got, 0);
        peer.send(http2_frame(ping_frame, acknowledged, 0, std::string(8, '\0')));
        if (!peer.receive_until([&](const std::string& got) { return ping_of(got, first + 1) != std::string::npos; })) return;
        ++pings;
        peer.wait_for_end();
      },
      limits);
  const auto began = Clock::now();
  Stream stream;
  const auto end = stream.start(fixture).get();
  REQUIRE(!end);
  CHECK(end.error().what == "the peer answers no more");
  CHECK(pings == 2);
  CHECK(Clock::now() - began >= milliseconds(2900));
}

TEST_CASE("client: a peer that is not there is not hammered", "[net][client]") {
  std::uint16_t port = 0;
  {
    const ScriptedServer gone([](Peer&, int) {});
    port = gone.port();
  }
  net::Background background("client");
  net::ClientLimits limits;
  limits.redial_delay_first = milliseconds(50);
  limits.redial_delay_max = milliseconds(400);
  auto client = net::Client::open(
      background, {.host = "127.0.0.1", .port = port, .plain = true, .server_name = {}, .http2 = true, .limits = limits}, {});
  REQUIRE(client);
  const auto until = Clock::now() + seconds(2);
  int calls = 0;
  while (Clock::now() < until) {
    const auto answer =
        await(background, [&] { return (*client)->call({.target = "/", .fields = {}, .body = {}}, Clock::now() + seconds(5)); });
    REQUIRE(!answer);
    CHECK(answer.error().kind == ErrorKind::unavailable);
    CHECK(answer.error().where == "127.0.0.1:" + std::to_string(port));
    ++calls;
  }
  CHECK(calls == static_cast<int>((*client)->stats().dials));
  CHECK((*client)->stats().dials >= 4);
  CHECK((*client)->stats().dials <= 16);
  const auto late =
      await(background, [&] { return (*client)->call({.target = "/", .fields = {}, .body = {}}, Clock::now() + milliseconds(1)); });
  REQUIRE(!late);
  CHECK(late.error().kind != ErrorKind::invalid);
}

TEST_CASE("client: a peer that takes connections and closes them is not hammered", "[net][client]") {
  Fixture fixture("h2", [](Peer&, int) {});
  const auto until = Clock::now() + seconds(2);
  while (Clock::now() < until) CHECK(!fixture.ask("POST", seconds(5)));
  CHECK(fixture.server.accepted() <= 12);
}

TEST_CASE("client: a handshake that takes too long", "[net][client]") {
  net::ClientLimits limits;
  limits.dial_time_max = seconds(1);
  const Certificate ca({.common_name = "test CA", .is_ca = true});
  ScriptedServer silent([](Peer& peer, int) { peer.wait_for_end(); });  // speaks no TLS
  net::Background background("client");
  auto client = net::Client::open(
      background, {.host = "127.0.0.1", .port = silent.port(), .plain = false, .server_name = {}, .http2 = true, .limits = limits},
      {.roots_pem = ca.certificate_pem(), .certificate_pem = {}, .key_pem = {}});
  REQUIRE(client);
  const auto answer =
      await(background, [&] { return (*client)->call({.target = "/", .fields = {}, .body = {}}, Clock::now() + seconds(10)); });
  REQUIRE(!answer);
  CHECK(answer.error().what == "not connected in time");
}

}  // namespace portcullis::test
