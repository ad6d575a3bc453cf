#include "cli/json_nodes.hpp"

#include <simdjson.h>

#include <string>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"

namespace portcullis::cli {
namespace {

using policy::Span;
namespace yaml = policy::yaml;
namespace ondemand = simdjson::ondemand;

constexpr std::string_view bom = "\xEF\xBB\xBF";
constexpr std::string_view white = " \t\r\n";

struct Position {
  std::uint32_t line = 1, column = 1;
};

// Offsets to lines and columns. Offsets come almost in order, so a walk from the last one is cheap.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  Position at(std::size_t offset) {
    if (offset < offset_) {
      offset_ = 0;
      here_ = {};
    }
    for (; offset_ < offset && offset_ < text_.size(); ++offset_) {
      const auto byte = static_cast<unsigned char>(text_[offset_]);
      if (byte == '\n') {
        ++here_.line;
        here_.column = 1;
      } else if ((byte & 0xC0U) != 0x80U && byte != '\r') {  // columns count code points
        ++here_.column;
      }
    }
    return here_;
  }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  Position here_;
};

// The end of the value that begins at `from`: behind its last bracket, or npos when it is never closed.
std::size_t end_of_value(std::string_view text, std::size_t from) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = from; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
  }
  return std::string_view::npos;
}

class Reader {
 public:
  Reader(std::string_view file, std::string_view text, const policy::DocumentLimits& limits)
      : file_(file), text_(text), limits_(limits), lines_(text) {}

  Result<yaml::Node> read(ondemand::value value, std::size_t depth) {
    if (depth > limits_.depth_max) return refuse_limit(value, "nested deeper than " + std::to_string(limits_.depth_max) + " levels");
    if (++nodes_ > limits_.nodes_max) return refuse_limit(value, "more than " + std::to_string(limits_.nodes_max) + " values");
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return broken(error);
    const std::string_view token = trimmed(value.raw_json_token());
    const std::size_t start = offset_of(token.data());
    yaml::Node node;
    switch (type) {
      case ondemand::json_type::object:
        return read_object(value, start, depth);
      case ondemand::json_type::array:
        return read_array(value, start, depth);
      case ondemand::json_type::string: {
        std::string_view text;
        if (const auto error = value.get_string().get(text)) return broken(error, start);
        node.kind = yaml::Kind::string;
        node.quoted = true;
        node.text = text;
        node.source = text;
        node.span = span(start, end_of_string(start));
        return node;
      }
      case ondemand::json_type::number: {
        ondemand::number number;
        std::uint64_t big = 0;
        if (const auto error = value.get_number().get(number); error && value.get_uint64().get(big) != simdjson::SUCCESS) {
          // Beyond 64 bits: grammatical all the same, and the token is what is judged.
          if (token.find_first_not_of("0123456789-") != std::string_view::npos) return broken(error, start);
        }
        node.kind = token.find_first_of(".eE") == std::string_view::npos ? yaml::Kind::integer : yaml::Kind::floating;
        break;
      }
      case ondemand::json_type::boolean: {
        bool flag = false;
        if (const auto error = value.get_bool().get(flag)) return broken(error, start);
        node.kind = yaml::Kind::boolean;
        break;
      }
      case ondemand::json_type::null: {
        bool null = false;
        if (const auto error = value.is_null().get(null)) return broken(error, start);
        if (!null) return broken(simdjson::N_ATOM_ERROR, start);
        node.kind = yaml::Kind::null;
        break;
      }
    }
    node.text = token;
    node.source = token;
    node.span = span(start, start + token.size());
    return node;
  }

  tl::unexpected<Error> broken(simdjson::error_code error, std::size_t offset = std::string_view::npos) {
    if (offset == std::string_view::npos) offset = last_;
    return fail(ErrorKind::invalid, place(offset), std::string("not JSON: ") + simdjson::error_message(error));
  }

  std::string place(std::size_t offset) {
    const Position at = lines_.at(offset);
    return std::string(file_) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  }

  void begin_at(std::size_t offset) { last_ = offset; }

 private:
  Result<yaml::Node> read_object(ondemand::value value, std::size_t start, std::size_t depth) {
    yaml::Node node;
    node.kind = yaml::Kind::mapping;
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return broken(error, start);
    std::unordered_map<std::string, std::size_t> seen;
    std::size_t end = start + 1;
    for (auto each : object) {
      ondemand::field field;
      if (const auto error = std::move(each).get(field)) return broken(error);
      const std::size_t key_start = offset_of(field.key().raw()) - 1;
      yaml::Pair pair;
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key)) return broken(error, key_start);
      pair.key = key;
      pair.key_span = span(key_start, end_of_string(key_start));
      if (const auto [before, is_new] = seen.emplace(pair.key, key_start); !is_new)
        return fail(ErrorKind::invalid, place(key_start),
                    "key " + portcullis::quoted(pair.key) + " twice, first at " + place(before->second));
      auto member = read(field.value(), depth + 1);
      if (!member) return tl::unexpected(std::move(member.error()));
      pair.value = *std::move(member);
      end = last_;
      node.pairs.push_back(std::move(pair));
    }
    node.span = span(start, end);
    return node;
  }

  Result<yaml::Node> read_array(ondemand::value value, std::size_t start, std::size_t depth) {
    yaml::Node node;
    node.kind = yaml::Kind::sequence;
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return broken(error, start);
    std::size_t end = start + 1;
    for (auto each : array) {
      ondemand::value item;
      // NOLINTNEXTLINE(performance-move-const-arg): simdjson's get() wants an rvalue
      if (const auto error = std::move(each).get(item)) return broken(error);
      auto read_item = read(item, depth + 1);
      if (!read_item) return tl::unexpected(std::move(read_item.error()));
      node.items.push_back(*std::move(read_item));
      end = last_;
    }
    node.span = span(start, end);
    return node;
  }

  tl::unexpected<Error> refuse_limit(ondemand::value value, std::string what) {
    const std::string_view token = value.raw_json_token();
    return fail(ErrorKind::limit_exceeded, place(offset_of(token.data())), std::move(what));
  }

  [[nodiscard]] std::size_t offset_of(const char* at) const { return static_cast<std::size_t>(at - text_.data()); }

  static std::string_view trimmed(std::string_view token) {
    const auto last = token.find_last_not_of(white);
    return last == std::string_view::npos ? token : token.substr(0, last + 1);
  }

  [[nodiscard]] std::size_t end_of_string(std::size_t start) const {
    std::size_t at = start + 1;
    while (at < text_.size() && text_[at] != '"') at += text_[at] == '\\' ? 2 : 1;
    return std::min(at + 1, text_.size());
  }

  Span span(std::size_t start, std::size_t end) {
    last_ = end;
    const Position from = lines_.at(start), to = lines_.at(end);
    return {from.line, from.column, to.line, to.column};
  }

  std::string_view file_, text_;
  const policy::DocumentLimits& limits_;
  Lines lines_;
  std::size_t nodes_ = 0;
  std::size_t last_ = 0;  // behind what was read last: where an error stands that has no better place
};

}  // namespace

bool looks_like_json(std::string_view bytes) {
  if (bytes.starts_with(bom)) bytes.remove_prefix(bom.size());
  const auto first = bytes.find_first_not_of(white);
  if (first == std::string_view::npos || (bytes[first] != '{' && bytes[first] != '[')) return false;
  const auto second = bytes.find_first_not_of(white, first + 1);
  if (second == std::string_view::npos) return true;
  return bytes[first] == '{' ? bytes[second] == '"' || bytes[second] == '}' : bytes[second] == '{' || bytes[second] == ']';
}

Result<std::vector<yaml::Document>> parse_json_stream(std::string_view file, std::string_view bytes, const policy::DocumentLimits& limits) {
  if (bytes.size() > limits.file_bytes_max)
    return fail(ErrorKind::limit_exceeded, std::string(file), "larger than " + std::to_string(limits.file_bytes_max) + " bytes");
  if (bytes.starts_with(bom)) bytes.remove_prefix(bom.size());
  const simdjson::padded_string padded(bytes);
  const std::string_view text(padded.data(), padded.size());
  Reader reader(file, text, limits);
  ondemand::parser parser;
  std::vector<yaml::Document> documents;
  for (std::size_t at = text.find_first_not_of(white); at != std::string_view::npos; at = text.find_first_not_of(white, at)) {
    if (text[at] != '{' && text[at] != '[')
      return fail(ErrorKind::invalid, reader.place(at), "found " + portcullis::quoted(text.substr(at, 1)) + ", want a JSON object");
    const std::size_t end = end_of_value(text, at);
    if (end == std::string_view::npos) return fail(ErrorKind::invalid, reader.place(at), "not JSON: this value is never closed");
    reader.begin_at(at);
    ondemand::document document;
    ondemand::value root;
    auto error = parser.iterate(text.data() + at, end - at, text.size() - at + simdjson::SIMDJSON_PADDING).get(document);
    if (!error) error = document.get_value().get(root);
    if (error) return reader.broken(error, at);
    auto node = reader.read(root, 1);
    if (!node) return tl::unexpected(std::move(node.error()));
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return reader.broken(simdjson::TAPE_ERROR);
    documents.push_back({*std::move(node), documents.size()});
    at = end;
  }
  return documents;
}

}  // namespace portcullis::cli
