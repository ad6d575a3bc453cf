#include "observe/escape.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace portcullis::observe {
namespace {

constexpr std::string_view cut_mark = "...";
constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr char hex_digits[] = "0123456789abcdef";

constexpr std::uint64_t every_byte(std::uint8_t byte) { return 0x0101010101010101ULL * byte; }

// Nonzero when one of eight bytes cannot be copied as it is. A borrow may flag a clean byte beside a bad one; the slow
// path then copies it all the same.
std::uint64_t unclean(std::uint64_t eight) {
  const auto has_zero = [](std::uint64_t x) { return (x - every_byte(0x01)) & ~x; };
  return (eight | ((eight - every_byte(0x20)) & ~eight) | has_zero(eight ^ every_byte('"')) | has_zero(eight ^ every_byte('\\')) |
          has_zero(eight ^ every_byte(0x7f))) &
         every_byte(0x80);
}

constexpr auto is_plain = [] {
  std::array<bool, 256> plain{};
  for (unsigned byte = 0x20; byte < 0x7f; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}();

struct Decoded {
  unsigned bytes;  // of the character, or of the invalid part
  char32_t point;
  bool valid;
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Decoded decode(const unsigned char* in, std::size_t left) {
  const unsigned char lead = in[0];
  unsigned length = 0;
  unsigned char second_min = 0x80, second_max = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if ((lead & 0xf0) == 0xe0) {
    length = 3;
    if (lead == 0xe0) second_min = 0xa0;
    if (lead == 0xed) second_max = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) second_min = 0x90;
    if (lead == 0xf4) second_max = 0x8f;
  } else {
    return {1, 0, false};
  }
  char32_t point = lead & (0xffU >> (length + 1));
  for (unsigned i = 1; i < length; ++i) {
    const bool continues = i < left && in[i] >= (i == 1 ? second_min : 0x80) && in[i] <= (i == 1 ? second_max : 0xbf);
    if (!continues) return {i, 0, false};
    point = (point << 6) | (in[i] & 0x3fU);
  }
  return {length, point, true};
}

bool is_mark(char32_t point) {
  return (point >= 0x80 && point <= 0x9f) || point == 0x61c || point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069);
}

std::size_t unicode_escape(char* unit, unsigned point) {
  const char escape[] = {
      '\\', 'u', hex_digits[point >> 12 & 15], hex_digits[point >> 8 & 15], hex_digits[point >> 4 & 15], hex_digits[point & 15]};
  std::memcpy(unit, escape, sizeof escape);
  return sizeof escape;
}

// The short escapes of JSON where there is one.
std::size_t ascii_escape(char* unit, unsigned char byte) {
  char letter = 0;
  switch (byte) {
    case '"':
      letter = '"';
      break;
    case '\\':
      letter = '\\';
      break;
    case '\b':
      letter = 'b';
      break;
    case '\f':
      letter = 'f';
      break;
    case '\n':
      letter = 'n';
      break;
    case '\r':
      letter = 'r';
      break;
    case '\t':
      letter = 't';
      break;
    default:
      break;
  }
  if (letter != 0) {
    unit[0] = '\\';
    unit[1] = letter;
    return 2;
  }
  if (byte < 0x20 || byte == 0x7f) return unicode_escape(unit, byte);
  unit[0] = static_cast<char>(byte);
  return 1;
}

}  // namespace

std::size_t escape_json(char* out, std::size_t room, std::string_view text, Marks marks) {
  if (room < cut_mark.size()) return 0;
  char* at = out;
  char* const end = out + room;
  char* const last_cut = end - cut_mark.size();
  char* cut = out;  // the last border between characters at which the mark still fits
  const auto* in = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const stop = in + text.size();
  while (in < stop) {
    while (stop - in >= 8 && last_cut - at >= 8) {
      std::uint64_t eight;
      std::memcpy(&eight, in, 8);
      if (unclean(eight) != 0) break;
      std::memcpy(at, in, 8);
      in += 8;
      at += 8;
    }
    while (in < stop && at < last_cut && is_plain[*in]) *at++ = static_cast<char>(*in++);
    if (in == stop) break;
    if (at <= last_cut) cut = at;
    char unit[8];
    std::size_t unit_bytes = 0;
    if (*in < 0x80) {
      unit_bytes = ascii_escape(unit, *in++);
    } else {
      const Decoded character = decode(in, static_cast<std::size_t>(stop - in));
      if (!character.valid) {
        unit_bytes = replacement.copy(unit, replacement.size());
      } else if (marks == Marks::escape && is_mark(character.point)) {
        unit_bytes = unicode_escape(unit, static_cast<unsigned>(character.point));
      } else {
        unit_bytes = character.bytes;
        std::memcpy(unit, in, unit_bytes);
      }
      in += character.bytes;
    }
    if (unit_bytes > static_cast<std::size_t>(end - at)) {
      cut_mark.copy(cut, cut_mark.size());
      return static_cast<std::size_t>(cut - out) + cut_mark.size();
    }
    std::memcpy(at, unit, unit_bytes);
    at += unit_bytes;
  }
  return static_cast<std::size_t>(at - out);
}

}  // namespace portcullis::observe
