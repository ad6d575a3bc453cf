// The whole recorded outcome of judging one write.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/document/documents.hpp"
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

struct Decision {
  Verdict verdict = Verdict::allow;
  std::string_view tenant, environment, name_space;  // of the snapshot, "" where none; name_space as asked
  std::string_view skipped;                          // why nothing was judged: "system namespace", "being deleted", ...; "" when judged
  std::vector<PolicyFinding> findings;               // in the object's order; empty when all is well
  std::vector<std::string> notes;                    // further warnings
  std::string limit;                                 // the bound that was passed, when that denies; "" else

  void clear();  // keeps memory
};

// "container-bounds: no memory limit at spec...: found nothing, want limits.memory; set ..." in one line.
std::string finding_text(const PolicyFinding& finding);

}  // namespace portcullis::policy
