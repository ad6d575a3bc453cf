// Capacity that several tenants share: who asks for it now gets its part by weight, and what the others leave is for all.
//
// Weighted fair sharing as of generalised processor sharing (Parekh, Gallager 1993), in the form that a gate can have: a
// tenant's own bucket runs at capacity * weight / weights of the tenants that are active, and what passes it is always let
// in; what does not is let in as long as the pool's bucket, which everything is charged to, has room. So together they get
// the capacity and a burst, one that asks for more than its part gets what is left, and none gets less than its part because
// of another.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "guard/limiter.hpp"

namespace portcullis::guard {

inline constexpr std::int64_t pool_active_nanoseconds = 2'000'000'000;  // who asked within that is active
inline constexpr double pool_burst_seconds = 2;

class Pool {
 public:
  // `capacity` requests (by cost) a second; weights of its tenants, above 0.
  Pool(std::string name, double capacity, std::vector<double> weights);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  // What one of `replicas` has of the capacity.
  [[nodiscard]] Gcra whole(unsigned replicas) const;
  // The part of that of tenant `member` at `now`, which makes it active. Any thread.
  Gcra part_of(std::size_t member, unsigned replicas, std::int64_t now);

 private:
  std::string name_;
  std::uint64_t id_;
  double capacity_;
  std::vector<double> weights_;
  std::unique_ptr<std::atomic<std::int64_t>[]> seen_;
  std::atomic<double> active_weight_{0};
  std::atomic<std::int64_t> next_count_{0};
};

}  // namespace portcullis::guard
