// A JSON value as rules read it: a compact tree over the bytes of the request.
//
// A Tree is built in one pass over a review (json_reader.hpp). Strings without escapes are views into the
// body, so body and Tree must both outlive every Value. Rebuilding into the same Tree reuses its memory. Nodes lie in
// document order; a node knows how many nodes its subtree has and how far above it its parent stands, so the tree holds no
// pointers to itself and may grow.
//
// Absent, null and wrong type are ordinary: a Value may be empty (absent), and every accessor has an answer for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portcullis::policy {

enum class ValueKind : std::uint8_t { absent, null, boolean, number, string, array, object };

// The word for messages: "nothing", "null", "a boolean", "a number", "a string", "a list", "an object".
std::string_view kind_name(ValueKind kind);

// Without initializers: the reader writes every member, and a review has hundreds of them.
struct Node {
  const char* key;   // name in the parent object; null for list items and the root
  const char* text;  // string content, or the number/boolean token; unused for containers
  std::uint32_t key_bytes;
  std::uint32_t text_bytes;  // children of a container
  std::uint32_t span;        // nodes in this subtree, itself included
  std::uint32_t up;          // distance to the parent; 0 for a root
  ValueKind kind;
};

class Value {
 public:
  Value() = default;
  explicit Value(const Node* node) : node_(node) {}

  [[nodiscard]] ValueKind kind() const { return node_ ? node_->kind : ValueKind::absent; }
  [[nodiscard]] bool present() const { return node_ && node_->kind != ValueKind::null; }  // neither absent nor null
  [[nodiscard]] bool is(ValueKind wanted) const { return kind() == wanted; }
  explicit operator bool() const { return node_ != nullptr; }
  friend bool operator==(Value a, Value b) { return a.node_ == b.node_; }  // the same node, not the same content

  [[nodiscard]] std::string_view key() const { return node_ ? std::string_view(node_->key, node_->key_bytes) : std::string_view{}; }
  [[nodiscard]] std::string_view text() const {  // of a string; "" for everything else
    return kind() == ValueKind::string ? std::string_view(node_->text, node_->text_bytes) : std::string_view{};
  }
  [[nodiscard]] std::string_view token() const {  // of a number or boolean, as written; "" for everything else
    return kind() == ValueKind::number || kind() == ValueKind::boolean ? std::string_view(node_->text, node_->text_bytes)
                                                                       : std::string_view{};
  }
  [[nodiscard]] bool is_true() const { return kind() == ValueKind::boolean && node_->text_bytes == 4; }
  [[nodiscard]] std::optional<std::int64_t> integer() const;  // exact; none for fractions, exponents, strings or overflow
  [[nodiscard]] std::size_t size() const {                    // children of a list or object
    return kind() >= ValueKind::array ? node_->text_bytes : 0;
  }

  // The member called `name`; absent when this is no object. Keys are unique: the API server has resolved doubles, and the
  // command line refuses them.
  [[nodiscard]] Value operator[](std::string_view name) const;
  [[nodiscard]] Value at(std::size_t index) const;  // of a list; absent past its end

  class Iterator {
   public:
    explicit Iterator(const Node* node) : node_(node) {}
    Value operator*() const { return Value(node_); }
    Iterator& operator++() {
      node_ += node_->span;
      return *this;
    }
    friend bool operator==(Iterator a, Iterator b) { return a.node_ == b.node_; }

   private:
    const Node* node_;
  };
  [[nodiscard]] Iterator begin() const { return Iterator(node_ ? node_ + 1 : nullptr); }  // children of a list or object
  [[nodiscard]] Iterator end() const { return Iterator(node_ ? node_ + node_->span : nullptr); }

  [[nodiscard]] Value parent() const { return node_ && node_->up ? Value(node_ - node_->up) : Value{}; }
  // "spec.template.spec.containers[0].image", from the root of its tree. Keys with a dot or bracket are written
  // ["like.this"].
  [[nodiscard]] std::string path() const;
  [[nodiscard]] const Node* node() const { return node_; }

 private:
  const Node* node_ = nullptr;
};

// True when both are the same JSON: lists in order, objects in any order, numbers by token. Absent equals null.
bool same_content(Value a, Value b);

// A path for a child that is not there: "spec.template.spec" + "affinity".
std::string child_path(Value parent, std::string_view child);

// What one object may be. Above it the review is denied with the limit named, never timed out: an error would let it in
// under failurePolicy: Ignore. The API server's own bounds are depth 10,000 and 3 MiB.
struct WorkBudget {
  std::uint32_t depth_max = 64;       // levels of nesting in one object
  std::uint32_t nodes_max = 200'000;  // values in one object: 40 bytes each
};

enum class OverBudget : std::uint8_t { no, depth, nodes };

// Owns nodes and unescaped strings of the values built into it.
class Tree {
 public:
  Tree();
  ~Tree();
  Tree(Tree&&) noexcept;
  Tree& operator=(Tree&&) noexcept;

  void clear();  // keeps memory for the next review, up to a bound
  [[nodiscard]] Value root() const { return size_ == 0 ? Value{} : Value(nodes_.get()); }
  [[nodiscard]] std::size_t size() const { return size_; }  // values in it

  // Parses JSON text whose last byte is followed by body_padding readable bytes (64). Numbers keep their token; metadata.
  // managedFields is left out. Errors: not JSON (RFC 8259), a member name twice in one object, over `budget`.
  static Result<Tree> parse(std::string_view padded_json, const WorkBudget& budget = {});
  // The same for text that is copied first; the Tree owns the copy. For the command line and tests.
  static Result<Tree> parse_copy(std::string_view json, const WorkBudget& budget = {});

  // For the reader: room for `count` nodes, of which it fills a part in document order and says how many.
  Node* prepare(std::size_t count);
  void commit(std::size_t size) { size_ = size; }
  std::string_view keep(std::string_view text);  // copies unescaped text into the tree

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0, used = 0;
  };
  std::unique_ptr<Node[]> nodes_;
  std::size_t size_ = 0, capacity_ = 0;
  std::vector<Chunk> kept_;
  std::unique_ptr<char[]> copy_;  // the text of parse_copy
};

}  // namespace portcullis::policy
