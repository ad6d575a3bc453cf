#include "net/inflater.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <climits>
#include <new>

namespace portcullis::net {
namespace {

constexpr int gzip_only = 16;  // on top of the window's bits: zlib's way to say it
constexpr std::size_t piece_bytes = 64 * 1024;

}  // namespace

void Inflater::Free::operator()(z_stream_s* stream) const {
  inflateEnd(stream);
  delete stream;
}

Inflater::Inflater(std::size_t bytes_max) : stream_(new z_stream_s{}), bytes_left_(bytes_max) {
  if (inflateInit2(stream_.get(), MAX_WBITS + gzip_only) != Z_OK) throw std::bad_alloc();
}

Result<void> Inflater::feed(std::string_view bytes, const Sink& sink) {
  z_stream& stream = *stream_;
  std::array<char, piece_bytes> piece;  // not zeroed: it is written before it is read
  while (!over_) {
    if (whole_ && bytes.empty()) return {};
    if (whole_) {  // RFC 1952 2.2: members may follow each other
      whole_ = false;
      inflateReset(&stream);
    }
    const std::size_t given = std::min<std::size_t>(bytes.size(), UINT_MAX);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): read only
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    const int result = inflate(&stream, Z_NO_FLUSH);
    bytes.remove_prefix(given - stream.avail_in);
    const std::size_t made = piece.size() - stream.avail_out;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      over_ = true;
      return fail(ErrorKind::invalid, "gzip", stream.msg ? stream.msg : "the data is broken");
    }
    whole_ = result == Z_STREAM_END;
    if (made > bytes_left_) {
      over_ = true;
      return fail(ErrorKind::limit_exceeded, "gzip", "inflates to more than its bound");
    }
    bytes_left_ -= made;
    if (made > 0 && !sink({piece.data(), made})) over_ = true;
    if (!whole_ && bytes.empty() && stream.avail_out != 0) return {};
  }
  return {};
}

}  // namespace portcullis::net
