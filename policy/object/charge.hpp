// What a write would add to budgets, and what the ledger said to it. The rule tenant-budget asks and judges; the ledger of
// the webhook (or of --facts) answers. A pure value on both sides.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "policy/object/usage.hpp"

namespace portcullis::policy {

// An amount of one resource in base units, rounded up: millicores for cpu, bytes for memory and storage, one for counts.
// Saturates at 2^62, which no budget holds.
struct Amount {
  std::string resource;  // as the dimension of a TenantQuota says it: "pods", or "acme-proj-*/pods" for an entry's budget
  std::int64_t units = 0;
};

struct Charge {
  std::string tenant;
  std::vector<Amount> added;  // only what the tenant's budgets limit; each above zero
  std::string object_uid;     // metadata.uid, which the validating phase knows; "" on the command line
  std::string resource;       // "pods", "deployments.apps": where to look for the object
  std::string name_space, name;
  std::string old_version;  // metadata.resourceVersion of the object that an update found; "" for a create
  Usage usage;              // whole usage of the object as wanted, to recognise it when it is seen
};

enum class ChargeStatus : std::uint8_t {
  granted,      // and reserved, unless it was a dry run
  over,         // real usage leaves no room: a denial is exact
  reserved,     // others' reservations leave no room now: try again
  unavailable,  // cannot be judged: the failure mode decides
};

struct ChargeOutcome {
  ChargeStatus status = ChargeStatus::unavailable;
  std::string resource;  // the dimension that had no room
  std::int64_t hard = 0, used = 0, reserved = 0, added = 0;
  std::string why;  // of unavailable, for the log
};

inline ChargeOutcome unavailable(std::string why) {
  ChargeOutcome outcome;
  outcome.why = std::move(why);
  return outcome;
}

}  // namespace portcullis::policy
