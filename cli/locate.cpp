#include "cli/locate.hpp"

#include <charconv>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace portcullis::cli {
namespace {

namespace yaml = policy::yaml;

struct Step {
  std::string_view key;
  std::optional<std::size_t> index;
};

// Takes the first step off `path`: `key`, `[3]` or `["a.key"]`. None at its end or where it is not a path.
std::optional<Step> take_step(std::string_view& path) {
  if (path.starts_with('.')) path.remove_prefix(1);
  if (path.empty()) return std::nullopt;
  Step step;
  if (path.starts_with("[\"")) {
    const auto end = path.find("\"]", 2);
    if (end == std::string_view::npos) return std::nullopt;
    step.key = path.substr(2, end - 2);
    path.remove_prefix(end + 2);
    return step;
  }
  if (path.front() == '[') {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
    if (error != std::errc{} || end == path.data() + path.size() || *end != ']') return std::nullopt;
    step.index = index;
    path.remove_prefix(static_cast<std::size_t>(end - path.data()) + 1);
    return step;
  }
  const std::size_t end = std::min(path.find_first_of(".["), path.size());
  step.key = path.substr(0, end);
  path.remove_prefix(end);
  return step;
}

// Paths write keys as printable() shows them.
const yaml::Pair* find_pair(const yaml::Node& mapping, std::string_view key) {
  if (const yaml::Pair* exact = mapping.find_pair(key)) return exact;
  for (const yaml::Pair& pair : mapping.pairs)
    if (printable(pair.key) == key) return &pair;
  return nullptr;
}

bool is_scalar(const yaml::Node& node) { return node.kind != yaml::Kind::mapping && node.kind != yaml::Kind::sequence; }

}  // namespace

Location locate(const yaml::Node& object, std::string_view path) {
  Location found;
  found.node = &object;
  const yaml::Pair* kind = object.find_pair("kind");
  policy::Span holder = kind ? kind->value.span : object.span;  // what stands for a container without a key of its own
  found.span = holder;
  while (!path.empty()) {
    const std::optional<Step> step = take_step(path);
    const yaml::Node* next = nullptr;
    policy::Span next_holder;
    if (step && step->index) {
      if (found.node->kind == yaml::Kind::sequence && *step->index < found.node->items.size()) {
        next = &found.node->items[*step->index];
        next_holder = next->span;
      }
    } else if (step && found.node->kind == yaml::Kind::mapping) {
      if (const yaml::Pair* pair = find_pair(*found.node, step->key)) {
        next = &pair->value;
        next_holder = pair->key_span;
      }
    }
    if (!next) {
      found.missing = true;
      break;
    }
    ++found.steps;
    found.node = next;
    holder = next_holder;
    const bool one_line = next->span.line == next->span.end_line && next->span.end_column > next->span.column;
    found.span = is_scalar(*next) && (one_line || !next->source.empty()) ? next->span : holder;
  }
  if (found.missing && found.steps > 0) found.span = holder;
  return found;
}

}  // namespace portcullis::cli
