// The wire's parts that need no socket: addresses, peers, fields, chunks, pace.
#include <string>
#include <vector>

#include "net/http1_chunks.hpp"
#include "net/http2_pace.hpp"
#include "net/request.hpp"
#include "net/server.hpp"
#include "tests/catch.hpp"

namespace portcullis::net {
namespace {

std::string shown(std::string_view text) {
  const auto address = parse_listen_address(text);
  return address ? address->host + " " + std::to_string(address->port) : address.error().what;
}

}  // namespace

TEST_CASE("parse_listen_address", "[net]") {
  CHECK(shown("127.0.0.1:8443") == "127.0.0.1 8443");
  CHECK(shown("0.0.0.0:0") == "0.0.0.0 0");
  CHECK(shown("[::1]:65535") == "::1 65535");
  CHECK(shown("8443") == "found `8443`, want address:port, such as 127.0.0.1:8443");
  CHECK(shown("127.0.0.1:") == "found `127.0.0.1:`, want a port of 0 to 65535");
  CHECK(shown("127.0.0.1:65536") == "found `127.0.0.1:65536`, want a port of 0 to 65535");
  CHECK(shown("127.0.0.1:+1") == "found `127.0.0.1:+1`, want a port of 0 to 65535");
  CHECK(shown("::1:8443") == "found `::1:8443`, want an IPv6 address in brackets, such as [::1]:8443");
  CHECK(shown("[127.0.0.1]:1") == "found `[127.0.0.1]:1`, want an IPv6 address between the brackets");
  CHECK(shown("[::1]") == "found `[::1]`, want [address]:port");
  CHECK(shown("localhost:1") == "found `localhost:1`, want an IP address, such as 127.0.0.1, 0.0.0.0 or [::1]");
  CHECK(shown("") == "found ``, want address:port, such as 127.0.0.1:8443");
}

TEST_CASE("Peer::text", "[net]") {
  Peer peer;
  peer.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 7};
  peer.port = 51322;
  CHECK(peer.text() == "10.0.0.7:51322");
  peer.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  peer.port = 443;
  CHECK(peer.text() == "[2001:db8::1]:443");
}

TEST_CASE("field_value", "[net]") {
  const std::vector<Field> fields{{"Host", "a"}, {"X-Two", "1"}, {"x-two", "2"}, {"empty", ""}};
  Request request;
  request.fields = fields;
  CHECK(field_value(request, "host") == "a");
  CHECK(field_value(request, "HOST") == "a");
  CHECK(field_value(request, "x-two").empty());  // not the only one
  CHECK(field_value(request, "empty").empty());
  CHECK(field_value(request, "absent").empty());
}

TEST_CASE("a response's header value cannot begin another line", "[net]") {
  Response response;
  response.header("location", "a\r\nset-cookie: b\0c\x7f");
  CHECK(response.headers().front().value == "a  set-cookie: b");
  response.header("x", std::string_view("a\0b\x7f"
                                        "c\td",
                                        7));
  CHECK(response.headers().back().value == "a b c\td");
  response.clear();
  CHECK(response.headers().empty());
}

TEST_CASE("chunks come out whole whatever the cut", "[net][chunks]") {
  const std::string framed = "5;name=\"v\"\r\nhello\r\n1\r\n \r\n005 \r\nworld\r\n0\r\nA: b\r\n\r\nNEXT";
  for (std::size_t first = 0; first <= framed.size(); ++first) {
    for (std::size_t then = first; then <= framed.size(); then += 3) {
      ChunkDecoder decoder(100);
      std::string content;
      std::size_t read = 0;
      ChunkDecoder::State state = ChunkDecoder::State::more;
      for (const auto& [begin, end] : {std::pair{std::size_t{0}, first}, std::pair{first, then}, std::pair{then, framed.size()}}) {
        std::string part = framed.substr(begin, end - begin);
        const auto progress = decoder.decode(part.data(), part.size());
        content += part.substr(0, progress.content);
        read += progress.read;
        state = progress.state;
      }
      REQUIRE(state == ChunkDecoder::State::done);
      REQUIRE(content == "hello world");
      REQUIRE(framed.substr(read) == "NEXT");
    }
  }
}

TEST_CASE("chunks have bounds", "[net][chunks]") {
  const auto state_of = [](std::string bytes) { return ChunkDecoder(10).decode(bytes.data(), bytes.size()).state; };
  using State = ChunkDecoder::State;
  CHECK(state_of("a\r\n0123456789\r\n0\r\n\r\n") == State::done);
  CHECK(state_of("b\r\n") == State::too_large);
  CHECK(state_of("9\r\n012345678\r\n2\r\n") == State::too_large);
  CHECK(state_of("ffffffffffffffffffff\r\n") == State::too_large);
  CHECK(state_of(std::string(2000, '0') + "\r\n") == State::malformed);
  CHECK(state_of("1;" + std::string(2000, 'x')) == State::malformed);
  CHECK(state_of("0\r\n" + std::string(10'000, 'x')) == State::malformed);
  CHECK(state_of("0\r\n\r\n") == State::done);
  CHECK(state_of("0\r\n\n") == State::malformed);
  CHECK(state_of("g\r\n") == State::malformed);
}

TEST_CASE("HTTP/2 pace", "[net][http2]") {
  const Clock::time_point start{std::chrono::hours(1)};
  const auto after = [&](int milliseconds) { return start + std::chrono::milliseconds(milliseconds); };
  SECTION("resets in one second") {
    Http2Pace pace;
    for (int i = 0; i < 100; ++i) pace.stream_cut_short(start, start);
    CHECK(!pace.is_abusive());
    pace.stream_cut_short(start, start);
    CHECK(pace.is_abusive());
  }
  SECTION("half of all streams, slowly") {
    Http2Pace pace;
    for (int i = 0; i < 600; ++i) {
      pace.stream_opened(after(i * 20));
      if (i % 100 < 49) pace.stream_cut_short(after(i * 20), after(i * 20));
    }
    CHECK(!pace.is_abusive());
    for (int i = 600; i < 1200; ++i) {
      pace.stream_opened(after(i * 20));
      pace.stream_cut_short(after(i * 20), after(i * 20));
    }
    CHECK(pace.is_abusive());
  }
  SECTION("streams that lived long do not count for the ratio") {
    Http2Pace pace;
    for (int i = 0; i < 1000; ++i) {
      pace.stream_opened(after(i * 20));
      pace.stream_cut_short(after(i * 20 - 5000), after(i * 20));
    }
    CHECK(!pace.is_abusive());
  }
  SECTION("control frames, with and without requests") {
    Http2Pace idle, busy;
    for (int i = 0; i < 501; ++i) {
      idle.control_frame(start);
      busy.stream_opened(start);
      busy.control_frame(start);
    }
    CHECK(idle.is_abusive());
    CHECK(!busy.is_abusive());
  }
}

}  // namespace portcullis::net
