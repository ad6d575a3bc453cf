#include "policy/object/json_tree.hpp"

#include <cstring>

namespace portcullis::policy {
namespace {

namespace ondemand = simdjson::ondemand;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 8259 6.
bool is_number(std::string_view token) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < token.size() && is_digit(token[at])) ++at;
    return at > first;
  };
  if (at < token.size() && token[at] == '-') ++at;
  const std::size_t whole = at;
  if (!digits() || (token[whole] == '0' && at > whole + 1)) return false;
  if (at < token.size() && token[at] == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    ++at;
    if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == token.size();
}

// On-Demand's token reaches to the next structural character.
std::string_view without_trailing_space(std::string_view token) {
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  return token;
}

class Builder {
 public:
  Builder(Tree& tree, const WorkBudget& budget, bool escapes) : tree_(tree), nodes_(tree.nodes()), budget_(budget), escapes_(escapes) {}

  // Appends `value` and everything below it. False stops the walk: error or over say why.
  bool add(ondemand::value value, std::string_view key, std::uint32_t parent, std::uint32_t depth) {
    if (nodes_.size() >= budget_.nodes_max) return stop(OverBudget::nodes);
    const auto index = static_cast<std::uint32_t>(nodes_.size());
    Node& node = nodes_.emplace_back();
    node.key = key.data();
    node.key_bytes = static_cast<std::uint32_t>(key.size());
    node.up = index - parent;
    ondemand::json_type type;
    if (const auto error = value.type().get(type)) return stop(error);
    switch (type) {
      case ondemand::json_type::string: return add_string(value, node);
      case ondemand::json_type::object: return add_object(value, index, depth);
      case ondemand::json_type::array: return add_array(value, index, depth);
      case ondemand::json_type::number: return add_number(value, node);
      case ondemand::json_type::boolean: return add_boolean(value, node);
      case ondemand::json_type::null: return add_null(value, node);
    }
    return stop(simdjson::TAPE_ERROR);
  }

  TreeBuild result;

 private:
  bool stop(simdjson::error_code error) {
    result.error = error;
    return false;
  }
  bool stop(OverBudget over) {
    result.over = over;
    return false;
  }

  bool add_string(ondemand::value value, Node& node) {
    node.kind = ValueKind::string;
    const std::string_view token = without_trailing_space(value.raw_json_token());
    std::string_view text;
    if (token.size() >= 2 && token.back() == '"' && (!escapes_ || std::memchr(token.data(), '\\', token.size()) == nullptr)) {
      text = token.substr(1, token.size() - 2);
    } else {
      if (const auto error = value.get_string().get(text)) return stop(error);
      text = tree_.keep(text);
    }
    node.text = text.data();
    node.text_bytes = static_cast<std::uint32_t>(text.size());
    return true;
  }

  bool add_number(ondemand::value value, Node& node) {
    node.kind = ValueKind::number;
    const std::string_view token = without_trailing_space(value.raw_json_token());
    if (!is_number(token)) return stop(simdjson::NUMBER_ERROR);
    return set_token(node, token);
  }

  bool add_boolean(ondemand::value value, Node& node) {
    node.kind = ValueKind::boolean;
    bool is_true = false;
    if (const auto error = value.get_bool().get(is_true)) return stop(error);
    return set_token(node, is_true ? std::string_view("true") : std::string_view("false"));
  }

  bool add_null(ondemand::value value, Node& node) {
    node.kind = ValueKind::null;
    if (without_trailing_space(value.raw_json_token()) != "null") return stop(simdjson::N_ATOM_ERROR);
    return true;
  }

  static bool set_token(Node& node, std::string_view token) {
    node.text = token.data();
    node.text_bytes = static_cast<std::uint32_t>(token.size());
    return true;
  }

  bool add_object(ondemand::value value, std::uint32_t index, std::uint32_t depth) {
    if (depth >= budget_.depth_max) return stop(OverBudget::depth);
    nodes_[index].kind = ValueKind::object;
    const bool is_metadata = depth == 1 && std::string_view(nodes_[index].key, nodes_[index].key_bytes) == "metadata";
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return stop(error);
    std::uint32_t members = 0;
    for (auto member : object) {
      ondemand::field field;
      if (const auto error = std::move(member).get(field)) return stop(error);
      std::string_view key;
      if (!read_key(field, key)) return false;
      if (is_metadata && key == "managedFields") continue;  // never judged, and often the largest part
      if (!add(field.value(), key, index, depth + 1)) return false;
      ++members;
    }
    return close(index, members);
  }

  bool add_array(ondemand::value value, std::uint32_t index, std::uint32_t depth) {
    if (depth >= budget_.depth_max) return stop(OverBudget::depth);
    nodes_[index].kind = ValueKind::array;
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return stop(error);
    std::uint32_t items = 0;
    for (auto element : array) {
      ondemand::value item;
      if (const auto error = std::move(element).get(item)) return stop(error);
      if (!add(item, {}, index, depth + 1)) return false;
      ++items;
    }
    return close(index, items);
  }

  bool close(std::uint32_t index, std::uint32_t children) {
    Node& node = nodes_[index];
    node.text_bytes = children;
    node.span = static_cast<std::uint32_t>(nodes_.size()) - index;
    return true;
  }

  bool read_key(ondemand::field& field, std::string_view& key) {
    const char* raw = field.key().raw();
    const char* end = raw;
    while (*end != '"' && *end != '\\') ++end;  // stage 1 has seen the closing quote
    if (*end == '"') {
      key = std::string_view(raw, static_cast<std::size_t>(end - raw));
      return true;
    }
    if (const auto error = field.unescaped_key().get(key)) return stop(error);
    key = tree_.keep(key);
    return true;
  }

  Tree& tree_;
  std::vector<Node>& nodes_;
  const WorkBudget& budget_;
  bool escapes_;
};

}  // namespace

TreeBuild build_tree(simdjson::ondemand::value value, bool text_has_escapes, const WorkBudget& budget, Tree& tree) {
  tree.clear();
  Builder builder(tree, budget, text_has_escapes);
  if (!builder.add(value, {}, 0, 0)) tree.clear();
  return builder.result;
}

}  // namespace portcullis::policy
