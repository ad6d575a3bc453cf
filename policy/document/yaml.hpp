// YAML with places: libyaml's events into a small tree whose every key and value knows its span.
//
// Bounded in bytes, depth, nodes and aliases; a key twice in one mapping is an error; an alias is expanded with its own
// place, and one that refers to an anchor still open is refused. Plain scalars are typed as Kubernetes' decoder
// (sigs.k8s.io/yaml over go-yaml v2, YAML 1.1) types them: yes/no/on/off, 0777, 0x1F, 1_000, .inf, 12:30:45, ~.
// Merge keys (`<<`) are merged.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/document/load.hpp"
#include "policy/document/place.hpp"

namespace portcullis::policy::yaml {

enum class Kind { null, boolean, integer, floating, string, sequence, mapping };

struct Pair;

struct Node {
  Kind kind = Kind::null;
  Span span;
  std::string text;    // scalar: its text; for typed scalars the JSON token ("true", "511", "1.5")
  std::string source;  // scalar as written, for messages ("0777", "yes")
  bool quoted = false;
  std::vector<Node> items;                                     // of a sequence
  std::vector<Pair> pairs;                                     // of a mapping, in order
  [[nodiscard]] const Node* find(std::string_view key) const;  // value of a member; null when absent
  [[nodiscard]] const Pair* find_pair(std::string_view key) const;
};

struct Pair {
  std::string key;
  Span key_span;
  Node value;
};

struct Document {
  Node root;
  std::size_t index = 0;  // in its file
};

// All documents of a stream; empty ones are left out. Errors carry "file:line:column".
Result<std::vector<Document>> parse_stream(std::string_view file, std::string_view bytes, const DocumentLimits& limits = {});

// The same value as JSON text (for judging a manifest like a review).
std::string to_json(const Node& node);

}  // namespace portcullis::policy::yaml
