#include "guard/text.hpp"

#include <algorithm>

namespace portcullis::guard {
namespace {

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

bool equal_folded(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
  });
}

std::optional<char> unescape(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const int high_digit = hex_value(text[at + 1]), low_digit = hex_value(text[at + 2]);
  if (high_digit < 0 || low_digit < 0) return std::nullopt;
  return static_cast<char>(high_digit * 16 + low_digit);
}

void decode_form(std::string_view text, std::string& out, std::size_t bytes_max) {
  out.clear();
  for (std::size_t at = 0; at < text.size() && out.size() < bytes_max; ++at) {
    char c = text[at];
    if (c == '+') {
      c = ' ';
    } else if (c == '%') {
      if (const std::optional<char> byte = unescape(text, at)) {
        c = *byte;
        at += 2;
      }
    }
    out.push_back(c);
  }
}

}  // namespace portcullis::guard
