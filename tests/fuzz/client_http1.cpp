// A server's HTTP/1.1 answer, read by the client: the same status, fields and body however it arrives, within the bounds.
#include "net/client_http1.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

struct Told {
  net::ClientCall::State state = net::ClientCall::State::running;
  int status = 0;
  net::ClientFields fields;
  std::string body;
};

Told drive(std::string_view input, std::size_t piece, bool gzip) {
  net::ClientLimits limits;
  limits.header_bytes_max = 2048;
  limits.answer_bytes_max = 64 * 1024;
  const net::ClientRequest request{.target = "/", .fields = {}, .body = {}, .gzip = gzip};
  net::ClientHttp1 protocol("a", limits, "peer");
  net::ClientCall call(request, limits, "peer");
  protocol.start(call);
  bool broken = false;
  while (!input.empty() && !broken && call.is_running()) {
    broken = protocol.feed(input.substr(0, piece)).has_value();
    input.remove_prefix(std::min(piece, input.size()));
    must(!broken || !call.is_running(), "a broken answer has ended the call");
  }
  protocol.end_of_input(true);
  protocol.close({.kind = ErrorKind::unavailable, .where = "peer", .what = "closed"});
  must(!call.is_running(), "a call ends with its connection");
  must(call.answer().body.size() <= limits.answer_bytes_max, "an answer has its bound");
  must(call.answer().fields.size() <= limits.header_fields_max, "fields have their bound");
  must(call.state() != net::ClientCall::State::whole || call.has_head(), "a whole answer has a head");
  return {.state = call.state(), .status = call.answer().status, .fields = call.answer().fields, .body = call.answer().body};
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const std::uint8_t how = fuzz::take(input);
  const Told whole = drive(input, input.size(), how % 2 != 0);
  const Told parts = drive(input, 1 + how % 61, how % 2 != 0);
  must(whole.state == parts.state, "the end does not depend on how it arrives");
  if (whole.state != net::ClientCall::State::whole) return;
  must(whole.status == parts.status && whole.fields == parts.fields && whole.body == parts.body, "nor does the answer");
}
