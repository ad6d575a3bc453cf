// The small languages of HTTP that several readers of the guard share: case folding, tokens, percent escapes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis::guard {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
bool equal_folded(std::string_view a, std::string_view b);  // ASCII case aside
std::string_view trimmed(std::string_view text);            // without spaces and tabs around it
bool is_token(std::string_view text);                       // RFC 9110 5.6.2

// The byte that the percent escape at `text[at]` stands for; none for a broken one (RFC 3986 2.1).
std::optional<char> unescape(std::string_view text, std::size_t at);

// A name or value of a form or a query, into `out`: `+` is a space, a broken escape stands for itself, as for Python's
// unquote_plus. What would pass `bytes_max` is left out.
void decode_form(std::string_view text, std::string& out, std::size_t bytes_max = std::string_view::npos);

}  // namespace portcullis::guard
