#include "guard/pool.hpp"

#include <algorithm>

#include "guard/siphash.hpp"

namespace portcullis::guard {
namespace {
constexpr double second = 1e9;
constexpr std::int64_t count_every = 100'000'000, never = INT64_MIN / 2;
}  // namespace

Pool::Pool(std::string name, double capacity, std::vector<double> weights)
    : name_(std::move(name)),
      id_(siphash(SipKey{}, name_)),
      capacity_(capacity),
      weights_(std::move(weights)),
      seen_(std::make_unique<std::atomic<std::int64_t>[]>(weights_.size())) {
  for (std::size_t member = 0; member < weights_.size(); ++member) seen_[member].store(never, std::memory_order_relaxed);
}

Gcra Pool::whole(unsigned replicas) const { return Gcra::make(capacity_, second, capacity_ * pool_burst_seconds, 1.0 / replicas); }

Gcra Pool::part_of(std::size_t member, unsigned replicas, std::int64_t now) {
  const std::int64_t before = seen_[member].exchange(now, std::memory_order_relaxed);
  std::int64_t due = next_count_.load(std::memory_order_relaxed);
  // Counted anew when somebody comes back, and now and then for those who left.
  if (before <= now - pool_active_nanoseconds ||
      (now >= due && next_count_.compare_exchange_strong(due, now + count_every, std::memory_order_relaxed))) {
    double weight = 0;
    for (std::size_t other = 0; other < weights_.size(); ++other) {
      if (seen_[other].load(std::memory_order_relaxed) > now - pool_active_nanoseconds) weight += weights_[other];
    }
    active_weight_.store(weight, std::memory_order_relaxed);
  }
  const double share = capacity_ * weights_[member] / std::max(active_weight_.load(std::memory_order_relaxed), weights_[member]);
  return Gcra::make(share, second, share * pool_burst_seconds, 1.0 / replicas);
}

}  // namespace portcullis::guard
