#include "guard/path.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "guard/text.hpp"

namespace portcullis::guard {
namespace {

// What a byte of the URI means to us.
enum Trait : std::uint8_t { plain = 0, control = 1, percent = 2, slash = 4, dot = 8, backslash = 16, high = 32, hash = 64 };

constexpr std::array<std::uint8_t, 256> make_traits() {
  std::array<std::uint8_t, 256> traits{};
  for (std::size_t c = 0; c < traits.size(); ++c) {
    if (c <= 0x20 || c == 0x7f) traits[c] = control;
    if (c >= 0x80) traits[c] = high;
  }
  traits['%'] = percent;
  traits['/'] = slash;
  traits['.'] = dot;
  traits['\\'] = backslash;
  traits['#'] = hash;
  return traits;
}
constexpr auto traits = make_traits();
constexpr std::uint8_t trait(char c) { return traits[static_cast<unsigned char>(c)]; }

// Dot segments of `path`, with `\` read as `/`, into `out`.
std::string_view resolve_dots(std::string_view path, char* out) {
  std::size_t size = 0;
  for (std::size_t at = 0; at < path.size();) {
    ++at;  // the slash
    std::size_t end = at;
    while (end < path.size() && path[end] != '/' && path[end] != '\\') ++end;
    const std::string_view segment = path.substr(at, end - at);
    const bool last = end == path.size();
    if (segment == "..") {
      while (size > 0 && out[--size] != '/') {
      }
      if (last) out[size++] = '/';
    } else if (segment == "." || segment.empty()) {
      if (last) out[size++] = '/';
    } else {
      out[size++] = '/';
      size += segment.copy(out + size, segment.size());
    }
    at = end;
  }
  if (size == 0) out[size++] = '/';
  return {out, size};
}

}  // namespace

Reason normalise_path(std::string_view uri, PathBuffer& buffer, PathForms& forms) {
  if (uri.size() > uri_bytes_max) return Reason::uri_too_long;
  if (uri.empty() || uri.front() != '/') return Reason::bad_uri;
  char* const out = buffer.decoded.get();
  std::size_t size = 0, at = 0;
  std::uint8_t seen = 0;  // traits of what was written
  bool dot_segment = false;
  for (; at < uri.size() && uri[at] != '?'; ++at) {
    char c = uri[at];
    std::uint8_t kind = trait(c);
    if (kind != plain) {
      if ((kind & (control | hash)) != 0) return Reason::bad_uri;
      if (kind == percent) {
        const std::optional<char> byte = unescape(uri, at);
        if (!byte) return Reason::bad_uri;
        c = *byte;
        at += 2;
        kind = trait(c);
        if (kind == control && c != ' ') return Reason::bad_uri;
        if (kind == control || kind == percent || kind == hash) kind = plain;  // decoded once: it means nothing more
      }
      if (kind == slash && size > 0 && out[size - 1] == '/') continue;
      if (kind == dot && (out[size - 1] == '/' || out[size - 1] == '\\')) dot_segment = true;
      seen |= kind;
    }
    out[size++] = c;
  }
  forms.raw = uri.substr(0, at);
  forms.query = at < uri.size() ? uri.substr(at + 1) : std::string_view{};
  for (const char c : forms.query) {
    if ((trait(c) & (control | hash)) != 0) return Reason::bad_uri;
  }
  forms.decoded = {out, size};
  if ((seen & high) != 0 && !is_utf8(forms.decoded)) return Reason::bad_uri;
  const bool resolvable = dot_segment || (seen & backslash) != 0;
  forms.resolved = resolvable ? resolve_dots(forms.decoded, buffer.resolved.get()) : std::string_view{};
  return Reason::none;
}

namespace {

// `text` percent-decoded is `wanted`, without case.
bool decodes_to(std::string_view text, std::string_view wanted) {
  std::size_t matched = 0;
  for (std::size_t at = 0; at < text.size(); ++at, ++matched) {
    char c = text[at];
    if (c == '%') {
      const std::optional<char> byte = unescape(text, at);
      if (!byte) return false;
      c = *byte;
      at += 2;
    }
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (matched == wanted.size() || c != wanted[matched]) return false;
  }
  return matched == wanted.size();
}

// What Odoo's str2bool takes for no, and nothing at all.
bool is_off(std::string_view value) {
  for (const std::string_view word : {"", "0", "false", "f", "no", "n", "off"}) {
    if (decodes_to(value, word)) return true;
  }
  return false;
}

}  // namespace

bool asks_for_debug(std::string_view query) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view parameter = query.substr(0, end);
    const std::size_t equals = parameter.find('=');
    if (decodes_to(parameter.substr(0, equals), "debug") && equals != std::string_view::npos && !is_off(parameter.substr(equals + 1)))
      return true;
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace portcullis::guard
