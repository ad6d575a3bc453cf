// HTTP/2 without a socket: frames after the client's preface. Requests do not depend on how their bytes arrive.
#include "net/http2.hpp"

#include "tests/fuzz/session.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t piece = 1 + fuzz::take(input) % 64;
  std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  bytes.append(std::string_view("\0\0\0\4\0\0\0\0\0", 9)).append(input);  // an empty SETTINGS frame
  const fuzz::Told whole = fuzz::drive<net::Http2>(bytes, bytes.size());
  const fuzz::Told parts = fuzz::drive<net::Http2>(bytes, piece);
  if (!whole.ended && !parts.ended) must(whole.seen == parts.seen, "requests do not depend on how they arrive");
}
