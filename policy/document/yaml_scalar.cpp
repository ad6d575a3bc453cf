#include "policy/document/yaml_scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/text.hpp"

namespace portcullis::policy::yaml {
namespace {

constexpr std::string_view tag_prefix = "tag:yaml.org,2002:";
constexpr std::size_t number_bytes_max = 512;  // a longer run of digits is text to anyone

struct Word {
  std::string_view word;
  Kind kind;
  std::string_view text;
};
constexpr std::array<Word, 27> words{{
    {"y", Kind::boolean, "true"},      {"Y", Kind::boolean, "true"},      {"yes", Kind::boolean, "true"},
    {"Yes", Kind::boolean, "true"},    {"YES", Kind::boolean, "true"},    {"true", Kind::boolean, "true"},
    {"True", Kind::boolean, "true"},   {"TRUE", Kind::boolean, "true"},   {"on", Kind::boolean, "true"},
    {"On", Kind::boolean, "true"},     {"ON", Kind::boolean, "true"},     {"n", Kind::boolean, "false"},
    {"N", Kind::boolean, "false"},     {"no", Kind::boolean, "false"},    {"No", Kind::boolean, "false"},
    {"NO", Kind::boolean, "false"},    {"false", Kind::boolean, "false"}, {"False", Kind::boolean, "false"},
    {"FALSE", Kind::boolean, "false"}, {"off", Kind::boolean, "false"},   {"Off", Kind::boolean, "false"},
    {"OFF", Kind::boolean, "false"},   {"", Kind::null, "null"},          {"~", Kind::null, "null"},
    {"null", Kind::null, "null"},      {"Null", Kind::null, "null"},      {"NULL", Kind::null, "null"},
}};
constexpr std::array<std::string_view, 12> no_json_floats{".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF",
                                                          "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A float's shortest digits: 0.d1d2d3... times ten to the `point`.
struct Decimal {
  bool negative = false;
  std::string digits;
  int point = 0;
};

template <class Float>
Decimal shortest(Float value) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  Decimal out;
  if (text.front() == '-') {
    out.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  for (const char c : text.substr(0, e))
    if (c != '.') out.digits += c;
  out.point = std::atoi(std::string(text.substr(e + 1)).c_str()) + 1;
  return out;
}

std::string fixed(const Decimal& d) {
  const int count = static_cast<int>(d.digits.size());
  std::string out = d.negative ? "-" : "";
  if (d.point <= 0) return out + "0." + std::string(static_cast<std::size_t>(-d.point), '0') + d.digits;
  if (d.point >= count) return out + d.digits + std::string(static_cast<std::size_t>(d.point - count), '0');
  return out + d.digits.substr(0, static_cast<std::size_t>(d.point)) + "." + d.digits.substr(static_cast<std::size_t>(d.point));
}

std::string scientific(const Decimal& d, int exponent_digits_min) {
  std::string out = d.negative ? "-" : "";
  out += d.digits.front();
  if (d.digits.size() > 1) out += "." + d.digits.substr(1);
  const int exponent = d.point - 1;
  std::string digits = std::to_string(std::abs(exponent));
  if (static_cast<int>(digits.size()) < exponent_digits_min) digits.insert(0, 1, '0');
  return out + "e" + (exponent < 0 ? "-" : "+") + digits;
}

// Go's encoding/json: plain digits between 1e-6 and 1e21.
std::string json_float(double value) {
  const Decimal decimal = shortest(value);
  if (value == 0) return decimal.negative ? "-0" : "0";
  const double size = std::fabs(value);
  return size < 1e-6 || size >= 1e21 ? scientific(decimal, 1) : fixed(decimal);
}

// Go's strconv.ParseInt with base 0, without underscores: sign, then 0x, 0b, 0o or 0 for octal.
struct Integer {
  bool negative = false, prefixed = false;
  int base = 10;
  std::string_view digits;
};

std::optional<Integer> split_integer(std::string_view text) {
  Integer out;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    out.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 1 && text.front() == '0') {
    out.prefixed = true;
    const char mark = static_cast<char>(text[1] | 0x20);
    out.base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  if (text.empty() || text.front() == '-' || text.front() == '+') return std::nullopt;
  out.digits = text;
  return out;
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_float(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > from;
  };
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const bool whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits() && !whole) return false;
  } else if (!whole) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

// None when it is too large for a double; what is too small is zero.
std::optional<double> to_double(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return std::isfinite(value) ? std::optional(value) : std::nullopt;
  if (error != std::errc::result_out_of_range) return std::nullopt;
  value = std::strtod(std::string(text).c_str(), nullptr);
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

Result<Scalar> plain_number(std::string_view value) {
  std::string plain;
  for (const char c : value)
    if (c != '_') plain += c;
  if (const auto integer = split_integer(plain)) {
    std::uint64_t size = 0;
    const char* last = integer->digits.data() + integer->digits.size();
    const auto [end, error] = std::from_chars(integer->digits.data(), last, size, integer->base);
    const bool whole = end == last;
    const bool is_signed = plain.front() == '-' || plain.front() == '+';
    const std::uint64_t size_max = integer->negative ? std::uint64_t{1} << 63U : is_signed ? (std::uint64_t{1} << 63U) - 1 : UINT64_MAX;
    if (error == std::errc{} && whole && size <= size_max)
      return Scalar{Kind::integer, (integer->negative && size != 0 ? "-" : "") + std::to_string(size)};
    if (whole && (error == std::errc::result_out_of_range || size > size_max) && !is_float(plain))
      return fail(ErrorKind::invalid, "",
                  "found " + quoted(value) + ", an integer beyond 64 bits, which decoders read differently; quote it");
  }
  if (is_float(plain))
    if (const auto number = to_double(plain)) return Scalar{Kind::floating, json_float(*number)};
  return Scalar{Kind::string, std::string(value)};
}

// A plain scalar without a tag.
Result<Scalar> plain_scalar(std::string_view value) {
  if (value.size() > number_bytes_max) return Scalar{Kind::string, std::string(value)};
  const char first = value.empty() ? '~' : value.front();
  if (first == '+' || first == '-' || first == '.' || is_digit(first)) {
    if (std::find(no_json_floats.begin(), no_json_floats.end(), value) != no_json_floats.end())
      return fail(ErrorKind::invalid, "", "found " + quoted(value) + ", which JSON has no number for; quote it if text is meant");
    if (first == '.') {
      std::string plain;  // Go's ParseFloat takes `_` between digits
      for (std::size_t i = 0; i < value.size(); ++i) {
        const bool between = value[i] == '_' && i > 0 && i + 1 < value.size() && is_digit(value[i - 1]) && is_digit(value[i + 1]);
        if (!between) plain += value[i];
      }
      if (is_float(plain))
        if (const auto number = to_double(plain)) return Scalar{Kind::floating, json_float(*number)};
      return Scalar{Kind::string, std::string(value)};
    }
    return plain_number(value);
  }
  if (value.size() <= 5)
    for (const Word& word : words)
      if (word.word == value) return Scalar{word.kind, std::string(word.text)};
  return Scalar{Kind::string, std::string(value)};
}

// RFC 4648 4 with line breaks left out, as Go's base64.StdEncoding reads it.
std::optional<std::string> base64_text(std::string_view value) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  std::size_t count = 0, padding = 0;
  for (const char c : value) {
    if (c == '\n' || c == '\r') continue;
    ++count;
    bits <<= 6U;
    if (c == '=') {
      ++padding;
    } else {
      const std::size_t found = alphabet.find(c);
      if (found == std::string_view::npos || padding > 0) return std::nullopt;
      bits |= static_cast<std::uint32_t>(found);
    }
    if (count % 4 != 0) continue;
    if (padding > 2) return std::nullopt;
    out += static_cast<char>(bits >> 16U);
    if (padding < 2) out += static_cast<char>(bits >> 8U);
    if (padding < 1) out += static_cast<char>(bits);
    bits = 0;
  }
  return count % 4 == 0 ? std::optional(out) : std::nullopt;
}

std::string_view kind_tag(Kind kind) {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::floating:
      return "float";
    case Kind::string:
      return "str";
    case Kind::sequence:
      return "seq";
    case Kind::mapping:
      return "map";
  }
  return "";
}

// YYYY-M-D, alone or with a time: what go-yaml would call a timestamp is a string to Kubernetes, so the shape is enough.
bool is_timestamp(std::string_view value) {
  return value.size() >= 8 && value[4] == '-' && std::all_of(value.begin(), value.begin() + 4, is_digit);
}

}  // namespace

Result<Scalar> type_scalar(std::string_view value, std::string_view tag) {
  if (tag.empty()) return plain_scalar(value);
  if (tag.substr(0, tag_prefix.size()) != tag_prefix) return Scalar{Kind::string, std::string(value)};
  const std::string_view name = tag.substr(tag_prefix.size());
  if (name == "binary") {
    auto text = base64_text(value);
    if (!text) return fail(ErrorKind::invalid, "", "found !!binary that is no base64");
    if (!is_utf8(*text)) return fail(ErrorKind::invalid, "", "found !!binary whose bytes are no UTF-8 text, which JSON cannot hold");
    return Scalar{Kind::string, *std::move(text)};
  }
  const bool typed = name == "bool" || name == "int" || name == "float" || name == "null";
  if (name == "timestamp") {
    if (is_timestamp(value)) return Scalar{Kind::string, std::string(value)};
    return fail(ErrorKind::invalid, "", "found " + quoted(value) + " with the tag !!timestamp, which it is not");
  }
  if (!typed) return Scalar{Kind::string, std::string(value)};
  auto scalar = plain_scalar(value);
  if (!scalar || kind_tag(scalar->kind) == name) return scalar;
  if (name == "float" && scalar->kind == Kind::integer)
    if (const auto number = to_double(scalar->text)) return Scalar{Kind::floating, json_float(*number)};
  return fail(ErrorKind::invalid, "", "found " + quoted(value) + " with the tag !!" + std::string(name) + ", which it is not");
}

Result<std::string> key_text(const Node& node) {
  switch (node.kind) {
    case Kind::string:
    case Kind::boolean:
      return node.text;
    case Kind::integer:
      if (node.text.front() != '-' && (node.text.size() > 19 || (node.text.size() == 19 && node.text > "9223372036854775807")))
        return fail(ErrorKind::invalid, "", "found " + quoted(node.source) + " as a key, an integer beyond 63 bits; quote it");
      return node.text;
    case Kind::floating: {  // Go's FormatFloat(value, 'g', -1, 32)
      const auto value = static_cast<float>(to_double(node.text).value_or(0));
      if (!std::isfinite(value)) return std::string(value < 0 ? "-.inf" : ".inf");
      const Decimal decimal = shortest(value);
      if (value == 0) return std::string(decimal.negative ? "-0" : "0");
      const int exponent = decimal.point - 1;
      return exponent < -4 || exponent >= 6 ? scientific(decimal, 2) : fixed(decimal);
    }
    case Kind::null:
      return fail(ErrorKind::invalid, "", "found nothing as a key, want a word");
    case Kind::sequence:
      return fail(ErrorKind::invalid, "", "found a list as a key, want a word");
    case Kind::mapping:
      return fail(ErrorKind::invalid, "", "found a mapping as a key, want a word (`{{ ... }}` of a template must be rendered first)");
  }
  return fail(ErrorKind::invalid, "", "found no key");
}

}  // namespace portcullis::policy::yaml
