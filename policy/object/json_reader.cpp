#include "policy/object/json_reader.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace portcullis::policy {
namespace {

constexpr std::size_t capacity_min = 64 * 1024;
constexpr std::size_t capacity_kept = 1024 * 1024;  // a larger text gives its memory back
constexpr std::uint32_t depth_hard_max = 256;       // of WorkBudget::depth_max and the envelope together
constexpr std::uint32_t envelope_depth = 2;         // review, request

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

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

// The walk over the structural characters. Iterative: depth costs a frame of twelve bytes, whatever the text. Written as
// states with gotos, as simdjson's own second stage is: each place has its own branch to predict, which is worth a factor
// of two over one loop that asks where it is.
class Walk {
 public:
  Walk(std::string_view text, simdjson::internal::dom_parser_implementation& stage1, std::string& unescaped, JsonShape shape,
       const WorkBudget& budget, Tree& tree)
      : text_(text.data()),
        next_(stage1.structural_indexes.get()),
        end_(next_ + stage1.n_structural_indexes),
        stage1_(stage1),
        unescaped_(unescaped),
        review_(shape == JsonShape::review),
        escapes_(std::memchr(text.data(), '\\', text.size()) != nullptr),
        tree_(tree) {
    const std::uint32_t envelope = review_ ? envelope_depth : 0;
    depth_max_ = std::min(budget.depth_max + envelope, depth_hard_max);
    // Every value has a structural character of its own. The envelope's own values are few and always kept, so that an
    // answer can carry the uid.
    first_ = tree.prepare(std::min<std::size_t>(stage1.n_structural_indexes, budget.nodes_max + envelope_nodes_max));
    node_ = first_;
    nodes_end_ = first_ + budget.nodes_max;
    envelope_end_ = nodes_end_ + envelope_nodes_max;
  }

  ReadOutcome run() {
    char c = 0;
    std::string_view key;
    if (next_ == end_ || text_[*next_] != '{') return refuse("want an object");
    ++next_;
    open(ValueKind::object, {});
    goto object_first;

  object_first:
    c = peek();
    if (c == '}') {
      ++next_;
      goto closed;
    }
  object_member:
    if (c != '"') return refuse("want a member name");
    if (!take_string(key)) return outcome_;
    if (peek() != ':') return refuse("want `:` after a member name");
    ++next_;
    c = peek();
    if (c == '"') {
      std::string_view value;
      if (!take_string(value)) return outcome_;
      add(ValueKind::string, key, value);
    } else if (c == '{') {
      ++next_;
      if (may_open()) {
        open(ValueKind::object, key);
        goto object_first;
      }
      if (!step_over()) return outcome_;
    } else if (c == '[') {
      ++next_;
      if (key == "managedFields" && in_metadata()) {
        if (!step_over()) return outcome_;
      } else if (may_open()) {
        open(ValueKind::array, key);
        goto array_first;
      } else if (!step_over()) {
        return outcome_;
      }
    } else if (!take_plain(c, key)) {
      return outcome_;
    }
  object_next:
    c = peek();
    if (c == ',') {
      ++next_;
      c = peek();
      goto object_member;
    }
    if (c != '}') return refuse("want `,` or `}` after a member");
    ++next_;
    goto closed;

  array_first:
    c = peek();
    if (c == ']') {
      ++next_;
      goto closed;
    }
  array_item:
    if (c == '"') {
      std::string_view value;
      if (!take_string(value)) return outcome_;
      add(ValueKind::string, {}, value);
    } else if (c == '{') {
      ++next_;
      if (may_open()) {
        open(ValueKind::object, {});
        goto object_first;
      }
      if (!step_over()) return outcome_;
    } else if (c == '[') {
      ++next_;
      if (may_open()) {
        open(ValueKind::array, {});
        goto array_first;
      }
      if (!step_over()) return outcome_;
    } else if (!take_plain(c, {})) {
      return outcome_;
    }
  array_next:
    c = peek();
    if (c == ',') {
      ++next_;
      c = peek();
      goto array_item;
    }
    if (c != ']') return refuse("want `,` or `]` after an item");
    ++next_;

  closed:
    shut();
    if (depth_ > 0) {
      if (frame_->is_object) goto object_next;
      goto array_next;
    }
    if (next_ != end_) return refuse("something follows the end of the object");
    tree_.commit(static_cast<std::size_t>(node_ - first_));
    return outcome_;
  }

 private:
  struct Frame {
    Node* node;
    std::uint32_t children;
    bool is_object;
  };

  ReadOutcome refuse(const char* why) {
    outcome_.error = why;
    return outcome_;
  }
  bool stop(const char* why) {
    outcome_.error = why;
    return false;
  }

  // The next structural character; NUL at the end, which no state takes. (Stage 1 refuses NUL in the text.)
  [[nodiscard]] char peek() const { return next_ != end_ ? text_[*next_] : '\0'; }

  bool take_plain(char c, std::string_view key) {
    if (c == '\0') return stop("it ends too early");
    const std::string_view token = take_token();
    if (c == '-' || is_digit(c)) {
      if (!is_number(token)) return stop("a number that is none");
      add(ValueKind::number, key, token);
    } else if (token == "true" || token == "false") {
      add(ValueKind::boolean, key, token);
    } else if (token == "null") {
      add(ValueKind::null, key, {});
    } else {
      return stop("want a value");
    }
    return true;
  }

  [[nodiscard]] bool has_room() {
    if (node_ < nodes_end_ || (review_ && depth_ <= envelope_depth && node_ < envelope_end_)) return true;
    outcome_.over = OverBudget::nodes;
    return false;
  }

  bool may_open() {
    if (depth_ >= depth_max_) {
      if (outcome_.over == OverBudget::no) outcome_.over = OverBudget::depth;
      return false;
    }
    return has_room();
  }

  void add(ValueKind kind, std::string_view key, std::string_view text) {
    if (!has_room()) return;
    ++frame_->children;
    *node_ = Node{.key = key.data(),
                  .text = text.data(),
                  .key_bytes = static_cast<std::uint32_t>(key.size()),
                  .text_bytes = static_cast<std::uint32_t>(text.size()),
                  .span = 1,
                  .up = static_cast<std::uint32_t>(node_ - frame_->node),
                  .kind = kind};
    ++node_;
  }

  // The object's own metadata, which the API server writes; an object of that name anywhere else is the author's.
  [[nodiscard]] bool in_metadata() const {
    const Node* const node = frame_->node;
    return node->up != 0 && (node - node->up)->up == 0 && std::string_view(node->key, node->key_bytes) == "metadata";
  }

  void open(ValueKind kind, std::string_view key) {
    const bool own_root = depth_ == 0 || (review_ && depth_ == envelope_depth && (key == "object" || key == "oldObject"));
    if (depth_ > 0) ++frame_->children;
    *node_ = Node{.key = key.data(),
                  .text = nullptr,
                  .key_bytes = static_cast<std::uint32_t>(key.size()),
                  .text_bytes = 0,
                  .span = 1,
                  .up = own_root ? 0 : static_cast<std::uint32_t>(node_ - frame_->node),
                  .kind = kind};
    frame_ = &frames_[depth_++];
    *frame_ = Frame{node_, 0, kind == ValueKind::object};
    ++node_;
  }

  void shut() {
    frame_->node->text_bytes = frame_->children;
    frame_->node->span = static_cast<std::uint32_t>(node_ - frame_->node);
    --depth_;
    frame_ = depth_ > 0 ? &frames_[depth_ - 1] : nullptr;
  }

  // Past the end of the container whose opening bracket was just taken.
  bool step_over() {
    for (std::uint32_t open_brackets = 1; open_brackets > 0; ++next_) {
      if (next_ == end_) return stop("it ends too early");
      const char c = text_[*next_];
      if (c == '{' || c == '[') {
        ++open_brackets;
      } else if (c == '}' || c == ']') {
        --open_brackets;
      }
    }
    return true;
  }

  // The string that opens at *next_. Between its quotes there is no structural character, so it closes with the last quote
  // before the next one.
  bool take_string(std::string_view& out) {
    const char* const first = text_ + *next_ + 1;
    ++next_;
    const char* last = text_ + *next_ - 1;  // stage 1 leaves the text's length behind the last index
    while (last > first && is_space(*last)) --last;
    if (last < first || *last != '"') return stop("a string that does not end");
    const auto length = static_cast<std::size_t>(last - first);
    if (!escapes_ || std::memchr(first, '\\', length) == nullptr) {
      out = {first, length};
      return true;
    }
    return unescape(first, length, out);
  }

  bool unescape(const char* first, std::size_t length, std::string_view& out) {
    unescaped_.resize(length + simdjson::SIMDJSON_PADDING);
    auto* const target = reinterpret_cast<std::uint8_t*>(unescaped_.data());
    const std::uint8_t* const end = stage1_.parse_string(reinterpret_cast<const std::uint8_t*>(first), target);
    if (end == nullptr) return stop("a string with a bad escape");
    out = tree_.keep({unescaped_.data(), static_cast<std::size_t>(end - target)});
    return true;
  }

  // A number or a word, from *next_ to the next structural character.
  std::string_view take_token() {
    const char* const first = text_ + *next_;
    ++next_;
    const char* last = text_ + *next_;
    while (last > first && is_space(last[-1])) --last;
    return {first, static_cast<std::size_t>(last - first)};
  }

  static constexpr std::uint32_t envelope_nodes_max = 4'096;  // users in many groups have the most of them
  const char* text_;
  const std::uint32_t* next_;
  const std::uint32_t* end_;
  Node* node_ = nullptr;
  Frame* frame_ = nullptr;
  std::uint32_t depth_ = 0;
  std::uint32_t depth_max_ = 0;
  Node* first_ = nullptr;
  Node* nodes_end_ = nullptr;
  Node* envelope_end_ = nullptr;
  simdjson::internal::dom_parser_implementation& stage1_;
  std::string& unescaped_;
  bool review_;
  bool escapes_;
  Tree& tree_;
  ReadOutcome outcome_;
  std::array<Frame, depth_hard_max> frames_;
};

}  // namespace

JsonReader::JsonReader() = default;
JsonReader::~JsonReader() = default;

ReadOutcome JsonReader::read(std::string_view padded, JsonShape shape, const WorkBudget& budget, Tree& tree) {
  tree.clear();
  ReadOutcome outcome;
  const std::size_t capacity = std::max(padded.size(), capacity_min);
  simdjson::error_code error = simdjson::SUCCESS;
  if (!stage1_ || stage1_->capacity() < padded.size() || (stage1_->capacity() > capacity_kept && padded.size() < capacity_kept)) {
    stage1_.reset();
    error = simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, depth_hard_max, stage1_);
  }
  if (!error) error = stage1_->stage1(reinterpret_cast<const std::uint8_t*>(padded.data()), padded.size(), simdjson::stage1_mode::regular);
  if (error) {
    outcome.error = simdjson::error_message(error);
    return outcome;
  }
  Walk walk(padded, *stage1_, unescaped_, shape, budget, tree);
  outcome = walk.run();
  if (outcome.error) tree.clear();
  return outcome;
}

}  // namespace portcullis::policy
