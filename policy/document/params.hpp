// The parameters of one rule, read from `with`. A rule declares its parameters in its RuleInfo; decoding has checked the
// names, types and ranges against that declaration before the rule is compiled, so what compile() still refuses is what
// only the rule can know. Positions are kept: an error names file, line and column.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "policy/document/place.hpp"
#include "policy/object/quantity.hpp"

namespace portcullis::policy {

struct Range {
  std::int64_t min = std::numeric_limits<std::int64_t>::min(), max = std::numeric_limits<std::int64_t>::max();
};

enum class ParamType {
  boolean,
  integer,
  number,  // decimal, such as a ratio
  string,
  strings,     // a list of strings
  quantities,  // a mapping from resource names to quantities
};

// One parameter of a rule: what decoding checks and what `rules show` and the doc page say.
struct ParamInfo {
  std::string_view name;
  ParamType type = ParamType::string;
  std::string_view meaning;  // one clause for the doc page
  bool required = false;
  Range range{};                          // of an integer or number; of a list: how many items
  std::vector<std::string_view> words{};  // the only strings allowed; empty: any
  std::string_view fallback{};            // the default as the doc page shows it; "" for none
};

class Params {
 public:
  using Strings = std::vector<std::string>;
  using Quantities = std::vector<std::pair<std::string, Quantity>>;  // in the author's order
  using Any = std::variant<bool, std::int64_t, double, std::string, Strings, Quantities>;
  struct Entry {
    Any value;
    Place place;
  };

  void set(std::string name, Entry entry) { entries_.insert_or_assign(std::move(name), std::move(entry)); }
  // Where `with` stands, and its path in the document: "spec.rules[0].with".
  void set_place(Place place, std::string field = "with") {
    place_ = std::move(place);
    field_ = std::move(field);
  }

  [[nodiscard]] bool has(std::string_view name) const { return entries_.find(name) != entries_.end(); }
  [[nodiscard]] bool boolean(std::string_view name, bool fallback) const { return get<bool>(name, fallback); }
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback) const { return get<std::int64_t>(name, fallback); }
  [[nodiscard]] double number(std::string_view name, double fallback) const { return get<double>(name, fallback); }
  [[nodiscard]] std::string string(std::string_view name, std::string fallback) const {
    return get<std::string>(name, std::move(fallback));
  }
  [[nodiscard]] Strings strings(std::string_view name, Strings fallback) const { return get<Strings>(name, std::move(fallback)); }
  [[nodiscard]] Quantities quantities(std::string_view name) const { return get<Quantities>(name, {}); }

  // Where `name` stands, or where `with` stands when it is absent: "policies/a.yaml:14:9 spec.rules[0].with.min".
  [[nodiscard]] std::string where(std::string_view name) const;
  // An error at that place.
  [[nodiscard]] Error error(std::string_view name, std::string what) const;
  // Equal for equal parameters, whatever their order: "the same rule with the same parameters is judged once".
  [[nodiscard]] std::string fingerprint() const;

 private:
  template <class T>
  [[nodiscard]] T get(std::string_view name, T fallback) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return fallback;
    return std::get<T>(found->second.value);
  }
  std::map<std::string, Entry, std::less<>> entries_;
  Place place_;
  std::string field_ = "with";
};

}  // namespace portcullis::policy
