// The whole recorded outcome of judging one write.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document/documents.hpp"
#include "policy/object/charge.hpp"
#include "policy/rule/findings.hpp"

namespace portcullis::policy {

enum class Verdict { allow, warn, deny };
std::string_view verdict_name(Verdict verdict);

// One finding, for one policy that asked.
struct PolicyFinding {
  std::string_view rule, policy;  // of the snapshot
  Mode mode = Mode::enforce;      // as this policy has it; enforce denies
  Finding finding;
  std::string_view exception;        // of the snapshot: the exception that covers it, else ""
  bool exception_ends_soon = false;  // within its last 7 days: warns
  bool kept = false;                 // on UPDATE: was there before and did not get worse, so it only warns
  [[nodiscard]] Verdict weight() const;
};

// A rule that could not be judged because facts it needs were not known. What follows is the policy's to say.
struct Unjudged {
  std::string_view rule, policy;  // of the snapshot
  std::string why;                // "autoscalers are not known"
  Mode mode = Mode::enforce;
  FailureMode failure_mode = FailureMode::deny;
  // What it comes to: a policy that only warns never denies for want of facts, one in audit is never seen.
  [[nodiscard]] FailureMode effect() const;
};

struct Decision {
  Verdict verdict = Verdict::allow;
  std::string_view tenant, environment, name_space;  // of the snapshot, "" where none; name_space as asked
  std::string_view skipped;                          // why nothing was judged: "system namespace", "being deleted", ...; "" when judged
  std::vector<PolicyFinding> findings;               // in the object's order; empty when all is well
  std::vector<std::string> notes;                    // further warnings
  std::string limit;                                 // the bound that was passed, when that denies; "" else
  std::vector<Unjudged> unjudged;                    // rules that wanted facts which are not known
  std::string unavailable;                           // why nothing can be answered: an `unjudged` denies and nothing else does
  std::optional<Charge> charge;                      // to be asked for before this decision holds; judge again with the outcome

  // The verdict by what was found alone, whatever could not be judged.
  [[nodiscard]] Verdict found() const;
  void clear();  // keeps memory
};

// "replica-floor could not be judged: autoscalers are not known (policy production)".
std::string unjudged_text(const Unjudged& unjudged);

// "container-bounds: no memory limit at spec...: found nothing, want limits.memory; set ..." in one line.
std::string finding_text(const PolicyFinding& finding);

}  // namespace portcullis::policy
