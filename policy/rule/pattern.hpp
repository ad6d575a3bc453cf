// Patterns in the parameters of rules, with `{tenant}`, `{environment}` and `{namespace}` filled from what is judged, so that
// one policy serves every tenant. Parsed once when a rule is compiled; matching allocates nothing.
//
// A placeholder that has nothing to be filled with (a namespace that no tenant owns) makes its pattern match nothing, and so
// does a value that is no DNS name: a `*` in a namespace's name must not become a wildcard.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/object/image_reference.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy {

inline constexpr std::size_t pattern_bytes_max = 512;  // as written; a repository path ends at 255, a host at 253

// A text with placeholders.
class PatternText {
 public:
  using Buffer = std::array<char, 2 * pattern_bytes_max>;  // filled patterns above this match nothing

  // Refuses an unknown or unclosed placeholder, and text that is empty or above the bound. Errors have no place: the caller
  // knows it.
  static Result<PatternText> parse(std::string_view text);
  // The text with its placeholders filled: a view into `buffer` or into this pattern. None where a value is missing.
  [[nodiscard]] std::optional<std::string_view> fill(const Facts& facts, std::string_view name_space, Buffer& buffer) const;
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  enum class Piece : unsigned char { literal, tenant, environment, name_space };
  struct Part {
    Piece piece;
    std::size_t begin, size;  // of a literal, in text_
  };
  std::string text_;
  std::vector<Part> parts_;  // empty: no placeholder
};

// A name such as "{tenant}-*": `*` stands for any bytes within the name.
class NamePattern {
 public:
  static Result<NamePattern> parse(std::string_view text);
  [[nodiscard]] bool matches(std::string_view name, const Facts& facts, std::string_view name_space) const;
  [[nodiscard]] std::string_view text() const { return text_.text(); }

 private:
  PatternText text_;
};

// Repositories such as "registry.hoster.example/odoo/**". The host is written whole, so that nobody has to know how
// Kubernetes fills in one.
class ImagePattern {
 public:
  static Result<ImagePattern> parse(std::string_view text);
  [[nodiscard]] bool matches(const ImageReference& image, const Facts& facts, std::string_view name_space) const;
  [[nodiscard]] std::string_view text() const { return text_.text(); }

 private:
  PatternText text_;
};

}  // namespace portcullis::policy
