// The rules of all policies, compiled: each rule with the same parameters once, and for every policy how it asks them.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/object/group.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy {

// A rule with its parameters, shared by all policies that say the same.
struct CompiledRule {
  const RuleInfo* info = nullptr;
  RulePtr rule;
  std::vector<KindPattern> kinds;  // empty: workloads
  bool any_kind = false;

  // Does it judge this write, of this kind, by this kind of writer?
  [[nodiscard]] bool judges(const Subject& subject, KindName judged, bool workload, bool controller) const;
};

// A rule as one policy asks it.
struct RuleUse {
  std::uint32_t rule = 0;
  Mode mode = Mode::enforce;
  FailureMode failure_mode = FailureMode::deny;
  bool inject = false;
};

// Appends the rules and, a list a policy, their uses. Errors: all that the rules refuse, in the order of files and lines.
std::vector<Error> compile_rules(const DocumentSet& documents, std::vector<CompiledRule>& rules, std::vector<std::vector<RuleUse>>& uses);

}  // namespace portcullis::policy
