// A typed cursor over a YAML tree: asks for a text, an integer, a word, a mapping of known fields, and collects every refusal
// with file, line, column, field, what was found, what is wanted and a near miss. Reading goes on after a refusal, so that an
// author sees them all at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/document/documents.hpp"
#include "policy/document/fields.hpp"
#include "policy/document/load.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::policy {

// One file's refusals.
struct Decoding {
  std::shared_ptr<const std::string> file;
  DocumentErrors& errors;
  [[nodiscard]] Place place(const Span& span) const { return {file, span}; }
};

// "spec" + "tier" is "spec.tier", + "requests.cpu" is `spec["requests.cpu"]`.
std::string field_path(std::string_view parent, std::string_view child);

// "`yes` (a boolean)", "a list", "nothing": how refusals say what they met.
std::string found_text(const yaml::Node& node);
// "deny, warn or allow"
std::string one_of(std::span<const std::string_view> words);

class Cursor {
 public:
  // `node` may be null: the field is absent, and `span` is then where its parent stands. `decoding` outlives the cursor.
  Cursor(Decoding& decoding, const yaml::Node* node, Span span, std::string field)
      : decoding_(&decoding), node_(node), span_(span), field_(std::move(field)) {}

  [[nodiscard]] bool present() const { return node_ != nullptr; }
  [[nodiscard]] const yaml::Node* node() const { return node_; }
  [[nodiscard]] const std::string& field() const { return field_; }
  [[nodiscard]] Place place() const { return decoding_->place(span_); }
  [[nodiscard]] Decoding& decoding() const { return *decoding_; }

  // "found ..., want <want>" at this place; of an absent field "found nothing".
  void refuse(std::string_view want, std::string_view hint = "") const;
  // Any other sentence at this place.
  void say(std::string what, ErrorKind kind = ErrorKind::invalid) const;

  // A mapping whose members are all among `fields`. Members among `later` come with a later version and are refused so, those
  // among `misplaced` with where they belong; other members are unknown. False, and refused, when this is absent or no mapping.
  bool mapping(std::span<const std::string_view> fields, std::span<const std::string_view> later = {},
               std::span<const Misplaced> misplaced = {}) const;
  bool mapping(const Record& record) const;
  // A mapping with members of any name.
  [[nodiscard]] bool any_mapping(std::string_view want) const;
  [[nodiscard]] Cursor operator[](std::string_view name) const;
  [[nodiscard]] std::vector<std::pair<const yaml::Pair*, Cursor>> members() const;  // of any_mapping

  // Each reader refuses what it cannot take, absence too: ask present() first where a field is optional.
  [[nodiscard]] std::optional<std::string> text(std::string_view want) const;
  [[nodiscard]] std::optional<std::int64_t> integer(Range range, std::string_view want) const;
  [[nodiscard]] std::optional<double> number(std::string_view want) const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::size_t> word(std::span<const std::string_view> words) const;  // its index
  [[nodiscard]] std::optional<Quantity> quantity() const;                                        // not below zero

  enum class Empty { refused, taken };
  // The items of a list; none, and refused, when this is absent or no list.
  [[nodiscard]] std::vector<Cursor> list(std::string_view want, Empty empty = Empty::refused) const;

  // The member of `enumerators` whose name is written here.
  template <class Enum, std::size_t count>
  [[nodiscard]] std::optional<Enum> word_of(const std::pair<std::string_view, Enum> (&enumerators)[count]) const {
    std::vector<std::string_view> words;
    for (const auto& [name, value] : enumerators) words.push_back(name);
    const auto index = word(words);
    if (!index) return std::nullopt;
    return enumerators[*index].second;
  }

 private:
  [[nodiscard]] bool is_scalar(std::string_view want) const;

  Decoding* decoding_;
  const yaml::Node* node_;
  Span span_;
  std::string field_;
};

// A list of texts that `valid` takes; refuses others with `want`, and a text that stands twice.
template <class Valid>
std::vector<std::string> read_texts(const Cursor& at, std::string_view list_want, std::string_view want, Valid valid,
                                    Cursor::Empty empty = Cursor::Empty::refused) {
  std::vector<std::string> out;
  for (const Cursor& item : at.list(list_want, empty)) {
    auto text = item.text(want);
    if (!text) continue;
    if (!valid(*text))
      item.refuse(want);
    else
      out.push_back(*std::move(text));
  }
  return out;
}

}  // namespace portcullis::policy
