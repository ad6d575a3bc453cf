// A patch is sent only when it is proven: it applies to the object received, and a second run over the patched object would
// add nothing. A patch that decodes but does not apply is a 500 to the user even under failurePolicy: Ignore, so one that
// fails here is an internal error of ours and never leaves.
#pragma once

#include "base/result.hpp"
#include "policy/engine.hpp"

namespace portcullis::webhook {

// RFC 6902 over the received object. Errors: an operation that does not apply, a second run that would extend it.
Result<void> prove(const policy::PolicySnapshot& snapshot, const policy::Subject& subject, Instant now, const policy::Patch& patch);

}  // namespace portcullis::webhook
