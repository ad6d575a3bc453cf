// A chunked body (RFC 9112 7.1) taken apart in place: the content moves forward over its framing and ends up in one
// piece. Bytes in, bytes out, no socket. Trailers are read and dropped (RFC 9110 6.5.1 allows it).
//
// Refuses: anything but hex digits as a size, a bare LF, a bare CR, a control character in an extension, framing that
// outweighs its bound. CVE-2025-22871 was a bare LF in an extension.
#pragma once

#include <cstddef>
#include <cstdint>

namespace portcullis::net {

class ChunkDecoder {
 public:
  enum class State { more, done, malformed, too_large };
  struct Progress {
    State state = State::more;
    std::size_t content = 0;  // bytes of content, now at the front of `bytes`
    std::size_t read = 0;     // bytes taken; less than given only when done
  };

  explicit ChunkDecoder(std::uint64_t body_bytes_max) : left_(body_bytes_max) {}
  Progress decode(char* bytes, std::size_t count);

 private:
  enum class At { size_first, size, extension, size_lf, content, content_cr, content_lf, trailer_first, trailer, trailer_lf, end_lf };
  // One line of framing, and all trailers together.
  static constexpr std::size_t line_bytes_max = 1024;
  static constexpr std::size_t trailer_bytes_max = 8 * 1024;

  bool step(char byte);  // for framing; false refuses

  At at_ = At::size_first;
  std::uint64_t size_ = 0, left_;
  std::size_t line_bytes_ = 0, trailer_bytes_ = 0;
  bool done_ = false, too_large_ = false;
};

}  // namespace portcullis::net
