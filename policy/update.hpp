// What an UPDATE changes, as far as verdicts depend on it: an old flaw that did not get worse is let through with a warning,
// and an object being deleted may only lose finalizers (threats A2, A70, A71).
#pragma once

#include "policy/object/subject.hpp"
#include "policy/rule/findings.hpp"

namespace portcullis::policy {

// The object carries a deletionTimestamp and this write takes finalizers away and changes nothing else. What the API server
// itself writes (resourceVersion, generation, managedFields, status) does not count.
bool only_loses_finalizers(const Subject& subject);

// Was the flaw there before, word for word, with every byte of its scope as it is now, and is it multiplied by no more
// replicas, parallelism or completions than before? `before` is what the same rule finds in the old object.
bool is_unchanged_flaw(const Finding& now, const Findings& before, const Subject& subject);

}  // namespace portcullis::policy
