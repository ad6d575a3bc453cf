#include "policy/document/decoder.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.hpp"

namespace portcullis::policy {

std::string field_path(std::string_view parent, std::string_view child) {
  const bool plain = child.find_first_of(".[]\" ") == std::string_view::npos && !child.empty();
  std::string out(parent);
  if (plain) {
    if (!out.empty()) out += '.';
    out += printable(child);
  } else {
    out += "[\"" + printable(child) + "\"]";
  }
  return out;
}

std::string found_text(const yaml::Node& node) {
  switch (node.kind) {
    case yaml::Kind::null:
      return "nothing";
    case yaml::Kind::boolean:
      return quoted(node.source) + " (a boolean)";
    case yaml::Kind::integer:
      return quoted(node.source) + " (an integer)";
    case yaml::Kind::floating:
      return quoted(node.source) + " (a number)";
    case yaml::Kind::string:
      return node.text.empty() ? "an empty text" : quoted(node.text);
    case yaml::Kind::sequence:
      return node.items.empty() ? "an empty list" : "a list";
    case yaml::Kind::mapping:
      return "a mapping";
  }
  return "";
}

std::string one_of(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

void Cursor::refuse(std::string_view want, std::string_view hint) const {
  say("found " + (node_ ? found_text(*node_) : "nothing") + ", want " + std::string(want) + std::string(hint));
}

void Cursor::say(std::string what, ErrorKind kind) const {
  decoding_->errors.push_back({kind, place().text() + (field_.empty() ? "" : " " + field_), std::move(what)});
}

bool Cursor::any_mapping(std::string_view want) const {
  if (node_ && node_->kind == yaml::Kind::mapping) return true;
  refuse(want);
  return false;
}

bool Cursor::mapping(std::span<const std::string_view> fields, std::span<const std::string_view> later,
                     std::span<const Misplaced> misplaced) const {
  if (!any_mapping("a mapping with " + one_of(fields))) return false;
  for (const yaml::Pair& pair : node_->pairs) {
    if (std::find(fields.begin(), fields.end(), pair.key) != fields.end()) continue;
    const Cursor member(*decoding_, &pair.value, pair.key_span, field_path(field_, pair.key));
    const auto elsewhere = std::find_if(misplaced.begin(), misplaced.end(), [&](const Misplaced& each) { return each.name == pair.key; });
    if (std::find(later.begin(), later.end(), pair.key) != later.end())
      member.say("found " + quoted(pair.key) + ", which comes with a later version of Portcullis; leave it out until then");
    else if (elsewhere != misplaced.end())
      member.say("found " + quoted(pair.key) + ", " + std::string(elsewhere->told));
    else
      member.say("found the unknown field " + quoted(pair.key) + ", want " + one_of(fields) + did_you_mean(pair.key, fields));
  }
  return true;
}

bool Cursor::mapping(const Record& record) const {
  std::vector<std::string_view> names;
  for (const Field& field : record.fields) names.push_back(field.name);
  return mapping(names, record.later, record.misplaced);
}

Cursor Cursor::operator[](std::string_view name) const {
  const yaml::Pair* pair = node_ ? node_->find_pair(name) : nullptr;
  return {*decoding_, pair ? &pair->value : nullptr, pair ? pair->value.span : span_, field_path(field_, name)};
}

std::vector<std::pair<const yaml::Pair*, Cursor>> Cursor::members() const {
  std::vector<std::pair<const yaml::Pair*, Cursor>> out;
  if (!node_) return out;
  for (const yaml::Pair& pair : node_->pairs)
    out.emplace_back(&pair, Cursor(*decoding_, &pair.value, pair.value.span, field_path(field_, pair.key)));
  return out;
}

bool Cursor::is_scalar(std::string_view want) const {
  if (node_ && node_->kind != yaml::Kind::null && node_->kind != yaml::Kind::sequence && node_->kind != yaml::Kind::mapping) return true;
  refuse(want);
  return false;
}

std::optional<std::string> Cursor::text(std::string_view want) const {
  if (!is_scalar(want)) return std::nullopt;
  if (node_->kind == yaml::Kind::string && !node_->text.empty()) return node_->text;
  refuse(want, node_->kind == yaml::Kind::string ? "" : "; quote it to make it text");
  return std::nullopt;
}

std::optional<std::int64_t> Cursor::integer(Range range, std::string_view want) const {
  if (!is_scalar(want)) return std::nullopt;
  std::int64_t value = 0;
  const char* end = node_->text.data() + node_->text.size();
  const bool exact = node_->kind == yaml::Kind::integer && std::from_chars(node_->text.data(), end, value).ec == std::errc{};
  if (exact && value >= range.min && value <= range.max) return value;
  refuse(want, node_->kind == yaml::Kind::string ? "; write it without quotes" : "");
  return std::nullopt;
}

std::optional<double> Cursor::number(std::string_view want) const {
  if (!is_scalar(want)) return std::nullopt;
  double value = 0;
  const char* end = node_->text.data() + node_->text.size();
  const bool numeric = node_->kind == yaml::Kind::integer || node_->kind == yaml::Kind::floating;
  if (numeric && std::from_chars(node_->text.data(), end, value).ec == std::errc{} && std::isfinite(value)) return value;
  refuse(want, node_->kind == yaml::Kind::string ? "; write it without quotes" : "");
  return std::nullopt;
}

std::optional<bool> Cursor::boolean() const {
  constexpr std::string_view want = "true or false";
  if (!is_scalar(want)) return std::nullopt;
  if (node_->kind == yaml::Kind::boolean) return node_->text == "true";
  refuse(want, node_->quoted ? "; write it without quotes" : "");
  return std::nullopt;
}

std::optional<std::size_t> Cursor::word(std::span<const std::string_view> words) const {
  const std::string want = one_of(words);
  if (!is_scalar(want)) return std::nullopt;
  if (node_->kind == yaml::Kind::string) {
    const auto found = std::find(words.begin(), words.end(), node_->text);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  refuse(want, did_you_mean(node_->source, words));
  return std::nullopt;
}

std::optional<Quantity> Cursor::quantity() const {
  constexpr std::string_view want = "a quantity such as 500m, 2 or 1Gi";
  if (!is_scalar(want)) return std::nullopt;
  const auto value = node_->kind == yaml::Kind::boolean ? std::nullopt : Quantity::parse(node_->text);
  if (value && !value->negative()) return value;
  refuse(value ? "a quantity of at least 0" : want);
  return std::nullopt;
}

std::vector<Cursor> Cursor::list(std::string_view want, Empty empty) const {
  std::vector<Cursor> out;
  if (!node_ || node_->kind != yaml::Kind::sequence || (node_->items.empty() && empty == Empty::refused)) {
    refuse(want);
    return out;
  }
  for (std::size_t i = 0; i < node_->items.size(); ++i) {
    const yaml::Node& item = node_->items[i];
    out.emplace_back(*decoding_, &item, item.span, field_ + "[" + std::to_string(i) + "]");
  }
  return out;
}

}  // namespace portcullis::policy
