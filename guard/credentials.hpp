// What a client shows of itself, as far as limits are keyed by it: Odoo's session cookie and the Authorization header. Only
// keyed hashes leave this file; nothing here says that a session or a key is genuine.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "guard/siphash.hpp"

namespace portcullis::guard {

// Odoo keeps the first 42 characters of a session id through its rotation and changes all of them at login and logout
// (odoo/http.py); an id is 84 or more of [A-Za-z0-9_-].
inline constexpr std::size_t session_key_chars = 42;
inline constexpr std::size_t session_id_chars_min = 84, session_id_chars_max = 128;

struct Sessions {
  std::array<std::uint64_t, 2> keys{};
  std::size_t count = 0;
  [[nodiscard]] std::span<const std::uint64_t> all() const { return {keys.data(), count}; }
};

// The sessions in the Cookie lines. Two different ones give two keys, because readers differ in which of them counts (first
// or last); with three or more nobody can say, and there is none. A value of another shape (quoted, escaped, short) is
// none either: it is keyed by address like any visitor.
Sessions find_sessions(std::span<const std::string_view> cookie_lines, const SipKey& key);

// A key for the credentials in Authorization, the same however the scheme is spelled (RFC 9110 11.1: case-insensitive, one or
// more spaces). None when there are none.
std::optional<std::uint64_t> find_api_key(std::string_view authorization, const SipKey& key);

}  // namespace portcullis::guard
