// One request of a known tenant, class and client -> pass, slow or refuse. Pure but for the limiter: time is given, nothing
// waits, nothing is allocated once the scratch has grown.
//
// Order: access lists (the platform's, then the tenant's), then the limits of the class and the tenant's own bucket, all of
// them charged or none. A limit is charged to the key it names; where the request has no such key (no session, no API key)
// to the client's address, in a count of its own. Address limits are as much wider as the list says that holds the address;
// limits over the tenant as much as its plan's factor. In shadow mode what would have stopped a request is said, and it
// passes uncharged.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "guard/address.hpp"
#include "guard/credentials.hpp"
#include "guard/limiter.hpp"
#include "guard/reason.hpp"
#include "guard/route_class.hpp"
#include "guard/siphash.hpp"
#include "guard/snapshot.hpp"

namespace portcullis::guard {

struct GuardSubject {
  const GuardTenant& tenant;
  RouteClass route_class = RouteClass::other;
  Address client{};
  Sessions sessions;
  std::optional<std::uint64_t> api_key;
};

// What a limit is charged to.
enum class KeyKind : std::uint8_t { address, session, api_key, tenant, plan };

// The limit that kept a request out for longest.
struct PassedLimit {
  KeyKind key = KeyKind::address;
  Gcra gcra;                   // as widened
  std::int64_t wait = 0;       // nanoseconds until it would admit the request
  std::int64_t remaining = 0;  // whole requests it has left now
};

struct Outcome {
  Verdict verdict = Verdict::pass;
  Reason reason = Reason::none;
  bool shadow = false;  // passes, but would not have: `reason` says why
  PassedLimit limit{};  // where the reason is a limit
};

// One a loop: keeps memory between requests.
struct DecideScratch {
  std::vector<Charge> charges;
};

// `now` in nanoseconds of the steady clock.
Outcome decide(const GuardSnapshot& snapshot, Limiter& limiter, const SipKey& seed, const GuardSubject& subject, std::int64_t now,
               DecideScratch& scratch);

}  // namespace portcullis::guard
