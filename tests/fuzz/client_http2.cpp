// A server's HTTP/2 frames, read by the client: two calls, a GET and a POST, end with the connection at the latest, and what
// they got does not depend on how it arrived.
#include "net/client_http2.hpp"

#include <array>

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

struct Told {
  bool broken = false;
  std::array<net::ClientCall::State, 2> states{};
  std::array<std::string, 2> bodies;
};

Told drive(std::string_view input, std::size_t piece) {
  net::ClientLimits limits;
  limits.answer_bytes_max = 64 * 1024;
  const net::ClientRequest get{.target = "/watch", .fields = {{"authorization", "Bearer t"}}, .body = {}, .gzip = true};
  const net::ClientRequest post{.method = "POST", .target = "/", .fields = {}, .body = std::string(100'000, 'b')};
  net::ClientHttp2 protocol("a", limits, "peer");
  net::ClientCall first(get, limits, "peer"), second(post, limits, "peer");
  protocol.start(first);
  protocol.start(second);
  std::string out;
  Told told;
  while (!input.empty() && !told.broken) {
    protocol.take_output(out);
    told.broken = protocol.feed(input.substr(0, piece)).has_value();
    input.remove_prefix(std::min(piece, input.size()));
    if (!first.is_running()) protocol.stop(first);
  }
  for (int turns = 0; turns < 1000; ++turns) {
    protocol.take_output(out);
    if (out.empty()) break;
  }
  static_cast<void>(protocol.has_room());
  static_cast<void>(protocol.is_finished());
  protocol.close({.kind = ErrorKind::unavailable, .where = "peer", .what = "closed"});
  must(!first.is_running() && !second.is_running(), "calls end with their connection");
  must(first.answer().body.size() <= limits.answer_bytes_max, "an answer has its bound");
  told.states = {first.state(), second.state()};
  told.bodies = {first.answer().body, second.answer().body};
  return told;
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t piece = 1 + fuzz::take(input) % 61;
  std::string bytes("\0\0\0\4\0\0\0\0\0", 9);  // an empty SETTINGS frame
  bytes.append(input);
  const Told whole = drive(bytes, bytes.size());
  const Told parts = drive(bytes, piece);
  for (std::size_t i = 0; i < 2; ++i) {
    const bool both = whole.states[i] == net::ClientCall::State::whole && parts.states[i] == net::ClientCall::State::whole;
    if (both) must(whole.bodies[i] == parts.bodies[i], "an answer does not depend on how it arrives");
  }
}
