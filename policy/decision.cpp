#include "policy/decision.hpp"

#include <algorithm>

namespace portcullis::policy {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return "allow";
    case Verdict::warn:
      return "warn";
    case Verdict::deny:
      return "deny";
  }
  return "deny";
}

Verdict PolicyFinding::weight() const {
  if (mode == Mode::audit) return Verdict::allow;
  if (!exception.empty()) return exception_ends_soon ? Verdict::warn : Verdict::allow;
  if (kept || finding.advice || mode == Mode::warn) return Verdict::warn;
  return Verdict::deny;
}

FailureMode Unjudged::effect() const {
  if (mode == Mode::audit) return FailureMode::allow;
  return mode == Mode::warn && failure_mode == FailureMode::deny ? FailureMode::warn : failure_mode;
}

Verdict Decision::found() const {
  Verdict found = limit.empty() ? Verdict::allow : Verdict::deny;
  for (const PolicyFinding& finding : findings) found = std::max(found, finding.weight());
  return notes.empty() ? found : std::max(found, Verdict::warn);
}

void Decision::clear() {
  verdict = Verdict::allow;
  tenant = environment = name_space = skipped = {};
  findings.clear();
  notes.clear();
  limit.clear();
  unjudged.clear();
  unavailable.clear();
  charge.reset();
}

std::string unjudged_text(const Unjudged& unjudged) {
  return std::string(unjudged.rule) + " could not be judged: " + unjudged.why + " (policy " + std::string(unjudged.policy) + ")";
}

std::string finding_text(const PolicyFinding& finding) {
  const Finding& f = finding.finding;
  std::string text(finding.rule);
  text += ": " + f.what;
  if (!f.where.empty()) text += " at " + f.where;
  text += ": found " + f.found + ", want " + f.wanted;
  if (!f.fix.empty()) text += "; " + f.fix;
  return text;
}

}  // namespace portcullis::policy
