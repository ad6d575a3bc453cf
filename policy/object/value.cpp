#include "policy/object/value.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/text.hpp"
#include "policy/object/content.hpp"
#include "policy/object/json_reader.hpp"

namespace portcullis::policy {
namespace {

// A review of 10 KB has some 550 values; memory above these bounds is given back after the review that needed it.
constexpr std::size_t nodes_kept = 16'384;
constexpr std::size_t chunk_bytes = 16 * 1024;
constexpr std::size_t padding_bytes = 64;

bool is_plain_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '$';
  });
}

void append_key(std::string& path, std::string_view key) {
  if (is_plain_key(key)) {
    if (!path.empty()) path += '.';
    path += key;
  } else {
    path += "[\"" + printable(key) + "\"]";
  }
}

std::size_t index_in(Value list, Value item) {
  std::size_t index = 0;
  for (const Value each : list) {
    if (each == item) break;
    ++index;
  }
  return index;
}

// A member name twice in one object: the API server takes the last one, readers the first; refused where both may read.
bool has_duplicate_key(Value object, std::string& where) {
  if (object.size() < 2) return false;
  std::vector<Value> members;
  members.reserve(object.size());
  for (const Value member : object) members.push_back(member);
  std::sort(members.begin(), members.end(), [](Value a, Value b) { return a.key() < b.key(); });
  const auto twice = std::adjacent_find(members.begin(), members.end(), [](Value a, Value b) { return a.key() == b.key(); });
  if (twice == members.end()) return false;
  where = twice->path();
  return true;
}

}  // namespace

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::absent:
      return "nothing";
    case ValueKind::null:
      return "null";
    case ValueKind::boolean:
      return "a boolean";
    case ValueKind::number:
      return "a number";
    case ValueKind::string:
      return "a string";
    case ValueKind::array:
      return "a list";
    case ValueKind::object:
      return "an object";
  }
  return "nothing";
}

std::optional<std::int64_t> Value::integer() const {
  if (kind() != ValueKind::number) return std::nullopt;
  const std::string_view digits = token();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

Value Value::operator[](std::string_view name) const {
  if (kind() != ValueKind::object) return {};
  const Node* const last = node_ + node_->span;
  for (const Node* member = node_ + 1; member != last; member += member->span)
    if (member->key_bytes == name.size() && std::memcmp(member->key, name.data(), name.size()) == 0) return Value(member);
  return {};
}

Value Value::at(std::size_t index) const {
  if (kind() != ValueKind::array || index >= size()) return {};
  const Node* item = node_ + 1;
  while (index-- > 0) item += item->span;
  return Value(item);
}

std::string Value::path() const {
  std::vector<Value> chain;
  for (Value each = *this; each; each = each.parent()) chain.push_back(each);
  std::string path;
  for (auto each = chain.rbegin(); each != chain.rend(); ++each) {
    const Value above = each->parent();
    if (!above) continue;
    if (above.is(ValueKind::array)) {
      path += '[' + std::to_string(index_in(above, *each)) + ']';
    } else {
      append_key(path, each->key());
    }
  }
  return path;
}

std::string child_path(Value parent, std::string_view child) {
  std::string path = parent.path();
  append_key(path, child);
  return path;
}

bool same_content(Value a, Value b) {
  if (!a.present() || !b.present()) return a.present() == b.present();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case ValueKind::string:
      return a.text() == b.text();
    case ValueKind::number:
    case ValueKind::boolean:
      return a.token() == b.token();
    case ValueKind::array: {
      if (a.size() != b.size()) return false;
      auto other = b.begin();
      for (const Value item : a) {
        if (!same_content(item, *other)) return false;
        ++other;
      }
      return true;
    }
    case ValueKind::object:
      return same_members(a, b);
    default:
      return true;
  }
}

Tree::Tree() = default;
Tree::~Tree() = default;
Tree::Tree(Tree&& other) noexcept
    : nodes_(std::move(other.nodes_)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      kept_(std::move(other.kept_)),
      copy_(std::move(other.copy_)) {}
Tree& Tree::operator=(Tree&& other) noexcept {
  nodes_ = std::move(other.nodes_);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  kept_ = std::move(other.kept_);
  copy_ = std::move(other.copy_);
  return *this;
}

void Tree::clear() {
  size_ = 0;
  if (capacity_ > nodes_kept) {
    nodes_.reset();
    capacity_ = 0;
  }
  if (kept_.size() > 1) kept_.erase(kept_.begin() + 1, kept_.end());
  if (!kept_.empty()) {
    if (kept_.front().size > chunk_bytes)
      kept_.clear();
    else
      kept_.front().used = 0;
  }
}

Node* Tree::prepare(std::size_t count) {
  if (count > capacity_) {
    nodes_ = std::make_unique_for_overwrite<Node[]>(count);
    capacity_ = count;
  }
  return nodes_.get();
}

std::string_view Tree::keep(std::string_view text) {
  if (kept_.empty() || kept_.back().size - kept_.back().used < text.size()) {
    const std::size_t size = std::max(chunk_bytes, text.size());
    kept_.push_back({std::make_unique<char[]>(size), size, 0});
  }
  Chunk& chunk = kept_.back();
  char* const target = chunk.bytes.get() + chunk.used;
  if (!text.empty()) std::memcpy(target, text.data(), text.size());
  chunk.used += text.size();
  return {target, text.size()};
}

Result<Tree> Tree::parse(std::string_view padded_json, const WorkBudget& budget) {
  Tree tree;
  JsonReader reader;
  const ReadOutcome outcome = reader.read(padded_json, JsonShape::object, budget, tree);
  if (outcome.error) return fail(ErrorKind::invalid, "", std::string("not a JSON object: ") + outcome.error);
  if (outcome.over == OverBudget::depth)
    return fail(ErrorKind::limit_exceeded, "", "nested deeper than " + std::to_string(budget.depth_max) + " levels");
  if (outcome.over == OverBudget::nodes)
    return fail(ErrorKind::limit_exceeded, "", "more than " + std::to_string(budget.nodes_max) + " values");
  std::string where;
  for (const Node* node = tree.nodes_.get(); node != tree.nodes_.get() + tree.size_; ++node)
    if (node->kind == ValueKind::object && has_duplicate_key(Value(node), where))
      return fail(ErrorKind::invalid, where, "the same name twice in one object");
  return tree;
}

Result<Tree> Tree::parse_copy(std::string_view json, const WorkBudget& budget) {
  auto copy = std::make_unique<char[]>(json.size() + padding_bytes);
  if (!json.empty()) std::memcpy(copy.get(), json.data(), json.size());
  auto tree = parse({copy.get(), json.size()}, budget);
  if (tree) tree->copy_ = std::move(copy);
  return tree;
}

}  // namespace portcullis::policy
