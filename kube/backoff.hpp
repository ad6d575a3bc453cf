// How long to wait after a failure: 800 ms, doubled up to 2 s, each with up to as much again by chance; from the start again after
// two minutes without a failure. client-go goes up to 30 s, and so its users are a minute late when the API server is back; facts
// that a gate judges by must be right within 5 s, and some twenty resources asked for every 3 s are no load.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.hpp"

namespace portcullis::kube {

class Backoff {
 public:
  static constexpr std::chrono::milliseconds delay_min{800}, delay_max{2'000};
  static constexpr std::chrono::minutes healthy_time{2};

  // `chance`: in [0, 1).
  std::chrono::milliseconds next(Clock::time_point now, double chance) {
    if (now - last_ > healthy_time) delay_ = delay_min;
    last_ = now;
    const auto wait = delay_ + std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(delay_.count()) * chance));
    delay_ = std::min(delay_ * 2, delay_max);
    return wait;
  }
  void reset() { delay_ = delay_min; }

 private:
  std::chrono::milliseconds delay_ = delay_min;
  Clock::time_point last_{};
};

}  // namespace portcullis::kube
