#include "policy/decision.hpp"

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
  if (kept || mode == Mode::warn) return Verdict::warn;
  return Verdict::deny;
}

void Decision::clear() {
  verdict = Verdict::allow;
  tenant = environment = name_space = skipped = {};
  findings.clear();
  notes.clear();
  limit.clear();
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
