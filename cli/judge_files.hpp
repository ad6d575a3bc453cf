// Manifests -> decisions, as `check` shows them: every object judged by the documents in force as if it were written to a
// cluster now, every finding with its place in the file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/manifests.hpp"
#include "policy/engine.hpp"

namespace portcullis::cli {

struct Situation {                     // what a review would say beside the object
  std::string name_space = "default";  // of objects that name none
  std::optional<std::string> user;     // absent: not known
  std::vector<std::string> groups;
  policy::Operation operation = policy::Operation::create;
  Instant now{};
};

struct FileFinding {
  policy::PolicyFinding finding;  // its Values are not good any more
  policy::Span span;
  bool elsewhere = false;                 // `where` is in another object, such as an autoscaler's
  bool missing = false;                   // `where` is not there; the span is the nearest thing that is
  std::string fingerprint;                // independent of line, message and machine (contracts of code-quality reports)
  std::optional<std::int64_t> days_left;  // of the exception that covers it
};

struct FileDecision {
  const Manifest* manifest = nullptr;
  std::string name_space;  // "" for a kind without
  std::string tenant;
  policy::Verdict verdict = policy::Verdict::allow;
  std::string_view skipped;  // why nothing was judged
  std::vector<FileFinding> findings;
  std::vector<std::string> notes;
  std::string limit;
};

// A rule that asks what no file holds.
struct NotJudged {
  std::string rule, policy, why;
  std::size_t objects = 0;
};

struct FileDecisions {
  std::vector<FileDecision> decisions;
  std::vector<ManifestError> errors;  // of objects that could not be judged
  std::vector<NotJudged> not_judged;
};

// `before`: what UPDATE replaces and DELETE takes away, where given. `facts`: what is known besides; not judged, but the
// objects judged are known too. The result keeps views into all of them.
FileDecisions judge_files(const policy::PolicySnapshot& snapshot, const Situation& situation, const Manifests& objects,
                          const Manifests& before, const Manifests& facts);

}  // namespace portcullis::cli
