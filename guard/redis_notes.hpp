// What was admitted without Redis' knowing, key by key, until it can be told: as much of a rate as has not been paid since, all
// of a window's. Bounded: when it is full, new keys are dropped and counted, and Redis forgets them as their own limiters do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "guard/redis_leases.hpp"

namespace portcullis::guard {

class RedisNotes {
 public:
  explicit RedisNotes(std::size_t keys_max) : keys_max_(keys_max) {}

  // How many were dropped. Nanoseconds of the steady clock.
  std::size_t note(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now);
  // At most `orders_max` keys, as soft charges; they are forgotten here.
  void take(std::int64_t now, std::size_t orders_max, std::vector<RedisOrder>& orders);
  // An order that was not answered: told again another time.
  void put_back(const RedisOrder& order, std::int64_t now);

 private:
  struct Note {
    std::uint64_t tenant = 0;
    RedisLimit limit;
    std::int64_t amount = 0;  // of a window: its units. Of a rate: the arrival time, in microseconds of the steady clock
    std::int64_t ends_at = 0;
  };
  bool add(std::uint64_t tenant, const RedisLimit& limit, std::int64_t now);  // locked

  const std::size_t keys_max_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Note> notes_;
};

}  // namespace portcullis::guard
