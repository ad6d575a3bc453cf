// What a rule found wrong, in words for the author of the manifest, and the JSON Patch that would mend it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/object/value.hpp"

namespace portcullis::policy {

struct Finding {
  std::string what;     // two to five words, stable and searchable: "too few replicas"
  std::string where;    // path in the object: "spec.template.spec.containers[0].image"
  std::string found;    // as quoted() writes request values; never a secret's value
  std::string wanted;   // "at least 2"
  std::string fix;      // what the author can do
  Value at{};           // the node at fault, or the nearest that exists: for "must not get worse" and carets
  Value scope{};        // the subtree in which any change makes an old finding worse; absent: `at` itself
  bool advice = false;  // it warns at most, whatever the policy's mode
};

// What one rule found in one object. A hostile object can be wrong in 100,000 places; a reader is helped by the first ones,
// so what comes after findings_max is only counted, and the object can no longer pass as "not worse than before".
inline constexpr std::size_t findings_max = 100;

class Findings {
 public:
  void add(Finding finding) {
    if (full()) {
      ++omitted_;
    } else {
      found_.push_back(std::move(finding));
    }
  }
  [[nodiscard]] bool full() const { return found_.size() >= findings_max; }
  [[nodiscard]] std::size_t omitted() const { return omitted_; }
  [[nodiscard]] const std::vector<Finding>& all() const { return found_; }
  [[nodiscard]] std::vector<Finding>& all() { return found_; }
  [[nodiscard]] bool empty() const { return found_.empty(); }
  void clear() {
    found_.clear();
    omitted_ = 0;
  }

 private:
  std::vector<Finding> found_;
  std::size_t omitted_ = 0;
};

// Operations of a JSON Patch (RFC 6902). `value` is JSON text, "" of a "remove".
struct PatchOperation {
  std::string op;    // "add", "replace", "remove"
  std::string path;  // JSON Pointer (RFC 6901)
  std::string value;
};

class Patch {
 public:
  void add(std::string path, std::string json_value) { operations_.push_back({"add", std::move(path), std::move(json_value)}); }
  void replace(std::string path, std::string json_value) { operations_.push_back({"replace", std::move(path), std::move(json_value)}); }
  void remove(std::string path) { operations_.push_back({"remove", std::move(path), {}}); }
  [[nodiscard]] const std::vector<PatchOperation>& operations() const { return operations_; }
  [[nodiscard]] bool empty() const { return operations_.empty(); }
  void clear() { operations_.clear(); }
  [[nodiscard]] std::string json() const;  // the array, as AdmissionReview's patch holds it before base64

 private:
  std::vector<PatchOperation> operations_;
};

// The JSON Pointer of a node from the root of its tree.
std::string json_pointer(Value node);
// One reference token, escaped (RFC 6901 3).
std::string pointer_token(std::string_view token);
// `text` as a JSON string with its quotes.
std::string json_string(std::string_view text);

}  // namespace portcullis::policy
