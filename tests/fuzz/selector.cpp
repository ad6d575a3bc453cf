// Label selectors, `{"selector": ..., "labels": ...}`: the form that allocates and the one that does not agree.
#include "policy/object/selector.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const fuzz::Padded body(input);
  const auto tree = policy::Tree::parse(body.view());
  if (!tree) return;
  const policy::Value selector = tree->root()["selector"], labels = tree->root()["labels"];
  const bool matches = policy::selector_matches(selector, labels);
  if (labels.size() > policy::selector_labels_max) {
    must(!matches, "too many labels match nothing");
    return;
  }
  const auto parsed = policy::parse_selector(selector);
  must(matches == (parsed && parsed->matches(labels)), "both forms agree");
}
