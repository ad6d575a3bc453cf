// How many requests of a key are at work at the same time. A lease is taken when the request is let go on, given back when
// the access log says that it has ended, and ends by itself after its time to live, because a log can be lost.
//
// Bounded: above leases_max nothing is counted any more and the request is let go on (`Grant::uncounted`), because a request
// that is not counted is held by its rate limits still.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace portcullis::guard {

inline constexpr std::size_t leases_max = 65'536;

struct Lease {
  std::uint64_t key = 0;  // keyed hash
  std::uint64_t serial = 0;
};

class Leases {
 public:
  enum class Grant : std::uint8_t { taken, full, uncounted };
  struct Answer {
    Grant grant = Grant::full;
    Lease lease{};          // of a taken one
    std::int64_t wait = 0;  // of a full key: nanoseconds until the first of its leases ends by itself
  };
  // At most `max` at once for `key`; the new one ends at `now + ttl`. Nanoseconds of the steady clock.
  Answer take(std::uint64_t key, std::uint32_t max, std::int64_t ttl, std::int64_t now);
  void give_back(const Lease& lease);
  // How many `key` has at `now`.
  [[nodiscard]] std::uint32_t held(std::uint64_t key, std::int64_t now) const;
  [[nodiscard]] std::size_t size() const;  // also of those that have ended and were not looked at since

 private:
  struct Held {
    std::uint64_t serial;
    std::int64_t ends;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, std::vector<Held>> keys;
    std::size_t count = 0;
    std::uint64_t next_serial = 1;
    std::int64_t next_sweep = 0;
  };
  static constexpr std::size_t shards = 16;
  static void sweep(Shard& shard, std::int64_t now);
  Shard& shard_of(std::uint64_t key) { return shards_[(key >> 56) % shards]; }
  [[nodiscard]] const Shard& shard_of(std::uint64_t key) const { return shards_[(key >> 56) % shards]; }
  std::array<Shard, shards> shards_;
};

}  // namespace portcullis::guard
