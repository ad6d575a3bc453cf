// The labels by which a cluster knows whose a namespace is: portcullis.dev/tenant, /tier and /environment. The documents say
// what they are, the gate writes them, and nobody else does: the API server chooses by them how strictly the gate is asked.
#pragma once

#include "policy/binding.hpp"
#include "policy/decision.hpp"
#include "policy/object/subject.hpp"

namespace portcullis::policy {

// Findings of the built-in rule namespace-tenancy: a label that says something else than the documents. One that was there
// before and that this update leaves alone only warns.
void find_namespace_tenancy(const Standing& at, const Platform& platform, const Subject& subject, Decision& decision);

// Adds what is missing and mends what is old. What this very write sets wrongly is left for a finding.
void mend_namespace_tenancy(const Standing& at, const Subject& subject, Patch& patch);

}  // namespace portcullis::policy
