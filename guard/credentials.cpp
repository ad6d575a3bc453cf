#include "guard/credentials.hpp"

#include <algorithm>
#include <cstring>

#include "guard/text.hpp"

namespace portcullis::guard {
namespace {

constexpr std::string_view session_cookie = "session_id";
constexpr std::size_t scheme_chars_max = 32;  // longer than any registered; what is longer is hashed as it stands

constexpr std::array<bool, 256> make_session_alphabet() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c)
    table[c] = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  return table;
}
constexpr auto session_alphabet = make_session_alphabet();

bool is_session_id(std::string_view value) {
  if (value.size() < session_id_chars_min || value.size() > session_id_chars_max) return false;
  bool all = true;  // without a branch a character
  for (const char c : value) all &= session_alphabet[static_cast<unsigned char>(c)];
  return all;
}

}  // namespace

Sessions find_sessions(std::span<const std::string_view> cookie_lines, const SipKey& key) {
  Sessions sessions;
  for (std::string_view line : cookie_lines) {
    while (!line.empty()) {
      const std::size_t end = line.find(';');
      const std::string_view pair = trimmed(line.substr(0, end));
      line = end == std::string_view::npos ? std::string_view{} : line.substr(end + 1);
      if (!pair.starts_with(session_cookie)) continue;
      std::string_view value = trimmed(pair.substr(session_cookie.size()));
      if (!value.starts_with('=')) continue;
      value = trimmed(value.substr(1));
      if (!is_session_id(value)) continue;
      const std::uint64_t hash = siphash(key, value.substr(0, session_key_chars));
      const auto known = sessions.all();
      if (std::find(known.begin(), known.end(), hash) != known.end()) continue;
      if (sessions.count == sessions.keys.size()) return {};
      sessions.keys[sessions.count++] = hash;
    }
  }
  return sessions;
}

std::optional<std::uint64_t> find_api_key(std::string_view authorization, const SipKey& key) {
  authorization = trimmed(authorization);
  if (authorization.empty()) return std::nullopt;
  std::array<char, scheme_chars_max> scheme{};
  const std::size_t scheme_end = std::min(authorization.find_first_of(" \t"), authorization.size());
  if (scheme_end > scheme.size()) return siphash(key, authorization);
  std::transform(authorization.begin(), authorization.begin() + scheme_end, scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  // Two hashes instead of one joined copy: the second keyed by the first.
  const SipKey of_scheme{siphash(key, scheme.data(), scheme_end), key.k1};
  return siphash(of_scheme, trimmed(authorization.substr(scheme_end)));
}

}  // namespace portcullis::guard
