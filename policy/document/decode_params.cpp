#include "policy/document/decode_params.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "policy/document/decoder.hpp"

namespace portcullis::policy {
namespace {

bool is_bounded(const Range& range) { return range.min != Range{}.min || range.max != Range{}.max; }

std::string bounds(const Range& range) {
  if (range.max == Range{}.max) return "at least " + std::to_string(range.min);
  if (range.min == Range{}.min) return "at most " + std::to_string(range.max);
  if (range.min == range.max) return std::to_string(range.min);
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

std::string want_of(const ParamInfo& info) {
  const bool bounded = is_bounded(info.range);
  switch (info.type) {
    case ParamType::boolean:
      return "true or false";
    case ParamType::integer:
      return "an integer" + (bounded ? (info.range.max == Range{}.max ? " of " : " from ") + bounds(info.range) : "");
    case ParamType::number:
      return "a number" + (bounded ? (info.range.max == Range{}.max ? " of " : " from ") + bounds(info.range) : "");
    case ParamType::string:
      return info.words.empty() ? "a text" : one_of(info.words);
    case ParamType::strings:
      return bounded ? "a list of " + bounds(info.range) + " texts" : "a list of texts";
    case ParamType::quantities:
      return "a mapping from resource names to quantities";
  }
  return "";
}

std::optional<std::string> read_string(const Cursor& at, const ParamInfo& info) {
  if (info.words.empty()) return at.text("a text");
  const auto index = at.word(info.words);
  return index ? std::optional(std::string(info.words[*index])) : std::nullopt;
}

std::optional<Params::Any> read_strings(const Cursor& at, const ParamInfo& info) {
  const auto items = at.list(want_of(info), is_bounded(info.range) && info.range.min > 0 ? Cursor::Empty::refused : Cursor::Empty::taken);
  const auto count = static_cast<std::int64_t>(items.size());
  if (!items.empty() && (count < info.range.min || count > info.range.max)) {
    at.say("found a list of " + std::to_string(count) + ", want " + want_of(info));
    return std::nullopt;
  }
  Params::Strings out;
  for (const Cursor& item : items) {
    auto text = read_string(item, info);
    if (!text) continue;
    if (std::find(out.begin(), out.end(), *text) != out.end())
      item.say("found " + quoted(*text) + " a second time, want each once");
    else
      out.push_back(*std::move(text));
  }
  return out;
}

std::optional<Params::Any> read_quantities(const Cursor& at, const ParamInfo& info) {
  if (!at.any_mapping(want_of(info))) return std::nullopt;
  Params::Quantities out;
  for (const auto& [pair, member] : at.members()) {
    if (!info.words.empty() && std::find(info.words.begin(), info.words.end(), pair->key) == info.words.end()) {
      member.say("found " + quoted(pair->key) + ", want " + one_of(info.words) + did_you_mean(pair->key, info.words));
      continue;
    }
    if (const auto quantity = member.quantity()) out.emplace_back(pair->key, *quantity);
  }
  return out;
}

template <class T>
std::optional<Params::Any> any_of(std::optional<T> value) {
  return value ? std::optional<Params::Any>(*std::move(value)) : std::nullopt;
}

std::optional<Params::Any> read(const Cursor& at, const ParamInfo& info) {
  switch (info.type) {
    case ParamType::boolean:
      return any_of(at.boolean());
    case ParamType::integer:
      return any_of(at.integer(info.range, want_of(info)));
    case ParamType::number: {
      const auto value = at.number(want_of(info));
      if (!value) return std::nullopt;
      if (*value >= static_cast<double>(info.range.min) && *value <= static_cast<double>(info.range.max)) return *value;
      at.refuse(want_of(info));
      return std::nullopt;
    }
    case ParamType::string:
      return any_of(read_string(at, info));
    case ParamType::strings:
      return read_strings(at, info);
    case ParamType::quantities:
      return read_quantities(at, info);
  }
  return std::nullopt;
}

}  // namespace

void decode_params(const yaml::Node* with, std::span<const ParamInfo> infos, const std::shared_ptr<const std::string>& file,
                   const std::string& field, Params& out, DocumentErrors& errors, const Span& absent_at) {
  Decoding decoding{file, errors};
  const Cursor at(decoding, with, with ? with->span : absent_at, field);
  out.set_place(at.place(), field);
  std::vector<std::string_view> names;
  for (const ParamInfo& info : infos) names.push_back(info.name);
  if (at.present()) {
    if (names.empty() && (with->kind != yaml::Kind::mapping || !with->pairs.empty())) {
      at.say("found " + found_text(*with) + ", want nothing: this rule takes no parameters");
      return;
    }
    if (!names.empty() && !at.mapping(names)) return;
  }
  for (const ParamInfo& info : infos) {
    const Cursor member = at[info.name];
    if (!member.present()) {
      if (info.required) member.refuse(want_of(info));
      continue;
    }
    if (auto value = read(member, info)) out.set(std::string(info.name), {*std::move(value), member.place()});
  }
}

}  // namespace portcullis::policy
