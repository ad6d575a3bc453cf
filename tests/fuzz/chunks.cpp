// A chunked body: the same content and the same end however it arrives, never more than its bound.
#include <algorithm>

#include "net/http1_chunks.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using net::ChunkDecoder;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t piece = 1 + fuzz::take(input) % 32;
  constexpr std::size_t bytes_max = 4096;
  std::string whole(input);
  ChunkDecoder at_once(bytes_max);
  const auto wanted = at_once.decode(whole.data(), whole.size());
  must(wanted.content <= std::min(bytes_max, wanted.read) && wanted.read <= whole.size(), "content has its bound");
  if (wanted.state == ChunkDecoder::State::more) must(wanted.read == whole.size(), "one that waits has taken all");

  ChunkDecoder decoder(bytes_max);
  std::string content, rest(input);
  std::size_t read = 0;
  auto state = ChunkDecoder::State::more;
  while (read < rest.size() && state == ChunkDecoder::State::more) {
    std::string part = rest.substr(read, piece);
    const auto progress = decoder.decode(part.data(), part.size());
    content.append(part, 0, progress.content);
    read += progress.read;
    state = progress.state;
  }
  must(state == wanted.state, "the end does not depend on how it arrives");
  must(content == whole.substr(0, wanted.content), "nor does the content");
  if (state == ChunkDecoder::State::done) must(read == wanted.read, "nor where it ends");
}
