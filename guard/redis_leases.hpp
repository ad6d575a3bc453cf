// Tokens borrowed from Redis, so that a request is decided without asking: per key at most half a slice in advance, and at
// most half a slice on credit while the first are on their way.
//
// The balance of a key is what Redis gave less what was admitted. It never rises above the half in advance and never falls
// below the half on credit, and a debt is kept until Redis was paid for it. So in any span of time one replica admits no more
// than Redis gave in it, and one slice: all replicas together admit burst + rate * t + replicas * slice of a key.
// Tokens that nobody used for lease_time are given up, which costs the key that much of its burst. A soft charge is not
// borrowed for: it adds up and is sent.
//
// Bounded: a key with neither debt nor an order on its way makes room for a new one, the longest unused first; where there
// is none the new key is `unknown`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "guard/redis_script.hpp"
#include "guard/shared_store.hpp"

namespace portcullis::guard {

// What Redis is to charge a key, as far as there is room: `limit.soft`, and `limit.step` is how much.
struct RedisOrder {
  std::uint64_t tenant = 0;
  RedisLimit limit;
};

class RedisLeases {
 public:
  static constexpr std::chrono::seconds lease_time{5};

  // `slice` in requests, of each key; a key with a smaller burst has that for its slice.
  RedisLeases(std::uint32_t slice, std::size_t keys_max);

  // Takes all charges or none; what is to be sent is appended to `orders`. Without `may_borrow` (Redis is away) only what was
  // borrowed is spent. Nanoseconds of the steady clock.
  SharedVerdict take(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now, bool may_borrow,
                     std::vector<RedisOrder>& orders);
  // An order that take() or sweep() gave was answered, or was not.
  void granted(const RedisOrder& order, std::int64_t taken, std::int64_t now);
  void failed(const RedisOrder& order);
  // Looks at the next part of the table: debts that are due, soft charges that have added up, leases that have ended. The
  // whole table is seen in sweep_parts calls.
  static constexpr std::size_t sweep_parts = 16;
  void sweep(std::int64_t now, std::vector<RedisOrder>& orders);

 private:
  static constexpr std::size_t ways = 8;
  static constexpr std::size_t sweep_orders_max = 256;
  struct Entry {
    std::uint64_t id = 0;  // 0: free
    std::uint64_t tenant = 0;
    RedisLimit limit;                // as last seen
    std::int64_t balance = 0;        // in its units
    std::int64_t used_at = 0;        // by a request
    std::int64_t blocked_until = 0;  // Redis has no more until then
    std::int64_t ends_at = 0;        // > 0: of a window
    std::uint64_t request = 0;       // the last that looked at it
    bool ordered = false;            // an order is on its way
  };
  struct Halves {
    std::int64_t advance = 0, credit = 0;
  };
  [[nodiscard]] Halves halves_of(const RedisLimit& limit) const;
  Entry* bucket_of(std::uint64_t id) { return &entries_[(id >> 8U) % (entries_.size() / ways) * ways]; }
  Entry* find(std::uint64_t id);
  Entry* find_or_make(std::uint64_t tenant, const RedisLimit& limit, std::int64_t now);
  static void end_lease(Entry& entry, std::int64_t now);
  static void order(Entry& entry, std::int64_t amount, std::vector<RedisOrder>& orders);

  const std::int64_t slice_;
  std::mutex mutex_;
  std::vector<Entry> entries_;
  std::uint64_t request_ = 0;
  std::size_t swept_ = 0;
};

}  // namespace portcullis::guard
