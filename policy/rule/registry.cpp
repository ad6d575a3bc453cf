#include <array>

#include "policy/rule/rule.hpp"

namespace portcullis::policy {
namespace rule {
#define PORTCULLIS_RULE(name) extern const RuleInfo name;
#include "policy/rule/rules.def"
#undef PORTCULLIS_RULE
}  // namespace rule

std::span<const RuleInfo* const> all_rules() {
  static const std::vector<const RuleInfo*> rules{
#define PORTCULLIS_RULE(name) &rule::name,
#include "policy/rule/rules.def"
#undef PORTCULLIS_RULE
  };
  return rules;
}

const RuleInfo* find_rule(std::string_view id) {
  for (const RuleInfo* info : all_rules())
    if (info->id == id) return info;
  return nullptr;
}

std::vector<std::string_view> rule_ids() {
  std::vector<std::string_view> ids;
  for (const RuleInfo* info : all_rules()) ids.push_back(info->id);
  return ids;
}

std::string rule_id_list() {
  std::string list;
  for (const RuleInfo* info : all_rules()) {
    if (!list.empty()) list += ", ";
    list += info->id;
  }
  return list;
}

void Rule::mend(const Subject&, const Facts&, Patch&) const {}
std::optional<Charge> Rule::charge(const Subject&, const Facts&) const { return std::nullopt; }
void Rule::answer(const Subject&, const Facts&, const Charge&, const ChargeOutcome&, Findings&) const {}

}  // namespace portcullis::policy
