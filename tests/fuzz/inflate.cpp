// gzip of a stranger: never more than its bound, and the same however it arrives.
#include "net/inflater.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

constexpr std::size_t bytes_max = 256 * 1024;

struct Told {
  bool failed = false, whole = false;
  std::string bytes;
};

Told drive(std::string_view input, std::size_t piece) {
  net::Inflater inflater(bytes_max);
  Told told;
  const net::Inflater::Sink sink = [&](std::string_view bytes) {
    told.bytes.append(bytes);
    return true;
  };
  while (!input.empty() && !told.failed) {
    told.failed = !inflater.feed(input.substr(0, piece), sink);
    input.remove_prefix(std::min(piece, input.size()));
  }
  told.whole = inflater.is_whole();
  must(told.bytes.size() <= bytes_max, "what comes out has its bound");
  return told;
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t piece = 1 + fuzz::take(input) % 61;
  const Told whole = drive(input, input.size()), parts = drive(input, piece);
  must(whole.failed == parts.failed && (whole.failed || whole.whole == parts.whole), "the end does not depend on how it arrives");
  if (!whole.failed) must(whole.bytes == parts.bytes, "nor do the bytes");
}
