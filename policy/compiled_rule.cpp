#include "policy/compiled_rule.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"

namespace portcullis::policy {
namespace {

KindPattern kind_pattern(std::string_view text) {
  const std::size_t dot = text.find('.');
  KindPattern pattern;
  pattern.kind = text.substr(0, dot);
  pattern.any_group = false;
  if (dot != std::string_view::npos) pattern.group = text.substr(dot + 1);
  return pattern;
}

Result<std::uint32_t> compile_rule(const PolicyRule& rule, std::map<std::string, std::uint32_t>& known, std::vector<CompiledRule>& rules) {
  const std::string identity = rule.id + '\n' + rule.with.fingerprint();
  if (const auto found = known.find(identity); found != known.end()) return found->second;
  const RuleInfo* info = find_rule(rule.id);
  if (info == nullptr) {
    const std::vector<std::string_view> ids = rule_ids();
    return fail(ErrorKind::invalid, rule.place.text() + " rules[].id",
                "found " + quoted(rule.id) + ", want the id of a rule" + did_you_mean(rule.id, ids));
  }
  Result<RulePtr> compiled = info->compile(rule.with);
  if (!compiled) return tl::unexpected(compiled.error());
  CompiledRule entry{info, std::move(*compiled), {}, false};
  for (const std::string_view kind : info->kinds) {
    if (kind == "*") entry.any_kind = true;
    entry.kinds.push_back(kind_pattern(kind));
  }
  rules.push_back(std::move(entry));
  const auto index = static_cast<std::uint32_t>(rules.size() - 1);
  known.emplace(identity, index);
  return index;
}

}  // namespace

bool CompiledRule::judges(const Subject& subject, KindName judged, bool workload, bool controller) const {
  if (std::find(info->operations.begin(), info->operations.end(), subject.operation) == info->operations.end()) return false;
  if (!subject.subresource.empty() &&
      std::find(info->subresources.begin(), info->subresources.end(), subject.subresource) == info->subresources.end())
    return false;
  if (controller && !info->judges_controllers) return false;
  if (any_kind) return true;
  if (kinds.empty()) return workload;
  return std::any_of(kinds.begin(), kinds.end(), [&](const KindPattern& kind) { return kind.matches(judged.kind, judged.group); });
}

std::vector<Error> compile_rules(const DocumentSet& documents, std::vector<CompiledRule>& rules, std::vector<std::vector<RuleUse>>& uses) {
  std::vector<std::pair<const PolicyRule*, Error>> refused;
  std::map<std::string, std::uint32_t> known;
  for (const Policy& policy : documents.policies) {
    std::vector<RuleUse>& list = uses.emplace_back();
    for (const PolicyRule& rule : policy.rules) {
      const Result<std::uint32_t> index = compile_rule(rule, known, rules);
      if (index) {
        list.push_back({*index, rule.mode.value_or(policy.mode), rule.failure_mode.value_or(policy.failure_mode), rule.inject});
      } else {
        refused.emplace_back(&rule, index.error());
      }
    }
  }
  std::stable_sort(refused.begin(), refused.end(), [](const auto& a, const auto& b) {
    const Place &left = a.first->place, &right = b.first->place;
    if (left.file && right.file && *left.file != *right.file) return *left.file < *right.file;
    return left.span.line < right.span.line;
  });
  std::vector<Error> errors;
  errors.reserve(refused.size());
  for (auto& [rule, error] : refused) errors.push_back(std::move(error));
  return errors;
}

}  // namespace portcullis::policy
