// How many logins failed lately, by key: an address at a tenant, or a login from an address. Bounded; what it forgets is a
// count, never a ban (guard/bans.hpp).
//
// A window is counted in slices of a fifteenth: what failed within it is never left out, and what failed up to one slice
// before it is still counted. Each key also knows whether all of it was for one login.
// One table of sets of eight keys, found by a keyed hash. When the eight of a set are taken, one that has nothing left to
// count goes first, then the one with the fewest failures, of equal ones the oldest: a flood of keys that fail once pushes
// out others of its kind, and not the one who has failed nine times.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.hpp"

namespace portcullis::guard {

class FailureCounts {
 public:
  static constexpr std::size_t keys_max_default = 128 * 1024;  // 8 MiB, taken shard by shard as they are first used

  explicit FailureCounts(std::size_t keys_max = keys_max_default);

  struct Count {
    std::uint64_t failures = 0;   // within the window, this one included
    bool several_logins = false;  // they were for several logins, or for some that nobody knows
  };
  // One more failure of `key` (a keyed hash). `login`: of it, where known; a keyed hash.
  Count add(std::uint64_t key, std::optional<std::uint64_t> login, std::chrono::nanoseconds window, Clock::time_point now);
  // Begins anew with this key.
  void clear(std::uint64_t key);
  // The same where all that failed was for `login`.
  void clear_of_login(std::uint64_t key, std::uint64_t login, std::chrono::nanoseconds window, Clock::time_point now);

  // Counts that were pushed out while they still counted.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t shards = 64, keys_a_set = 8, slices = 16;
  struct Key {
    std::uint64_t fingerprint = 0;  // 0: free
    std::uint64_t login = 0;        // of the last failure
    std::int64_t other_login = 0;   // when one failed for another login than the next; nanoseconds of the steady clock
    std::int64_t last = 0;          // when the last one failed
    std::array<std::uint16_t, slices> counts{};
  };
  static_assert(sizeof(Key) == 64);
  struct alignas(64) Shard {
    std::mutex mutex;
    std::vector<Key> keys;
  };

  Shard& shard_of(std::uint64_t key) { return shards_[key % shards]; }
  Key* find(Shard& shard, std::uint64_t key) const;
  Key& find_or_make(Shard& shard, std::uint64_t key, std::int64_t width, std::int64_t now);
  Key* set_of(Shard& shard, std::uint64_t key) const;
  static void forget_old_slices(Key& key, std::int64_t width, std::int64_t now);
  static std::uint64_t sum(const Key& key);

  std::size_t sets_a_shard_;
  std::unique_ptr<Shard[]> shards_ = std::make_unique<Shard[]>(shards);
  std::atomic<std::uint64_t> forgotten_{0};
};

}  // namespace portcullis::guard
