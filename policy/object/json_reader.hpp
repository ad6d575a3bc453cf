// JSON text -> Tree, in one pass and without copying strings that hold no escape.
//
// simdjson's first stage (Langdale, Lemire: Parsing Gigabytes of JSON per Second, 2019) finds the structural characters,
// checks UTF-8 and control characters; the walk over them here checks the grammar (RFC 8259) and fills the Tree.
// Measured on the reference review of 10 KB beside simdjson's own ways to the same tree: On-Demand's iterators took
// 3 times as long. metadata.managedFields is stepped over.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "policy/object/value.hpp"

namespace simdjson::internal {
class dom_parser_implementation;
}

namespace portcullis::policy {

enum class JsonShape {
  object,  // the text is one object
  review,  // an AdmissionReview: request.object and request.oldObject are roots of their own, and the budget is theirs
};

struct ReadOutcome {
  const char* error = nullptr;       // why it is no JSON; null when it is
  OverBudget over = OverBudget::no;  // what lies beyond the budget is missing in the tree; the envelope is whole
};

// Keeps memory between calls; one a thread.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  // `padded`: 64 readable bytes follow its last. `tree` is cleared first; its values are views into `padded` and itself.
  ReadOutcome read(std::string_view padded, JsonShape shape, const WorkBudget& budget, Tree& tree);

 private:
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1_;
  std::string unescaped_;
};

}  // namespace portcullis::policy
