#include "policy/document/yaml.hpp"

#include <yaml.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.hpp"
#include "policy/document/yaml_scalar.hpp"

namespace portcullis::policy::yaml {
namespace {

constexpr std::size_t few_pairs = 16;  // up to here comparing keys pairwise beats a set

Span span_of(const yaml_mark_t& from, const yaml_mark_t& to) {
  const auto number = [](std::size_t zero_based) { return static_cast<std::uint32_t>(zero_based + 1); };
  return {number(from.line), number(from.column), number(to.line), number(to.column)};
}

std::string_view view(const yaml_char_t* text) { return text ? reinterpret_cast<const char*>(text) : std::string_view{}; }

void put_at(Node& node, const Span& span) {
  node.span = span;
  for (Node& item : node.items) put_at(item, span);
  for (Pair& pair : node.pairs) {
    pair.key_span = span;
    put_at(pair.value, span);
  }
}

// libyaml's parser and the event at hand, freed on every way out.
class Events {
 public:
  explicit Events(std::string_view bytes) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  ~Events() {
    if (held_) yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  const yaml_event_t* next() {
    if (held_) yaml_event_delete(&event_);
    held_ = yaml_parser_parse(&parser_, &event_) != 0;
    return held_ ? &event_ : nullptr;
  }
  [[nodiscard]] const yaml_parser_t& parser() const { return parser_; }

 private:
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool held_ = false;
};

// Finds the byte of a code point; asked in rising order, so a file is walked once.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  std::string_view from(std::size_t code_point) {
    while (at_ < code_point && byte_ < bytes_.size()) {
      ++byte_;
      while (byte_ < bytes_.size() && (static_cast<unsigned char>(bytes_[byte_]) & 0xC0U) == 0x80U) ++byte_;
      ++at_;
    }
    return bytes_.substr(byte_);
  }

 private:
  std::string_view bytes_;
  std::size_t byte_ = 0, at_ = 0;
};

class Builder {
 public:
  Builder(std::string_view file, std::string_view bytes, const DocumentLimits& limits)
      : file_(file), limits_(limits), events_(bytes), cursor_(bytes) {}

  Result<std::vector<Document>> run() {
    while (!done_) {
      const yaml_event_t* event = events_.next();
      if (!event) return tl::unexpected(syntax_error());
      if (!take(*event)) return tl::unexpected(std::move(error_));
    }
    return std::move(documents_);
  }

 private:
  struct Frame {
    Node node;
    std::string anchor;             // its name
    std::size_t anchor_number = 0;  // 0 for none
    std::size_t nodes_before = 0, bytes_before = 0;
    std::size_t height = 0;  // levels below it
    bool flow = false;
    bool wants_value = false;  // of a mapping: `key` is read
    bool merge = false;        // ... and it is `<<`
    Pair pair;
    std::vector<std::size_t> merges;  // pairs that are `<<`
  };
  struct Anchor {
    std::size_t number = 0;
    bool open = true;
    Node node;
    std::size_t nodes = 0, bytes = 0, height = 0;
  };

  bool take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_STREAM_END_EVENT:
        done_ = true;
        return true;
      case YAML_DOCUMENT_START_EVENT:
        anchors_.clear();
        root_.reset();
        return true;
      case YAML_DOCUMENT_END_EVENT:
        if (root_ && root_->kind != Kind::null) documents_.push_back({std::move(*root_), index_});
        ++index_;
        return true;
      case YAML_SCALAR_EVENT:
        return scalar(event);
      case YAML_ALIAS_EVENT:
        return alias(event);
      case YAML_SEQUENCE_START_EVENT:
        return open(event, Kind::sequence, event.data.sequence_start.anchor, event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE);
      case YAML_MAPPING_START_EVENT:
        return open(event, Kind::mapping, event.data.mapping_start.anchor, event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        return close(event);
      case YAML_NO_EVENT:
      case YAML_STREAM_START_EVENT:
        return true;
    }
    return true;
  }

  // ---- one event each

  bool scalar(const yaml_event_t& event) {
    const auto& data = event.data.scalar;
    const std::string_view value(reinterpret_cast<const char*>(data.value), data.length);
    Node node;
    node.span = span_of(event.start_mark, event.end_mark);
    if (!count(1, node.span)) return false;
    bytes_ += sizeof(Node) + 2 * value.size();
    node.quoted = data.style != YAML_PLAIN_SCALAR_STYLE;
    node.source = value;
    const std::string_view tag = view(data.tag);
    if (tag.empty() && (node.quoted || has_bare_tag(event, value))) {
      node.kind = Kind::string;
      node.text = value;
    } else {
      auto typed = type_scalar(value, tag);
      if (!typed) return refuse(node.span, std::move(typed.error()));
      node.kind = typed->kind;
      node.text = std::move(typed->text);
    }
    if (data.anchor) {
      Anchor& anchor = anchors_[std::string(view(data.anchor))];
      const std::size_t bytes = sizeof(Node) + node.text.size() + node.source.size();
      if (!copy(bytes, node.span)) return false;
      anchor = {++anchor_number_, false, node, 1, bytes, 0};
    }
    const bool is_merge = value == "<<" && ((tag.empty() && !node.quoted) || tag == "tag:yaml.org,2002:merge");
    return attach(std::move(node), 0, is_merge);
  }

  bool alias(const yaml_event_t& event) {
    const Span span = span_of(event.start_mark, event.end_mark);
    const std::string name(view(event.data.alias.anchor));
    if (++aliases_ > limits_.aliases_max) return over(span, "aliases", limits_.aliases_max, "aliases in one file");
    const auto found = anchors_.find(name);
    if (found == anchors_.end())
      return refuse(span, ErrorKind::invalid, "found the alias " + quoted("*" + name) + " of no anchor before it");
    const Anchor& anchor = found->second;
    if (anchor.open) return refuse(span, ErrorKind::invalid, "found the alias " + quoted("*" + name) + " inside its own anchor");
    if (!count(anchor.nodes, span) || !copy(anchor.bytes, span)) return false;
    bytes_ += anchor.bytes;
    if (frames_.size() + anchor.height > limits_.depth_max) return too_deep(span);
    Node node = anchor.node;
    put_at(node, span);
    return attach(std::move(node), anchor.height, false);
  }

  bool open(const yaml_event_t& event, Kind kind, const yaml_char_t* anchor, bool flow) {
    const Span span = span_of(event.start_mark, event.end_mark);
    if (!count(1, span)) return false;
    bytes_ += sizeof(Node);
    if (frames_.size() >= limits_.depth_max) return too_deep(span);
    if (!frames_.empty() && frames_.back().node.kind == Kind::mapping && !frames_.back().wants_value) {
      Node key;
      key.kind = kind;
      return refuse(span, std::move(key_text(key).error()));
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.span = span;
    frame.flow = flow;
    frame.nodes_before = nodes_ - 1;
    frame.bytes_before = bytes_ - sizeof(Node);
    if (anchor) {
      frame.anchor = view(anchor);
      frame.anchor_number = ++anchor_number_;
      anchors_[frame.anchor] = {frame.anchor_number, true, {}, 0, 0, 0};
    }
    frames_.push_back(std::move(frame));
    return true;
  }

  bool close(const yaml_event_t& event) {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Node& node = frame.node;
    end_span(frame, event);
    if (node.kind == Kind::mapping && (!no_key_twice(node) || !merge(frame))) return false;
    const std::size_t height = frame.height + 1;
    if (frame.anchor_number != 0) {
      Anchor& anchor = anchors_[frame.anchor];
      if (anchor.number == frame.anchor_number) {  // else the name was given again inside
        const std::size_t bytes = bytes_ - frame.bytes_before;
        if (!copy(bytes, node.span)) return false;
        anchor = {frame.anchor_number, false, node, nodes_ - frame.nodes_before, bytes, height};
      }
    }
    return attach(std::move(node), height, false);
  }

  // A block ends with its last child; libyaml puts its end where the next token begins.
  static void end_span(Frame& frame, const yaml_event_t& event) {
    Node& node = frame.node;
    const Span* last = nullptr;
    if (!frame.flow && !node.items.empty()) last = &node.items.back().span;
    if (!frame.flow && !node.pairs.empty()) last = &node.pairs.back().value.span;
    const Span end = last ? *last : span_of(event.start_mark, event.end_mark);
    node.span.end_line = end.end_line;
    node.span.end_column = end.end_column;
  }

  bool attach(Node node, std::size_t height, bool is_merge) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return true;
    }
    Frame& frame = frames_.back();
    frame.height = std::max(frame.height, height);
    if (frame.node.kind == Kind::sequence) {
      frame.node.items.push_back(std::move(node));
      return true;
    }
    if (!frame.wants_value) {
      auto key = key_text(node);
      if (!key) return refuse(node.span, std::move(key.error()));
      frame.pair.key = *std::move(key);
      frame.pair.key_span = node.span;
      frame.merge = is_merge;
      frame.wants_value = true;
      return true;
    }
    frame.wants_value = false;
    if (frame.merge) frame.merges.push_back(frame.node.pairs.size());
    frame.pair.value = std::move(node);
    frame.node.pairs.push_back(std::move(frame.pair));
    frame.pair = {};
    return true;
  }

  // ---- keys

  bool no_key_twice(const Node& node) {
    const std::vector<Pair>& pairs = node.pairs;
    if (pairs.size() <= few_pairs) {
      for (std::size_t i = 1; i < pairs.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (pairs[i].key == pairs[j].key) return twice(pairs[j], pairs[i]);
      return true;
    }
    std::unordered_map<std::string_view, const Pair*> seen;
    for (const Pair& pair : pairs)
      if (const auto [first, fresh] = seen.emplace(pair.key, &pair); !fresh) return twice(*first->second, pair);
    return true;
  }

  bool twice(const Pair& first, const Pair& second) {
    return refuse(second.key_span, ErrorKind::invalid,
                  "found the key " + quoted(second.key) + " a second time, want each key once (the first is at " +
                      std::to_string(first.key_span.line) + ":" + std::to_string(first.key_span.column) + ")");
  }

  // `<<: *defaults` and `<<: [*one, *two]`: what the mapping writes itself wins, then the first. go-yaml v2 lets a merge win
  // over a key that stands before it and other decoders do not, so that is refused.
  bool merge(Frame& frame) {
    if (frame.merges.empty()) return true;
    std::vector<Pair>& pairs = frame.node.pairs;
    std::unordered_map<std::string, std::size_t> written;
    for (std::size_t i = 0; i < pairs.size(); ++i) written.emplace(pairs[i].key, i);
    const std::size_t merge_at = frame.merges.front();
    Pair holder = std::move(pairs[merge_at]);
    written.erase(holder.key);
    std::vector<Pair> merged;
    std::unordered_set<std::string> taken;
    const auto bring = [&](Node& source) {
      if (source.kind != Kind::mapping)
        return refuse(source.span, ErrorKind::invalid, "found " + word(source) + " after `<<`, want a mapping or a list of mappings");
      for (Pair& pair : source.pairs) {
        const auto own = written.find(pair.key);
        if (own != written.end() && own->second < merge_at)
          return refuse(
              holder.key_span, ErrorKind::invalid,
              "found `<<` after the key " + quoted(pair.key) + " that it brings too, which decoders read differently; write `<<` first");
        if (own == written.end() && taken.insert(pair.key).second) merged.push_back(std::move(pair));
      }
      return true;
    };
    if (holder.value.kind == Kind::sequence) {
      for (Node& item : holder.value.items)
        if (!bring(item)) return false;
    } else if (!bring(holder.value)) {
      return false;
    }
    pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(merge_at));
    pairs.insert(pairs.begin() + static_cast<std::ptrdiff_t>(merge_at), std::make_move_iterator(merged.begin()),
                 std::make_move_iterator(merged.end()));
    return true;
  }

  static std::string word(const Node& node) {
    switch (node.kind) {
      case Kind::null:
        return "nothing";
      case Kind::sequence:
        return "a list";
      case Kind::mapping:
        return "a mapping";
      case Kind::boolean:
      case Kind::integer:
      case Kind::floating:
      case Kind::string:
        break;
    }
    return quoted(node.source);
  }

  // `! 12` is the string 12, but libyaml drops the tag `!`: then the scalar is wider than its text.
  bool has_bare_tag(const yaml_event_t& event, std::string_view value) {
    std::size_t code_points = 0;
    for (const char c : value) code_points += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    if (event.end_mark.index - event.start_mark.index == code_points) return false;
    std::string_view text = cursor_.from(event.start_mark.index);
    if (!text.empty() && text.front() == '&') text.remove_prefix(std::min(text.size(), text.find_first_of(" \t\r\n")));
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
    return !text.empty() && text.front() == '!';
  }

  // ---- limits and errors

  bool count(std::size_t nodes, const Span& span) {
    nodes_ += nodes;
    return nodes_ <= limits_.nodes_max || over(span, "nodes", limits_.nodes_max, "keys and values in one file");
  }
  bool copy(std::size_t bytes, const Span& span) {
    copied_ += bytes;
    return copied_ <= limits_.alias_bytes_max || over(span, "alias_bytes", limits_.alias_bytes_max, "bytes copied by aliases in one file");
  }
  bool too_deep(const Span& span) { return over(span, "depth", limits_.depth_max, "levels of nesting"); }
  bool over(const Span& span, const std::string& limit, std::size_t max, const std::string& unit) {
    return refuse(span, ErrorKind::limit_exceeded, "found more than " + std::to_string(max) + " " + unit + " (limit " + limit + "_max)");
  }
  bool refuse(const Span& span, ErrorKind kind, std::string what) {
    error_ = {kind, place(span.line, span.column), std::move(what)};
    return false;
  }
  bool refuse(const Span& span, Error error) { return refuse(span, error.kind, std::move(error.what)); }

  Error syntax_error() {
    const yaml_parser_t& parser = events_.parser();
    const auto at = [](const yaml_mark_t& mark) { return std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1); };
    if (parser.error == YAML_MEMORY_ERROR) return {ErrorKind::limit_exceeded, file_, "no memory to read it"};
    const std::string problem = parser.problem ? parser.problem : "unreadable";
    if (parser.error == YAML_READER_ERROR)
      return {ErrorKind::invalid, place(parser.mark.line + 1, parser.mark.column + 1), "not YAML: " + problem};
    std::string what = "not YAML: " + problem;
    const std::string_view rest = cursor_.from(parser.problem_mark.index);
    if (!rest.empty() && rest.front() == '\t') what += " (a tab; indent with spaces)";
    if (parser.context) what += ", " + std::string(parser.context) + " that begins at " + at(parser.context_mark);
    return {ErrorKind::invalid, place(parser.problem_mark.line + 1, parser.problem_mark.column + 1), what};
  }

  [[nodiscard]] std::string place(std::size_t line, std::size_t column) const {
    return file_ + ":" + std::to_string(line) + ":" + std::to_string(column);
  }

  std::string file_;
  const DocumentLimits& limits_;
  Events events_;
  Cursor cursor_;
  std::vector<Document> documents_;
  std::vector<Frame> frames_;
  std::optional<Node> root_;
  std::unordered_map<std::string, Anchor> anchors_;
  std::size_t nodes_ = 0, bytes_ = 0, copied_ = 0, aliases_ = 0, anchor_number_ = 0, index_ = 0;
  bool done_ = false;
  Error error_;
};

// Line and column of the first byte that is no UTF-8.
std::pair<std::size_t, std::size_t> first_bad_byte(std::string_view bytes) {
  std::size_t line = 1, column = 1;
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t width = 1;
    while (width < 4 && at + width < bytes.size() && (static_cast<unsigned char>(bytes[at + width]) & 0xC0U) == 0x80U) ++width;
    if (!is_utf8(bytes.substr(at, width))) break;
    ++column;
    if (bytes[at] == '\n') {
      ++line;
      column = 1;
    }
    at += width;
  }
  return {line, column};
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  const Pair* pair = find_pair(key);
  return pair ? &pair->value : nullptr;
}

const Pair* Node::find_pair(std::string_view key) const {
  for (const Pair& pair : pairs)
    if (pair.key == key) return &pair;
  return nullptr;
}

Result<std::vector<Document>> parse_stream(std::string_view file, std::string_view bytes, const DocumentLimits& limits) {
  if (bytes.size() > limits.file_bytes_max)
    return fail(ErrorKind::limit_exceeded, file,
                "found " + std::to_string(bytes.size()) + " bytes, want at most " + std::to_string(limits.file_bytes_max) +
                    " in one file (limit file_bytes_max)");
  if (!is_utf8(bytes)) {
    const auto [line, column] = first_bad_byte(bytes);
    return fail(ErrorKind::invalid, std::string(file) + ":" + std::to_string(line) + ":" + std::to_string(column),
                "not YAML: found bytes that are no UTF-8");
  }
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (bytes.substr(0, byte_order_mark.size()) == byte_order_mark) bytes.remove_prefix(byte_order_mark.size());
  return Builder(file, bytes, limits).run();
}

}  // namespace portcullis::policy::yaml
