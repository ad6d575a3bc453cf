#include "policy/object/selector.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"

namespace portcullis::policy {
namespace {

using Operator = LabelSelector::Operator;

constexpr std::size_t name_bytes_max = 63;
constexpr std::size_t prefix_bytes_max = 253;
constexpr std::array<std::string_view, 4> operator_names{"In", "NotIn", "Exists", "DoesNotExist"};  // in the order of Operator

constexpr bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
constexpr bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9], at most 63 bytes
bool is_qualified_name(std::string_view text) {
  return !text.empty() && text.size() <= name_bytes_max && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// RFC 1123 labels joined by dots, at most 253 bytes in all.
bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > prefix_bytes_max) return false;
  char before = '.';
  for (const char c : text) {
    if (is_lower_or_digit(c)) {
      before = 'a';
    } else if (c == '-' && before != '.') {
      before = '-';
    } else if (c == '.' && before == 'a') {
      before = '.';
    } else {
      return false;
    }
  }
  return before == 'a';
}

// A map from strings to strings may hold null: Go reads it as "".
bool is_text(Value value) { return value.is(ValueKind::string) || value.is(ValueKind::null); }

std::optional<Operator> operator_of(std::string_view name) {
  const auto* found = std::find(operator_names.begin(), operator_names.end(), name);
  if (found == operator_names.end()) return std::nullopt;
  return static_cast<Operator>(found - operator_names.begin());
}

bool holds(Operator op, bool has, bool listed) {
  switch (op) {
    case Operator::in:
      return has && listed;
    case Operator::not_in:
      return !has || !listed;
    case Operator::exists:
      return has;
    case Operator::does_not_exist:
      return !has;
  }
  return false;
}

bool lists(const LabelSelector::Requirement& requirement, std::string_view value) {
  return std::find(requirement.values.begin(), requirement.values.end(), value) != requirement.values.end();
}

struct Expression {
  Value key, op, values;
  bool is_object = false;
};

Expression read_expression(Value node) {
  Expression read;
  read.is_object = node.is(ValueKind::object);
  if (!read.is_object) return read;
  for (const Value member : node) {
    if (member.key() == "key") read.key = member;
    if (member.key() == "operator") read.op = member;
    if (member.key() == "values") read.values = member;
  }
  return read;
}

// What LabelSelectorAsSelector refuses, as one word for both readers.
enum class Flaw { none, not_an_object, key, op, values_missing, values_superfluous, values };

Flaw flaw_of(const Expression& expression, Operator& op) {
  if (!expression.is_object) return Flaw::not_an_object;
  if (!is_label_key(expression.key.text())) return Flaw::key;
  const std::optional<Operator> known = operator_of(expression.op.text());
  if (!known) return Flaw::op;
  op = *known;
  if (expression.values.present() && !expression.values.is(ValueKind::array)) return Flaw::values;
  const bool wants_values = op == Operator::in || op == Operator::not_in;
  if (wants_values && expression.values.size() == 0) return Flaw::values_missing;
  if (!wants_values && expression.values.size() != 0) return Flaw::values_superfluous;
  for (const Value value : expression.values)
    if (!is_text(value) || !is_label_value(value.text())) return Flaw::values;
  return Flaw::none;
}

tl::unexpected<Error> refuse(Value at, std::string_view child, std::string what) {
  const Value node = at[child];
  return fail(ErrorKind::invalid, node ? node.path() : child_path(at, child), std::move(what));
}

std::string found_of(Value value) { return value.is(ValueKind::string) ? quoted(value.text()) : std::string(kind_name(value.kind())); }

}  // namespace

bool is_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return is_qualified_name(key);
  return is_dns_subdomain(key.substr(0, slash)) && is_qualified_name(key.substr(slash + 1));
}

bool is_label_value(std::string_view value) { return value.empty() || is_qualified_name(value); }

bool LabelSelector::matches(Value labels) const {
  return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& requirement) {
    const Value label = labels[requirement.key];
    return holds(requirement.op, static_cast<bool>(label), lists(requirement, label.text()));
  });
}

bool LabelSelector::matches(std::span<const std::pair<std::string, std::string>> labels) const {
  return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& requirement) {
    const auto label = std::lower_bound(labels.begin(), labels.end(), requirement.key,
                                        [](const auto& each, const std::string& key) { return each.first < key; });
    const bool has = label != labels.end() && label->first == requirement.key;
    return holds(requirement.op, has, has && lists(requirement, label->second));
  });
}

Result<LabelSelector> parse_selector(Value selector) {
  if (!selector.is(ValueKind::object))
    return fail(ErrorKind::invalid, selector.path(), "found " + found_of(selector) + ", want a label selector");
  LabelSelector read;
  for (const Value part : selector) {
    if (!part.present()) continue;
    if (part.key() == "matchLabels") {
      if (!part.is(ValueKind::object))
        return fail(ErrorKind::invalid, part.path(), "found " + found_of(part) + ", want an object of labels");
      for (const Value label : part) {
        if (!is_label_key(label.key()))
          return fail(ErrorKind::invalid, label.path(), "found " + quoted(label.key()) + ", want a label key");
        if (!is_text(label) || !is_label_value(label.text()))
          return fail(ErrorKind::invalid, label.path(), "found " + found_of(label) + ", want a label value");
        read.requirements.push_back({std::string(label.key()), Operator::in, {std::string(label.text())}});
      }
    } else if (part.key() == "matchExpressions") {
      if (!part.is(ValueKind::array))
        return fail(ErrorKind::invalid, part.path(), "found " + found_of(part) + ", want a list of expressions");
      for (const Value item : part) {
        const Expression expression = read_expression(item);
        LabelSelector::Requirement requirement;
        switch (flaw_of(expression, requirement.op)) {
          case Flaw::none:
            break;
          case Flaw::not_an_object:
            return fail(ErrorKind::invalid, item.path(), "found " + found_of(item) + ", want an expression");
          case Flaw::key:
            return refuse(item, "key", "found " + found_of(expression.key) + ", want a label key");
          case Flaw::op:
            return refuse(item, "operator",
                          "found " + found_of(expression.op) + ", want In, NotIn, Exists or DoesNotExist" +
                              did_you_mean(expression.op.text(), operator_names));
          case Flaw::values_missing:
            return refuse(item, "values", "found no values, want at least one for " + std::string(expression.op.text()));
          case Flaw::values_superfluous:
            return refuse(item, "values", "found values, want none for " + std::string(expression.op.text()));
          case Flaw::values:
            return refuse(item, "values", "found what is no label value, want a list of label values");
        }
        requirement.key = expression.key.text();
        for (const Value value : expression.values) requirement.values.emplace_back(value.text());
        read.requirements.push_back(std::move(requirement));
      }
    }
  }
  return read;
}

bool selector_matches(Value selector, Value labels) {
  if (!selector.is(ValueKind::object) || labels.size() > selector_labels_max) return false;
  for (const Value part : selector) {
    if (!part.present()) continue;
    if (part.key() == "matchLabels") {
      if (!part.is(ValueKind::object)) return false;
      for (const Value wanted : part) {
        if (!is_text(wanted) || !is_label_key(wanted.key()) || !is_label_value(wanted.text())) return false;
        const Value label = labels[wanted.key()];
        if (!is_text(label) || label.text() != wanted.text()) return false;
      }
    } else if (part.key() == "matchExpressions") {
      if (!part.is(ValueKind::array)) return false;
      for (const Value item : part) {
        const Expression expression = read_expression(item);
        Operator op = Operator::in;
        if (flaw_of(expression, op) != Flaw::none) return false;
        const Value label = labels[expression.key.text()];
        bool listed = false;
        for (const Value value : expression.values) listed = listed || value.text() == label.text();
        if (!holds(op, static_cast<bool>(label), listed)) return false;
      }
    }
  }
  return true;
}

}  // namespace portcullis::policy
