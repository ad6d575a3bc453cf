// What a value looks like, whatever it is called: tokens of known services, random runs, base64 and what is inside.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace portcullis::policy::rule {

inline constexpr std::size_t random_bytes_max = 1024;   // longer runs are blobs (images, archives), no credentials
inline constexpr std::size_t decoded_bytes_max = 4096;  // decoded at a time; longer base64 is read in pieces that overlap

// A token of a known service that begins in `run`, a maximal run of text: its name ("a GitHub token"), or "".
std::string_view token_in(std::string_view text, std::size_t run_begin, std::size_t run_end);

// Looks drawn at random: many kinds of bytes that change all the time, much entropy. Words, paths, names with dashes, UUIDs
// and numbers do not.
bool is_random(std::string_view run);

// Hexadecimal of 32 digits or more with much entropy: a key, unless its surroundings call it a digest.
bool is_random_hex(std::string_view run);

// Decodes standard or URL-safe base64 without its padding into `out`; returns the bytes written, 0 when it is none. Stops
// when `out` is full.
std::size_t decode_base64(std::string_view text, std::span<char> out);

// Begins like text that a person could read.
bool is_plain_text(std::string_view bytes);

// DER of a private key (PKCS #1, PKCS #8, SEC 1) as the first bytes show it; certificates and public keys are none.
bool is_private_key_der(std::string_view bytes);

}  // namespace portcullis::policy::rule
