#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace portcullis {
namespace {

constexpr std::size_t word_bytes_max = 64;  // longer words are nobody's slip of the finger

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Optimal string alignment distance (Damerau-Levenshtein without repeated edits of one place).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;  // 0: not valid UTF-8 here
};

// RFC 3629 4.
CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t length = 0;
  std::uint32_t value = 0, smallest = 0;
  if ((first & 0xE0U) == 0xC0) {
    length = 2, value = first & 0x1FU, smallest = 0x80;
  } else if ((first & 0xF0U) == 0xE0) {
    length = 3, value = first & 0x0FU, smallest = 0x800;
  } else if ((first & 0xF8U) == 0xF0) {
    length = 4, value = first & 0x07U, smallest = 0x10000;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xC0U) != 0x80) return {};
    value = value << 6U | (byte(at) & 0x3FU);
  }
  if (value < smallest || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length};
}

// What moves the cursor, reorders or hides text: C1 controls, zero-width and bidi marks, line separators, BOM.
bool is_deceptive(std::uint32_t c) {
  return (c >= 0x80 && c < 0xA0) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
         c == 0xFEFF || (c >= 0xE0000 && c <= 0xE0FFF);
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > word_bytes_max) return {};
  const std::size_t allowed = std::clamp<std::size_t>(word.size() / 3, 1, 3);
  std::string_view best;
  std::size_t best_distance = allowed + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > word.size() + allowed || word.size() > candidate.size() + allowed) continue;
    if (const std::size_t edits = distance(word, candidate); edits < best_distance) {
      best = candidate;
      best_distance = edits;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view near = nearest(word, candidates);
  return near.empty() ? std::string() : " (did you mean `" + std::string(near) + "`?)";
}

std::string printable(std::string_view value, std::size_t bytes_max) {
  std::string shown;
  shown.reserve(std::min(value.size(), bytes_max) + 8);
  std::array<char, 16> escape{};
  for (std::size_t at = 0; at < value.size();) {
    if (shown.size() >= bytes_max) return shown + "...";
    const CodePoint point = decode(value.substr(at));
    if (point.bytes == 0) {
      std::snprintf(escape.data(), escape.size(), "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(value[at])));
      shown += escape.data();
      ++at;
      continue;
    }
    if (point.value == '\n') {
      shown += "\\n";
    } else if (point.value == '\t') {
      shown += "\\t";
    } else if (point.value < 0x20 || point.value == 0x7F) {
      std::snprintf(escape.data(), escape.size(), "\\x%02X", static_cast<unsigned>(point.value));
      shown += escape.data();
    } else if (is_deceptive(point.value)) {
      std::snprintf(escape.data(), escape.size(), "\\u{%04X}", static_cast<unsigned>(point.value));
      shown += escape.data();
    } else {
      shown += value.substr(at, point.bytes);
    }
    at += point.bytes;
  }
  return shown;
}

std::string quoted(std::string_view value, std::size_t bytes_max) { return "`" + printable(value, bytes_max) + "`"; }

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode(text.substr(at));
    if (point.bytes == 0) return false;
    at += point.bytes;
  }
  return true;
}

}  // namespace portcullis
