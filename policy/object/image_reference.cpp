#include "policy/object/image_reference.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include "policy/object/glob.hpp"

namespace portcullis::policy {
namespace {

constexpr std::size_t reference_bytes_max = 4096;
constexpr std::size_t path_bytes_max = 255;  // distribution: RepositoryNameTotalLengthMax
constexpr std::size_t tag_bytes_max = 128;
constexpr std::size_t digest_hex_digits = 64;
constexpr std::string_view digest_head = "sha256:";
constexpr std::string_view docker_hub = "docker.io", docker_index = "index.docker.io", official = "library/";

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_alphanumeric(char c) { return is_lower(c) || is_digit(c) || is_upper(c); }

bool is_lower_hex(const char* text) {  // digest_hex_digits of them
  unsigned wrong = 0;
  for (std::size_t i = 0; i < digest_hex_digits; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    wrong |=
        static_cast<unsigned>(static_cast<unsigned char>(c - '0') > 9) & static_cast<unsigned>(static_cast<unsigned char>(c - 'a') > 5);
  }
  return wrong == 0;
}

bool is_digest(std::string_view text) {
  return text.size() == digest_head.size() + digest_hex_digits && text.starts_with(digest_head) &&
         is_lower_hex(text.data() + digest_head.size());
}

// [\w][\w.-]{0,127}
bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > tag_bytes_max) return false;
  if (!is_alphanumeric(text[0]) && text[0] != '_') return false;
  for (const char c : text.substr(1))
    if (!is_alphanumeric(c) && c != '_' && c != '.' && c != '-') return false;
  return true;
}

// Components of [a-z0-9]+ with single `.`, `_`, `__` or any number of `-` between them, joined by `/`.
bool is_path(std::string_view text) {
  char before = '/';  // the last byte, or 'u' for the second of two underscores
  for (const char c : text) {
    if (is_lower(c) || is_digit(c)) {
      before = 'a';
      continue;
    }
    switch (c) {
      case '/':
      case '.':
        if (before != 'a') return false;
        before = c;
        break;
      case '_':
        if (before != 'a' && before != '_') return false;
        before = before == '_' ? 'u' : '_';
        break;
      case '-':
        if (before != 'a' && before != '-') return false;
        before = '-';
        break;
      default:
        return false;
    }
  }
  return before == 'a';
}

bool is_port(std::string_view text) {
  for (const char c : text)
    if (!is_digit(c)) return false;
  return !text.empty();
}

// A bracketed IPv6 address, or components of [a-zA-Z0-9-] that neither begin nor end with `-`, joined by `.`; then a port.
bool is_host(std::string_view text) {
  std::size_t at = 0;
  if (text.starts_with('[')) {
    at = text.find(']');
    if (at == std::string_view::npos || at == 1) return false;
    for (const char c : text.substr(1, at - 1))
      if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != ':') return false;
    ++at;
  } else {
    char before = '.';
    for (; at < text.size() && text[at] != ':'; ++at) {
      const char c = text[at];
      if (is_alphanumeric(c)) {
        before = 'a';
      } else if (c == '-' && before != '.') {
        before = '-';
      } else if (c == '.' && before == 'a') {
        before = '.';
      } else {
        return false;
      }
    }
    if (before != 'a') return false;
  }
  if (at == text.size()) return true;
  return text[at] == ':' && is_port(text.substr(at + 1));
}

// splitDockerDomain: is the first component a host?
bool names_host(std::string_view first) {
  if (first == "localhost") return true;
  for (const char c : first)
    if (c == '.' || c == ':' || is_upper(c)) return true;
  return false;
}

}  // namespace

bool host_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto fold = [](char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; };
    if (fold(a[i]) != fold(b[i])) return false;
  }
  return true;
}

std::optional<ImageReference> parse_image(std::string_view text) {
  if (text.empty() || text.size() > reference_bytes_max) return std::nullopt;
  ImageReference image;
  std::string_view name = text;
  const std::size_t at_sign = text.find('@');
  if (at_sign != std::string_view::npos) {
    image.digest = text.substr(at_sign + 1);
    if (!is_digest(image.digest)) return std::nullopt;
    name = text.substr(0, at_sign);
  } else if (text.size() == digest_hex_digits && is_lower_hex(text.data())) {
    return std::nullopt;  // an image id: it names no repository
  }
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    image.tag = name.substr(colon + 1);
    if (!is_tag(image.tag)) return std::nullopt;
    name = name.substr(0, colon);
  }
  image.host = docker_hub;
  image.path = name;
  const std::size_t first = name.find('/');
  if (first != std::string_view::npos && names_host(name.substr(0, first))) {
    const std::string_view host = name.substr(0, first);
    if (!is_host(host)) return std::nullopt;
    if (host != docker_index) image.host = host;
    image.path = name.substr(first + 1);
  }
  if (image.host == docker_hub && image.path.find('/') == std::string_view::npos) image.path_prefix = official;
  if (image.path_prefix.size() + image.path.size() > path_bytes_max || !is_path(image.path)) return std::nullopt;
  return image;
}

bool image_matches(const ImageReference& image, std::string_view pattern) {
  const std::size_t slash = pattern.find('/');
  if (slash == std::string_view::npos || !host_equal(image.host, pattern.substr(0, slash))) return false;
  const std::string_view path_pattern = pattern.substr(slash + 1);
  if (image.path_prefix.empty()) return glob_matches(path_pattern, image.path);
  std::array<char, path_bytes_max> whole;
  const std::size_t size = image.path_prefix.size() + image.path.size();
  if (size > whole.size()) return false;
  std::memcpy(whole.data(), image.path_prefix.data(), image.path_prefix.size());
  std::memcpy(whole.data() + image.path_prefix.size(), image.path.data(), image.path.size());
  return glob_matches(path_pattern, std::string_view(whole.data(), size));
}

std::string ImageReference::repository() const {
  std::string text(host);
  for (char& c : text)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  text += '/';
  text += path_prefix;
  text += path;
  return text;
}

}  // namespace portcullis::policy
