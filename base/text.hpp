// How words and values of a stranger are shown: near misses for what was mistyped, and request values escaped and cut
// so that they can spoof neither a terminal nor a log.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace portcullis {

// The candidate nearest to `word` by Damerau-Levenshtein distance (optimal string alignment), or "" when none is within
// a third of the word's length (at least 1, at most 3 edits). Case is ignored. Ties go to the first candidate.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// " (did you mean `x`?)" for the nearest candidate, or "".
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

inline constexpr std::size_t shown_value_bytes_max = 120;  // longer values tell a reader nothing more

// `value` made safe to print on one line: control characters, bidi marks and invalid UTF-8 become \xHH or \u{HHHH}, and it
// is cut to `bytes_max` with "..." at the end.
std::string printable(std::string_view value, std::size_t bytes_max = shown_value_bytes_max);

// printable() between backticks, as findings and errors quote what was found.
std::string quoted(std::string_view value, std::size_t bytes_max = shown_value_bytes_max);

// True for valid UTF-8 by RFC 3629 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

}  // namespace portcullis
