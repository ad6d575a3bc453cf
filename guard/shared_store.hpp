// Limits that all replicas count together, in one Redis: what a client took from one guard it cannot take again from another.
//
// Two ways. Strict: each request asks Redis about all of its limits in one call, all charged or none, by GCRA in a script
// that runs alone and by Redis' own clock (guard/redis_script.hpp); however many replicas ask, a key is admitted no more
// than burst + rate * t in any span t. Lease: a replica decides at once from what it borrowed; it holds no more than half a
// slice of a key in advance and half a slice on credit, so a key is admitted no more than burst + rate * t + replicas * slice.
//
// Redis is not trusted to be there. An answer comes within the budget or is `unknown`, and the caller's own limiter decides.
// After failures in a row for a while, or an answer that means that Redis cannot count now (read only, no memory, no rights, loading,
// a cluster's redirection, no protocol at all), the store is away: asking says so at once, and one connection after another
// is tried with a growing, jittered delay until a write is answered within the budget. Redis holds nothing that must not be
// lost: what it forgets (FLUSHALL, failover) each replica's own limiter still bounds.
//
// Redis is not trusted to say the truth either: replies are bounded, and a key that holds what no replica wrote is neither
// reset (it may be somebody's data, and a reset is a fresh burst) nor taken for a refusal (one write would lock a client
// out): it makes the request `unknown`, and is counted.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "guard/limiter.hpp"
#include "guard/redis_url.hpp"
#include "net/waker.hpp"

namespace portcullis::guard {

// One limit of one request. Redis counts in whole microseconds: an interval is rounded up to one, a burst is kept.
struct SharedCharge {
  std::uint64_t fingerprint = 0;  // keyed hash, the same on all replicas; no two charges of one request have the same
  Gcra limit;
  // > 0: not a rate but a quota of a window that ends in so many nanoseconds; then limit.tolerance is the count that is
  // allowed in it and limit.interval is 1. The fingerprint names the window (its date), or clocks that differ would mix two.
  std::int64_t window_left = 0;
  double cost = 1;    // in requests; more than the burst is charged as the burst
  bool soft = false;  // is charged as far as there is room, and never refuses
};
inline constexpr std::size_t shared_charges_max = 16;  // of one request

struct SharedVerdict {
  enum class Kind : std::uint8_t {
    admitted,
    refused,
    unknown,  // no answer in the budget, or one that is no use: decide without
  };
  Kind kind = Kind::unknown;
  std::size_t which = 0;       // refused: the charge, by its place, that has to wait for longest
  std::int64_t wait = 0;       // nanoseconds until it would be admitted
  std::int64_t remaining = 0;  // whole requests that it has left now
};

enum class StoreMode : std::uint8_t { strict, lease };
enum class StoreState : std::uint8_t {
  off,  // there is no store: for those who show the state of one that was not asked for
  up,
  away,
};

struct StoreOptions {
  RedisUrl url;
  std::filesystem::path password_file;  // empty: no AUTH. Read again for each connection
  std::filesystem::path ca_file;        // with TLS: whom to trust; empty: the system's roots. Read again for each connection
  std::string server_name;              // with TLS: in the certificate; empty: url.host
  std::string prefix = "portcullis";    // of every key
  std::string replica;                  // who we are among the replicas; empty: a random name
  StoreMode mode = StoreMode::strict;
  std::uint32_t slice = 20;                 // requests; a key with a smaller burst is lent in slices of its burst
  std::chrono::microseconds budget{5'000};  // from ask() to its verdict
  std::uint64_t keys_max = 4'000'000;       // of the database: a request that would make one more is `unknown`
  std::size_t waiting_max = 8'192;          // calls not yet answered
  std::size_t local_keys_max = 64 * 1024;   // of each local table: refusals, leases, notes
};

// Why the store went away; a bounded label.
enum class StoreFault : std::uint8_t {
  connection,      // not reached, or cut off
  timeout,         // too many answers in a row came too late
  probe,           // a new connection did not answer within the budget
  authentication,  // NOAUTH, WRONGPASS, NOPERM, or a password file that cannot be read
  read_only,       // READONLY
  memory,          // OOM
  loading,         // LOADING, BUSY, MASTERDOWN, MISCONF, NOREPLICAS
  cluster,         // MOVED, ASK, CROSSSLOT, CLUSTERDOWN, TRYAGAIN
  garbage,         // what is no reply, or not one to what was asked
  other,           // any other error
};
inline constexpr std::size_t store_faults = 10;
std::string_view store_fault_name(StoreFault fault);

struct StoreStats {
  std::uint64_t admitted = 0, refused = 0;  // by Redis
  std::uint64_t refused_locally = 0;        // by would_refuse()
  std::uint64_t late = 0;                   // no answer in the budget
  std::uint64_t not_asked = 0;              // ask() was false
  std::uint64_t foreign = 0;                // a key held what no replica wrote
  std::uint64_t full = 0;                   // keys_max would have been passed
  std::uint64_t leased = 0;                 // admitted from what was borrowed
  std::uint64_t notes_dropped = 0;          // by note_local(): its table was full
  std::array<std::uint64_t, store_faults> faults{};
  std::uint64_t connections = 0;  // that came up
};

class SharedStore {
 public:
  // Starts to connect, and returns at once. Errors: a prefix, a slice or a CA file that cannot be used.
  static Result<std::unique_ptr<SharedStore>> open(StoreOptions options);
  ~SharedStore();  // who still waits is woken with `unknown`
  SharedStore(const SharedStore&) = delete;
  SharedStore& operator=(const SharedStore&) = delete;

  // All that follows: from any thread, and never waits. `tenant` is a keyed hash too. `now` is nanoseconds of the steady
  // clock.

  // Refused without a call, because Redis refused the same key until a moment that has not come. Soft charges are not
  // looked at.
  std::optional<SharedVerdict> would_refuse(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now);

  // Asks Redis about all charges, all or none. When its answer is there, or the budget has passed, `*verdict` is written,
  // from then on it is the caller's alone, and `waker->wake(ticket)` is called: once, and perhaps before ask() returns.
  // False, and nobody is woken, when the store is away, too much waits, or there are more than shared_charges_max charges.
  bool ask(std::uint64_t tenant, std::span<const SharedCharge> charges, const std::shared_ptr<net::Waker>& waker, std::uint64_t ticket,
           const std::shared_ptr<SharedVerdict>& verdict);

  // Decides from what was borrowed, and borrows. `unknown`: nothing is borrowed yet and the credit is used, or a charge is
  // larger than half a slice; ask(), or decide without. All are taken or none.
  SharedVerdict lease(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now);

  // What was admitted without Redis' knowing, because it was away. Charged there when it is back, as far as it has not been
  // paid by then.
  void note_local(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now);

  [[nodiscard]] StoreMode mode() const;
  [[nodiscard]] StoreState state() const;
  // Guards that Redis heard of in the last five seconds, this one included: at least 1. While the store is away, the number
  // that was last known.
  [[nodiscard]] unsigned replicas_alive() const;
  // For how long the store has been away; 0 when it is up.
  [[nodiscard]] std::chrono::nanoseconds away_for(std::int64_t now) const;
  [[nodiscard]] StoreStats stats() const;

 private:
  struct Impl;
  explicit SharedStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::guard
