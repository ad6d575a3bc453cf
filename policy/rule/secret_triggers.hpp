// The cheap question before the dear ones: could this text say or hold a credential at all?
//
// Nearly every string of a manifest holds none, so it is asked of all of them, in a few nanoseconds: which of a handful of
// three-letter beginnings ("pas", "tok", "://", ...) occur, and is there a run of 20 letters and digits, as every known
// token has. Both may say yes too often, never no wrongly. No allocation, no byte read outside the text.
#pragma once

#include <cstdint>
#include <string_view>

namespace portcullis::policy::rule {

using Triggers = std::uint8_t;
inline constexpr Triggers word_triggers = 0x7f;  // beginnings of words such as password, secret, token, and of hashes
inline constexpr Triggers mark_triggers = 0x80;  // "://", "---": where URLs and PEM blocks begin

Triggers triggers_in(std::string_view text);

// A word trigger begins at text[at].
bool word_begins(std::string_view text, std::size_t at);

// Shorter runs hold none of the token shapes, and too little to tell a random value from a word.
inline constexpr std::size_t run_bytes_min = 20;

// Letters, digits and + / _ -: base64 in both alphabets.
bool is_run_byte(char byte);

// Does a run of at least run_bytes_min bytes occur? Looks back from every 20th byte and jumps on.
bool has_run(std::string_view text);

}  // namespace portcullis::policy::rule
