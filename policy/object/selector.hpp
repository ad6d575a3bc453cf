// Kubernetes' label selectors (apimachinery pkg/apis/meta/v1 LabelSelector): matchLabels and matchExpressions, all ANDed.
// A null selector matches nothing, an empty one everything.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "policy/object/value.hpp"

namespace portcullis::policy {

struct LabelSelector {
  enum class Operator { in, not_in, exists, does_not_exist };
  struct Requirement {
    std::string key;
    Operator op = Operator::in;
    std::vector<std::string> values;
  };
  std::vector<Requirement> requirements;  // matchLabels are `in` with one value

  // `labels`: the object of labels (metadata.labels); absent and null mean no labels.
  [[nodiscard]] bool matches(Value labels) const;
  // The same for labels that were read before, sorted by key.
  [[nodiscard]] bool matches(std::span<const std::pair<std::string, std::string>> labels) const;
};

// Reads a selector from a judged object. Errors name the path: unknown operator, values missing or superfluous, wrong
// types. An absent selector is an error here; ask for presence first.
Result<LabelSelector> parse_selector(Value selector);

// Labels that one set may have for selector_matches(): a hostile template could hold 100,000 labels and as many expressions, and
// comparing them all would take minutes. Above it nothing matches.
inline constexpr std::size_t selector_labels_max = 128;

// The allocation-free form of parse_selector(selector).matches(labels): false too for a selector that is not well-formed
// or absent.
bool selector_matches(Value selector, Value labels);

// Label key (optional DNS prefix / name) and value by apimachinery's validation rules (pkg/util/validation).
bool is_label_key(std::string_view key);
bool is_label_value(std::string_view value);

}  // namespace portcullis::policy
