#include "net/http1_chunks.hpp"

#include <algorithm>
#include <cstring>

namespace portcullis::net {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }

}  // namespace

ChunkDecoder::Progress ChunkDecoder::decode(char* bytes, std::size_t count) {
  Progress progress;
  while (progress.read < count && !done_) {
    if (at_ == At::content) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(size_, count - progress.read));
      std::memmove(bytes + progress.content, bytes + progress.read, part);
      progress.content += part;
      progress.read += part;
      size_ -= part;
      if (size_ == 0) at_ = At::content_cr;
    } else if (!step(bytes[progress.read++])) {
      progress.state = too_large_ ? State::too_large : State::malformed;
      return progress;
    }
  }
  if (done_) progress.state = State::done;
  return progress;
}

bool ChunkDecoder::step(char byte) {
  switch (at_) {
    case At::size_first:
      size_ = 0;
      line_bytes_ = 0;
      if (hex_digit(byte) < 0) return false;
      at_ = At::size;
      [[fallthrough]];
    case At::size:
      if (const int digit = hex_digit(byte); digit >= 0) {
        size_ = size_ * 16 + static_cast<std::uint64_t>(digit);
        too_large_ = size_ > left_;  // before it could overflow
        return !too_large_ && ++line_bytes_ < line_bytes_max;
      }
      if (byte == '\r') {
        at_ = At::size_lf;
        return true;
      }
      at_ = At::extension;
      return byte == ';' || byte == ' ' || byte == '\t';
    case At::extension:
      if (byte == '\r') {
        at_ = At::size_lf;
        return true;
      }
      return is_text(byte) && ++line_bytes_ < line_bytes_max;
    case At::size_lf:
      left_ -= size_;
      at_ = size_ == 0 ? At::trailer_first : At::content;
      return byte == '\n';
    case At::content:
      return false;  // not framing
    case At::content_cr:
      at_ = At::content_lf;
      return byte == '\r';
    case At::content_lf:
      at_ = At::size_first;
      return byte == '\n';
    case At::trailer_first:
      if (byte == '\r') {
        at_ = At::end_lf;
        return true;
      }
      at_ = At::trailer;
      return is_text(byte) && byte != ' ' && byte != '\t' && ++trailer_bytes_ < trailer_bytes_max;
    case At::trailer:
      if (byte == '\r') {
        at_ = At::trailer_lf;
        return true;
      }
      return is_text(byte) && ++trailer_bytes_ < trailer_bytes_max;
    case At::trailer_lf:
      at_ = At::trailer_first;
      return byte == '\n';
    case At::end_lf:
      done_ = true;
      return byte == '\n';
  }
  return false;
}

}  // namespace portcullis::net
