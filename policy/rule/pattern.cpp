#include "policy/rule/pattern.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/text.hpp"
#include "policy/object/glob.hpp"

namespace portcullis::policy {
namespace {

constexpr std::array<std::string_view, 3> placeholders{"tenant", "environment", "namespace"};

bool is_dns_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

}  // namespace

Result<PatternText> PatternText::parse(std::string_view text) {
  if (text.empty()) return fail(ErrorKind::invalid, "", "found an empty pattern");
  if (text.size() > pattern_bytes_max)
    return fail(ErrorKind::limit_exceeded, "",
                "found a pattern of " + std::to_string(text.size()) + " bytes, want at most " + std::to_string(pattern_bytes_max));
  PatternText pattern;
  pattern.text_ = text;
  std::vector<Part> parts;
  bool filled = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t brace = text.find_first_of("{}", at);
    if (brace != at) parts.push_back({Piece::literal, at, std::min(brace, text.size()) - at});
    if (brace == std::string_view::npos) break;
    const std::size_t end = text[brace] == '{' ? text.find('}', brace) : std::string_view::npos;
    if (end == std::string_view::npos) return fail(ErrorKind::invalid, "", "found a brace without its other half in " + quoted(text));
    const std::string_view name = text.substr(brace + 1, end - brace - 1);
    const auto known = std::find(placeholders.begin(), placeholders.end(), name);
    if (known == placeholders.end())
      return fail(ErrorKind::invalid, "",
                  "found the placeholder " + quoted(text.substr(brace, end - brace + 1)) + ", want {tenant}, {environment} or {namespace}" +
                      did_you_mean(name, placeholders));
    parts.push_back({static_cast<Piece>(1 + (known - placeholders.begin())), 0, 0});
    filled = true;
    at = end + 1;
  }
  if (filled) pattern.parts_ = std::move(parts);
  return pattern;
}

std::optional<std::string_view> PatternText::fill(const Facts& facts, std::string_view name_space, Buffer& buffer) const {
  if (parts_.empty()) return std::string_view(text_);
  std::size_t size = 0;
  for (const Part& part : parts_) {
    std::string_view piece;
    switch (part.piece) {
      case Piece::literal:
        piece = std::string_view(text_).substr(part.begin, part.size);
        break;
      case Piece::tenant:
        piece = facts.tenant;
        break;
      case Piece::environment:
        piece = facts.environment;
        break;
      case Piece::name_space:
        piece = name_space;
        break;
    }
    if (part.piece != Piece::literal && !is_dns_text(piece)) return std::nullopt;
    if (piece.size() > buffer.size() - size) return std::nullopt;
    std::memcpy(buffer.data() + size, piece.data(), piece.size());
    size += piece.size();
  }
  return std::string_view(buffer.data(), size);
}

Result<NamePattern> NamePattern::parse(std::string_view text) {
  Result<PatternText> read = PatternText::parse(text);
  if (!read) return tl::unexpected(read.error());
  NamePattern pattern;
  pattern.text_ = *std::move(read);
  return pattern;
}

bool NamePattern::matches(std::string_view name, const Facts& facts, std::string_view name_space) const {
  PatternText::Buffer buffer;
  const std::optional<std::string_view> filled = text_.fill(facts, name_space, buffer);
  return filled && glob_matches(*filled, name);
}

Result<ImagePattern> ImagePattern::parse(std::string_view text) {
  Result<PatternText> read = PatternText::parse(text);
  if (!read) return tl::unexpected(read.error());
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  // The host as the grammar tells one: it holds a dot or a port, or it is localhost.
  if (slash == std::string_view::npos || slash + 1 == text.size() ||
      (host.find_first_of(".:{") == std::string_view::npos && host != "localhost"))
    return fail(ErrorKind::invalid, "", "found " + quoted(text) + ", want a registry host and a path, such as docker.io/library/odoo");
  if (host.find('*') != std::string_view::npos)
    return fail(ErrorKind::invalid, "", "found " + quoted(text) + ", want the registry host written whole: `*` stands in the path only");
  if (host == "index.docker.io")
    return fail(ErrorKind::invalid, "", "found " + quoted(text) + ", want docker.io, the name that index.docker.io stands for");
  if (text.find_first_of("@ \t") != std::string_view::npos || text.find(':', slash) != std::string_view::npos)
    return fail(ErrorKind::invalid, "", "found " + quoted(text) + ", want a repository without tag or digest");
  ImagePattern pattern;
  pattern.text_ = *std::move(read);
  return pattern;
}

bool ImagePattern::matches(const ImageReference& image, const Facts& facts, std::string_view name_space) const {
  PatternText::Buffer buffer;
  const std::optional<std::string_view> filled = text_.fill(facts, name_space, buffer);
  return filled && image_matches(image, *filled);
}

}  // namespace portcullis::policy
