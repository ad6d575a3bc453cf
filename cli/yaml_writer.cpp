#include "cli/yaml_writer.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t line_bytes_max = 150;  // a list of resources stays one line
constexpr std::size_t flow_depth_max = 3;    // deeper ones are no easier to read on one line

// What YAML 1.1 takes for a boolean, null or number when it stands without quotes.
bool is_taken_for_another_type(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 11> words{"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  if (std::find(words.begin(), words.end(), lower) != words.end()) return true;
  // Numbers, dates and times begin with a digit, a sign or a point.
  return std::isdigit(static_cast<unsigned char>(text.front())) != 0 || text.front() == '+' || text.front() == '-' || text.front() == '.';
}

bool is_plain(std::string_view text) {
  if (is_taken_for_another_type(text) || text.back() == ' ' || text.back() == ':') return false;
  constexpr std::string_view indicators = "!&*?|>%@`\"'#{}[],-:= ";
  if (indicators.find(text.front()) != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7F; }) &&
         text.find_first_of("{}[],") == std::string_view::npos && text.find(": ") == std::string_view::npos &&
         text.find(" #") == std::string_view::npos;
}

std::string scalar(const Json& value) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  if (is_plain(text)) return text;
  const bool printable = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7F; });
  if (!printable || text.find('"') == std::string::npos) {
    std::string escaped = value.dump(-1, ' ', true);
    if (!printable || escaped.find('\\') == std::string::npos) return escaped;
  }
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

std::string flow(const Json& value) {
  if (value.is_primitive()) return scalar(value);
  std::string out;
  for (const auto& [key, item] : value.items()) {
    if (!out.empty()) out += ", ";
    out += value.is_object() ? scalar(Json(key)) + ": " + flow(item) : flow(item);
  }
  return value.is_object() ? "{" + out + "}" : "[" + out + "]";
}

std::size_t depth(const Json& value) {
  std::size_t deepest = 0;
  if (value.is_primitive()) return 0;
  for (const Json& item : value) deepest = std::max(deepest, depth(item));
  return deepest + 1;
}

bool fits(const Json& value, std::size_t column) {
  return value.empty() || value.is_primitive() || (depth(value) <= flow_depth_max && column + flow(value).size() <= line_bytes_max);
}

void write_block(const Json& value, std::size_t indent, std::string& out);

// What comes after `key:` or `-`, which end at `column`.
void write_after(const Json& value, std::size_t indent, std::size_t column, std::string& out) {
  if (fits(value, column)) {
    out += " " + flow(value) + "\n";
    return;
  }
  out += "\n";
  write_block(value, indent, out);
}

void write_block(const Json& value, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      const std::string name = margin + scalar(Json(key)) + ":";
      out += name;
      write_after(member, indent + 2, name.size() + 1, out);
    }
    return;
  }
  for (const Json& item : value) {
    if (fits(item, indent + 2)) {
      out += margin + "- " + flow(item) + "\n";
      continue;
    }
    std::string block;
    write_block(item, indent + 2, block);
    block[indent] = '-';  // the first member stands beside the dash
    out += block;
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  std::string out;
  write_block(value, 0, out);
  return out;
}

}  // namespace portcullis::cli
