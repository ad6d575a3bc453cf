// One request of a known tenant, class and client -> pass, slow or refuse. Pure but for the limiter and the leases: time is
// given, nothing waits, nothing is allocated once the scratch has grown.
//
// Order: bans; profiles that are on (maintenance, denied classes); access lists (the platform's, then the tenant's); then
// everything that is counted, all of it charged or none: the limits and quotas of the class, the tenant's quotas and bucket,
// its part of a pool, and places among those at work at once.
//
// A limit is charged to the key it names; where the request has no such key (no session, no API key) to the client's
// address, in a count of its own. An address is an IPv4 address or an IPv6 /64, and for IPv6 also the /56 and the /48 around
// it, four and sixteen times as wide. A session that is known to be logged in is charged for itself instead of for its
// address, so that a crowd behind one address does not take its share; any other session is worth nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "guard/address.hpp"
#include "guard/credentials.hpp"
#include "guard/leases.hpp"
#include "guard/limiter.hpp"
#include "guard/moment.hpp"
#include "guard/reason.hpp"
#include "guard/route_class.hpp"
#include "guard/siphash.hpp"
#include "guard/snapshot.hpp"

namespace portcullis::guard {

struct BanInForce {
  std::int64_t wait = 0;  // nanoseconds that are left of it
  bool known_sessions_too = false;
};

struct GuardSubject {
  const GuardTenant& tenant;
  RouteClass route_class = RouteClass::other;
  Address client{};
  Sessions sessions{};
  std::optional<std::uint64_t> api_key{};
  const OwnClass* own = nullptr;                 // takes the class's place
  std::optional<std::uint64_t> known_session{};  // one of `sessions` that is known to be logged in
  double standing = 1;                           // how much wider the address is for those known behind it
  std::span<const std::uint64_t> logins{};       // keyed hashes of who wants to log in; empty: not told
  std::uint32_t attempts = 1;                    // credentials in this one request
  bool credentials = false;                      // Odoo checks credentials for it (guard/route_class.hpp)
  double cost_factor = 1;                        // of the class's cost, by what is asked for
  std::optional<BanInForce> ban{};
};

// What a limit is charged to.
enum class KeyKind : std::uint8_t { address, session, api_key, login, tenant, plan, pool_part, pool, quota, place };

// The limit that kept a request out for longest.
struct PassedLimit {
  KeyKind key = KeyKind::address;
  std::int64_t quota = 0;      // whole requests at once, or in the window
  std::int64_t window = 0;     // nanoseconds in which it is given anew
  std::int64_t wait = 0;       // nanoseconds until it would admit the request
  std::int64_t remaining = 0;  // whole requests it has left now
};

inline constexpr std::size_t request_leases_max = 4;

struct Outcome {
  Verdict verdict = Verdict::pass;
  Reason reason = Reason::none;
  bool shadow = false;                             // passes, but would not have: `reason` says why
  PassedLimit limit{};                             // where the reason is a limit; of a ban its wait
  std::array<Lease, request_leases_max> leases{};  // that were taken
  std::size_t lease_count = 0;
};

// What decide() works on beside the subject.
struct DecideParts {
  Limiter& limiter;
  const SipKey& seed;
  Leases* leases = nullptr;  // null: nobody would say when a request ends, so places are not counted
  // While the shared store is away.
  bool store_away = false;
  bool store_away_long = false;  // longer than a moment: each class does what its onStoreLoss says
  unsigned replicas = 1;         // that share the limits then, and a pool's capacity always
};

// One a loop: keeps memory between requests. After decide() it holds what was charged, or would have been.
struct DecideScratch {
  std::vector<Charge> charges;
};

// `now` in nanoseconds of the steady clock.
Outcome decide(const Moment& moment, const DecideParts& parts, const GuardSubject& subject, std::int64_t now, DecideScratch& scratch);

// "address", "session", ...: in answers and explanations.
std::string_view key_kind_name(KeyKind key);
// What a refusal by a limit with that key is called.
Reason limit_reason(KeyKind key);

// What decide() would say, and the charges that it would make, without making them. Places are not counted.
Outcome foresee(const Moment& moment, const DecideParts& parts, const GuardSubject& subject, std::int64_t now, DecideScratch& scratch);

}  // namespace portcullis::guard
