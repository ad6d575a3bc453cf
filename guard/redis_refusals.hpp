// Keys that Redis has refused until some moment: until then they are refused here, which takes a flood off Redis, also where
// Redis has forgotten it meanwhile. Bounded; under more keys than it holds it forgets those that are over first, and then
// Redis is asked again, which is all it costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "guard/redis_script.hpp"

namespace portcullis::guard {

class RedisRefusals {
 public:
  explicit RedisRefusals(std::size_t keys_max);

  // `until` and `now`: nanoseconds of the steady clock.
  void remember(std::uint64_t tenant, const RedisLimit& limit, std::int64_t until);
  // How long `limit` has to wait as far as is known; 0: it is not known to be refused. A smaller step, or a wider limit (the
  // documents may have changed), than the one refused is nobody's to refuse here.
  std::int64_t wait(std::uint64_t tenant, const RedisLimit& limit, std::int64_t now);

 private:
  static constexpr std::size_t ways = 4;
  struct Entry {
    std::uint64_t id = 0;
    std::int64_t until = 0;
    std::int64_t step = 0;
    std::int64_t tolerance = 0;
  };
  Entry* bucket_of(std::uint64_t id) { return &entries_[(id >> 8U) % (entries_.size() / ways) * ways]; }

  std::mutex mutex_;  // held for a glance at one bucket
  std::vector<Entry> entries_;
};

}  // namespace portcullis::guard
