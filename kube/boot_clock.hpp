// A clock that goes on while the machine sleeps (CLOCK_BOOTTIME): who held a lease before a suspension does not hold it after it.
#pragma once

#include <chrono>
#include <ctime>

namespace portcullis::kube {

struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  static time_point now() {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
};

}  // namespace portcullis::kube
