// Why the guard said what it said: one word a cause, for metrics, the decision log and tests. The set is closed, so it may
// be a metric label.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace portcullis::guard {

enum class Verdict : std::uint8_t { pass, slow, refuse };
inline constexpr std::array<std::string_view, 3> verdict_names{"pass", "slow", "refuse"};

enum class Reason : std::uint8_t {
  none,                   // passed, and nothing to say about it
  untrusted_peer,         // the other end of the socket is no trusted proxy
  missing_forwarded_for,  // a deciding header is not there: the proxy is not set up as it must be
  missing_forwarded_host,
  missing_forwarded_uri,
  missing_forwarded_method,
  doubled_header,      // a deciding header twice: proxy and Odoo could read different ones
  aliased_header,      // X_Forwarded_For, X.Forwarded.For: WSGI folds them into the true one
  bad_client_address,  // X-Forwarded-For has no address where the client's must be
  forwarded_for_too_long,
  bad_method,
  bad_uri,
  uri_too_long,
  unknown_host,       // X-Forwarded-Host is of no tenant, or no host name at all
  unknown_tenant,     // the middleware's path names no tenant
  host_mismatch,      // the middleware's path names one tenant, X-Forwarded-Host is another's
  session_elsewhere,  // a session id in the query or in X-Openerp-Session-Id, where old versions of Odoo looked for it too
  foreign_database,   // a database is named that is not the tenant's
  banned,             // by failed logins, or by an operator
  maintenance,        // a profile says that Odoo is being worked on
  profile,            // a profile that is on denies the class
  access,             // an access list, or a class that is off unless opened
  limit_address,      // over the limit with this key
  limit_session,
  limit_api_key,
  limit_login,
  limit_tenant,  // of the class over the whole tenant
  limit_plan,    // the tenant's own bucket
  limit_pool,    // the tenant's part of its pool, and nothing is left of the others'
  quota,         // of a day or a month
  concurrency,   // too many at work at once
  store_lost,    // the shared store is away, and the class is closed without it
};
inline constexpr std::array<std::string_view, 32> reason_names{"",
                                                               "untrusted-peer",
                                                               "missing-forwarded-for",
                                                               "missing-forwarded-host",
                                                               "missing-forwarded-uri",
                                                               "missing-forwarded-method",
                                                               "doubled-header",
                                                               "aliased-header",
                                                               "bad-client-address",
                                                               "forwarded-for-too-long",
                                                               "bad-method",
                                                               "bad-uri",
                                                               "uri-too-long",
                                                               "unknown-host",
                                                               "unknown-tenant",
                                                               "host-mismatch",
                                                               "session-elsewhere",
                                                               "foreign-database",
                                                               "banned",
                                                               "maintenance",
                                                               "profile",
                                                               "access",
                                                               "limit-address",
                                                               "limit-session",
                                                               "limit-api-key",
                                                               "limit-login",
                                                               "limit-tenant",
                                                               "limit-plan",
                                                               "limit-pool",
                                                               "quota",
                                                               "concurrency",
                                                               "store-lost"};
constexpr std::string_view reason_name(Reason reason) { return reason_names[static_cast<std::size_t>(reason)]; }
constexpr std::string_view verdict_name(Verdict verdict) { return verdict_names[static_cast<std::size_t>(verdict)]; }
static_assert(reason_name(Reason::access) == "access" && reason_name(Reason::store_lost) == "store-lost");

// From this one on a reason is a judgement of a known tenant's request, which shadow mode lets pass.
inline constexpr Reason first_judged_reason = Reason::banned;

// The status of a refusal before the tenant is judged: 400 where the request itself is malformed, else 403.
constexpr int refusal_status(Reason reason) {
  switch (reason) {
    case Reason::doubled_header:
    case Reason::aliased_header:
    case Reason::bad_client_address:
    case Reason::forwarded_for_too_long:
    case Reason::bad_method:
    case Reason::bad_uri:
    case Reason::uri_too_long:
    case Reason::session_elsewhere:
      return 400;
    default:
      return 403;
  }
}

// The status of a request that was judged and does not pass.
constexpr int judged_status(Verdict verdict, Reason reason) {
  if (reason == Reason::maintenance) return 503;
  return verdict == Verdict::slow ? 429 : 403;
}

// True where a stranger may be told the reason: it speaks of his own request or of the proxy, not of who our tenants are.
constexpr bool may_be_told(Reason reason) {
  switch (reason) {
    case Reason::unknown_host:
    case Reason::unknown_tenant:
    case Reason::host_mismatch:
    case Reason::foreign_database:
      return false;
    default:
      return true;
  }
}

}  // namespace portcullis::guard
