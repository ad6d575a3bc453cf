// Who may say that a tenant's budget has room: in a cluster the QuotaLedger (compare-and-swap through the API server), in
// embedded mode a mutex. Budgets are the documents'; amounts are base units (policy/object/charge.hpp).
#pragma once

#include <functional>
#include <string_view>

#include "base/clock.hpp"
#include "policy/object/charge.hpp"

namespace portcullis::webhook {

class Ledger {
 public:
  virtual ~Ledger() = default;
  using Done = std::function<void(policy::ChargeOutcome)>;
  // Grants or refuses; `done` is called once, on any thread, at the latest at `deadline`, perhaps before charge() returns.
  // A grant is a reservation until the object is seen, or is known not to come. From any thread.
  virtual void charge(policy::Charge charge, Deadline deadline, Done done) = 0;
  // The same question without a reservation, from what is known here and now; never waits. For dry runs and warnings.
  virtual policy::ChargeOutcome would_grant(const policy::Charge& charge) = 0;
  // The deletion of an object was let through. A ledger that watches the cluster does not need to be told. From any thread.
  virtual void deleted(std::string_view /*resource*/, std::string_view /*name_space*/, std::string_view /*name*/) {}
};

}  // namespace portcullis::webhook
