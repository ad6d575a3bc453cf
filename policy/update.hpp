// What an UPDATE changes, as far as verdicts depend on it: an old flaw that did not get worse is let through with a warning,
// and an object being deleted may only lose finalizers (threats A2, A70, A71).
#pragma once

#include <vector>

#include "policy/object/subject.hpp"
#include "policy/rule/findings.hpp"

namespace portcullis::policy {

// The object carries a deletionTimestamp and this write takes finalizers away and changes nothing else. What the API server
// itself writes (resourceVersion, generation, managedFields, status) does not count.
bool only_loses_finalizers(const Subject& subject);

// Which findings of `now` were there before: word for word, at the same place (numbers of list items aside), with every byte
// of their scope as it is now, and multiplied by no more replicas, parallelism or completions than before. `before` is what
// the same rule finds in the old object; one of its findings vouches for one of `now`, so that a flaw cannot be copied.
std::vector<bool> unchanged_flaws(const Findings& now, const Findings& before, const Subject& subject);

}  // namespace portcullis::policy
