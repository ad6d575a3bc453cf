// HTTP/2 by a client written with nghttp2, and by hand-made frames where a good client would never send them. After every
// attack the connection is closed and another client is still served.
#include <nghttp2/nghttp2.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "tests/net/client.hpp"
#include "tests/net/http2_client.hpp"

namespace portcullis::test {
namespace {

struct Doors {
  TemporaryDirectory directory;
  std::unique_ptr<net::Server> server;

  explicit Doors(net::Limits limits = {}) {
    const Certificate certificate({});
    net::TlsFiles files{.certificate = directory.path() / "c", .key = directory.path() / "k", .client_ca = std::nullopt};
    write_file(files.certificate, certificate.certificate_pem());
    write_file(files.key, certificate.key_pem());
    net::ServerOptions options;
    options.tls = files;
    options.limits = limits;
    server = start_server(std::move(options));
  }
  [[nodiscard]] std::uint16_t port() const { return port_of(*server); }
};

std::string number(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}
std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
  return number(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) +
         payload;
}
constexpr std::uint8_t end_stream = NGHTTP2_FLAG_END_STREAM, end_headers = NGHTTP2_FLAG_END_HEADERS;
const std::string preface = std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) + frame(NGHTTP2_SETTINGS, 0, 0, "") +
                            frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
// HPACK: GET (2), https (7), "/" (4), :authority "a" as a literal not indexed.
const std::string get_block = std::string("\x82\x87\x84\x01\x01") + "a";

// Sends attack after attack until the server ends the connection, reading away what it says. False when it never does.
bool is_ended_by(std::uint16_t port, const std::function<std::string(std::uint32_t)>& attack, std::uint32_t rounds_max) {
  Client client(port, {.protocol = "h2"});
  if (!client.is_connected() || !client.send(preface)) return false;
  for (std::uint32_t round = 0; round < rounds_max; ++round) {
    if (!client.send(attack(round))) return true;
    pollfd ready{client.socket(), POLLIN, 0};
    while (SSL_pending(client.ssl()) > 0 || ::poll(&ready, 1, 0) > 0) {
      if (client.receive().empty()) return true;
    }
  }
  return client.receive_all().size() < 1'000'000 && SSL_get_shutdown(client.ssl()) != 0;
}

bool serves(std::uint16_t port) {
  Http2Client client(port);
  const auto id = client.ask("GET", "/still");
  return client.only(id).body == "GET /still [] host=a";
}

}  // namespace

TEST_CASE("HTTP/2: requests and answers", "[net][http2]") {
  const Doors doors;
  Http2Client client(doors.port());
  REQUIRE(client.is_connected());

  auto& plain = client.only(client.ask("GET", "/a?b=c"));
  CHECK(plain.status == "200");
  CHECK(plain.body == "GET /a?b=c [] host=a");
  CHECK(plain.fields["content-type"] == "text/plain");
  CHECK(plain.fields["content-length"] == "20");
  CHECK(plain.fields["x-answered"] == "yes");
  CHECK(plain.fields.count("date") == 1);
  CHECK(client.only(client.ask("POST", "/", "abc")).body == "POST / [abc] host=a");
  CHECK(client.only(client.ask("GET", "/", "", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}})).body ==
        "GET / [] cookie=a=1; b=2 host=a");
  CHECK(client.only(client.ask("GET", "/", "", {{"host", "a"}})).body == "GET / [] host=a");
  auto& head = client.only(client.ask("HEAD", "/"));
  CHECK(head.body.empty());
  CHECK(head.fields["content-length"] == "16");
  CHECK(client.only(client.ask("POST", "/length", std::string(8 * 1024 * 1024, 'b'))).body == "POST /length 8388608 whole host=a");
  CHECK(client.only(client.ask("GET", "/large?3000000")).body.size() == 3'000'000);
  auto& expecting = client.only(client.ask("POST", "/", "abc", {{"expect", "100-continue"}}));
  CHECK(expecting.continues == 1);
  CHECK(expecting.body == "POST / [abc] host=a");
  CHECK(doors.server->stats().requests_http2 == 8);
}

TEST_CASE("HTTP/2: many streams at once", "[net][http2]") {
  const Doors doors;
  Http2Client client(doors.port());
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 2000; ++i) ids.push_back(client.ask("POST", "/" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'b')));
  REQUIRE(client.run());
  for (int i = 0; i < 2000; ++i) {
    const auto& answer = client.answers[ids[static_cast<std::size_t>(i)]];
    REQUIRE(answer.body == "POST /" + std::to_string(i) + " [" + std::string(static_cast<std::size_t>(i), 'b') + "] host=a");
  }
}

TEST_CASE("HTTP/2: what is refused leaves the connection in use", "[net][http2]") {
  const Doors doors;
  struct Case {
    const char* name;
    std::string method, path, body;
    Fields more;
    std::string status;
  };
  Fields many;
  for (int i = 0; i < 101; ++i) many.emplace_back("x" + std::to_string(i), "y");
  const Case cases[] = {
      {"101 fields", "GET", "/", "", many, "431"},
      {"a long target", "GET", "/" + std::string(20'000, 'x'), "", {}, "414"},
      {"a body too large", "POST", "/", std::string(9 * 1024 * 1024, 'b'), {}, "413"},
      {"asterisk", "OPTIONS", "*", "", {}, "400"},
      {"a target beyond ASCII", "GET", "/\xc3\xa4", "", {}, "400"},
      {"another host", "GET", "/", "", {{"host", "b"}}, "400"},
      {"a long method", std::string(40, 'M'), "/", "", {}, "501"},
      {"the handler threw", "GET", "/throw", "", {}, "500"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Http2Client client(doors.port());
      CHECK(client.only(client.ask(c.method, c.path, c.body, c.more)).status == c.status);
      if (c.status != "500") CHECK(client.only(client.ask("GET", "/")).status == "200");
    }
  }
}

TEST_CASE("HTTP/2: attacks end their connection and nobody else's", "[net][http2][attack]") {
  const Doors doors;
  const auto port = doors.port();
  const auto id = [](std::uint32_t round) { return 2 * round + 1; };
  const auto open = [&](std::uint32_t round) { return frame(NGHTTP2_HEADERS, end_headers, id(round), get_block); };
  struct Attack {
    const char* name;
    std::function<std::string(std::uint32_t)> round;
  };
  const std::string bomb_entry = "\x40\x01x\x7f\xa1\x1e" + std::string(4000, 'b');  // a literal of 4,000 bytes, indexed as 62
  const Attack attacks[] = {
      {"rapid reset",
       [&](std::uint32_t round) {
         return frame(NGHTTP2_HEADERS, end_headers | end_stream, id(round), get_block) +
                frame(NGHTTP2_RST_STREAM, 0, id(round), number(8, 4));
       }},
      {"rapid reset of unfinished requests",
       [&](std::uint32_t round) { return open(round) + frame(NGHTTP2_RST_STREAM, 0, id(round), number(8, 4)); }},
      {"made to reset by a window overflow",
       [&](std::uint32_t round) { return open(round) + frame(NGHTTP2_WINDOW_UPDATE, 0, id(round), number(0x7fffffff, 4)); }},
      {"made to reset by an increment of zero",
       [&](std::uint32_t round) { return open(round) + frame(NGHTTP2_WINDOW_UPDATE, 0, id(round), number(0, 4)); }},
      {"made to reset by a stream that depends on itself",
       [&](std::uint32_t round) { return open(round) + frame(NGHTTP2_PRIORITY, 0, id(round), number(id(round), 4) + '\x10'); }},
      {"made to reset by a malformed header",
       [&](std::uint32_t round) { return frame(NGHTTP2_HEADERS, end_headers | end_stream, id(round), "\x82"); }},
      {"names of no length",
       [&](std::uint32_t round) {
         return frame(NGHTTP2_HEADERS, end_headers | end_stream, id(round), get_block + std::string("\x00\x00\x01x", 4));
       }},
      {"CONTINUATION without end",
       [&](std::uint32_t round) {
         return round == 0 ? frame(NGHTTP2_HEADERS, 0, 1, get_block) : frame(NGHTTP2_CONTINUATION, 0, 1, std::string("\x00\x01x\x01y", 5));
       }},
      {"PING", [&](std::uint32_t) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }},
      {"SETTINGS", [&](std::uint32_t) { return frame(NGHTTP2_SETTINGS, 0, 0, std::string("\x00\x04\x00\x00\xff\xff", 6)); }},
      {"SETTINGS of many entries",
       [&](std::uint32_t) {
         std::string entries;
         for (int i = 0; i < 1000; ++i) entries += std::string("\x00\x04\x00\x00\xff\xff", 6);
         return frame(NGHTTP2_SETTINGS, 0, 0, entries);
       }},
      {"PRIORITY", [&](std::uint32_t round) { return frame(NGHTTP2_PRIORITY, 0, id(round) + 1001, number(0, 4) + '\x10'); }},
      {"WINDOW_UPDATE of one byte", [&](std::uint32_t) { return frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(1, 4)); }},
      {"empty DATA", [&](std::uint32_t round) { return round == 0 ? open(0) : frame(NGHTTP2_DATA, 0, 1, ""); }},
      {"an HPACK bomb",
       [&](std::uint32_t round) {
         return round == 0 ? frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, get_block + bomb_entry)
                           : frame(NGHTTP2_HEADERS, end_headers | end_stream, id(round), get_block + std::string(10'000, '\xbe'));
       }},
      {"not HTTP/2 at all", [&](std::uint32_t) { return get("/"); }},
  };
  for (const Attack& attack : attacks) {
    DYNAMIC_SECTION(attack.name) {
      CHECK(is_ended_by(port, attack.round, 20'000));
      CHECK(serves(port));
      CHECK(becomes_true([&] { return doors.server->stats().connections_open == 0; }));
    }
  }
}

TEST_CASE("HTTP/2: a peer that takes no answer is given up", "[net][http2][limits]") {
  net::Limits limits;
  limits.write_time_max = limits.body_time_max = limits.idle_time_max = std::chrono::seconds(1);
  limits.output_bytes_max = 64 * 1024;
  const Doors doors(limits);
  SECTION("windows of no byte") {
    Client client(doors.port(), {.protocol = "h2"});
    // SETTINGS_INITIAL_WINDOW_SIZE 0: no answer's body may be sent.
    REQUIRE(client.send(std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) +
                        frame(NGHTTP2_SETTINGS, 0, 0, std::string("\x00\x04\x00\x00\x00\x00", 6)) +
                        frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "") + frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, get_block)));
    client.receive_all();
    CHECK(becomes_true([&] { return doors.server->stats().connections_open == 0; }));
  }
  SECTION("many answers that nobody fetches") {
    Http2Client client(doors.port());
    nghttp2_settings_entry none{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    nghttp2_submit_settings(client.session(), NGHTTP2_FLAG_NONE, &none, 1);
    for (int i = 0; i < 3; ++i) client.ask("GET", "/large?50000");
    CHECK(!client.run());
  }
  SECTION("a request that never ends") {
    Client raw(doors.port(), {.protocol = "h2"});
    REQUIRE(raw.send(preface + frame(NGHTTP2_HEADERS, end_headers, 1, get_block)));
    raw.receive_all();
    CHECK(becomes_true([&] { return doors.server->stats().connections_open == 0; }));
  }
}

TEST_CASE("HTTP/2: bodies above the pending bound are shed", "[net][http2][limits]") {
  net::Limits limits;
  limits.pending_bytes_max = 256 * 1024;
  const Doors doors(limits);
  Http2Client client(doors.port());
  auto& answer = client.only(client.ask("POST", "/", std::string(2 * 1024 * 1024, 'b')));
  CHECK(answer.status == "503");
  CHECK(answer.fields["retry-after"] == "1");
  CHECK(client.only(client.ask("POST", "/length", std::string(100'000, 'b'))).body == "POST /length 100000 whole host=a");
  CHECK(doors.server->stats().requests_shed == 1);
}

TEST_CASE("HTTP/2: draining says GOAWAY twice and loses no stream", "[net][http2][drain]") {
  net::Limits limits;
  limits.drain_delay = std::chrono::seconds(1);
  const Doors doors(limits);
  Client idle(doors.port(), {.protocol = "h2"});
  REQUIRE(idle.send(preface + frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, get_block)));
  std::string heard;
  REQUIRE(becomes_true([&] { return (heard += idle.receive()).find("GET / [] host=a") != std::string::npos; }));
  doors.server->drain();
  // A request that was on its way already is answered.
  Client late(doors.port(), {.protocol = "h2"});
  REQUIRE(late.send(preface + frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, get_block)));
  CHECK(late.receive_all().find("GET / [] host=a draining") != std::string::npos);
  const auto goaway = [](std::uint32_t last) { return frame(NGHTTP2_GOAWAY, 0, 0, number(last, 4) + number(NGHTTP2_NO_ERROR, 4)); };
  CHECK(idle.receive_all() == goaway(0x7fffffff) + goaway(1));
  CHECK(doors.server->wait_until_idle(Clock::now() + std::chrono::seconds(patience_seconds)));
}

}  // namespace portcullis::test
