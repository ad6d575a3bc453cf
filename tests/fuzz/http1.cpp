// HTTP/1.1 without a socket: requests do not depend on how their bytes arrive.
#include "net/http1.hpp"

#include "tests/fuzz/session.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t piece = 1 + fuzz::take(input) % 64;
  const fuzz::Told whole = fuzz::drive<net::Http1>(input, input.size() + 1);
  const fuzz::Told parts = fuzz::drive<net::Http1>(input, piece);
  must(whole.seen == parts.seen, "requests do not depend on how they arrive", whole.seen + "---\n" + parts.seen);
  must(whole.ended == parts.ended, "nor does the end of the connection", whole.output + "---\n" + parts.output);
  if (input.find("100-continue") == std::string_view::npos && input.find("100-CONTINUE") == std::string_view::npos &&
      whole.seen.size() < 64)
    must(whole.output.substr(0, 12) == parts.output.substr(0, 12), "nor does the answer", whole.output + "---\n" + parts.output);
}
