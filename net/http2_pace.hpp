// Whether an HTTP/2 peer costs more than it asks for: counts, a clock handed in, no frames.
//
// - Streams that end before their whole answer has left, whoever ended them: rapid reset (CVE-2023-44487) and its turn
//   (CVE-2025-8671), where bad frames make the server do the resetting.
// - Frames that carry no request: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA (CVE-2019-9512, -9515, -9517, -9518).
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.hpp"

namespace portcullis::net {

class Http2Pace {
 public:
  static constexpr std::uint64_t cut_short_per_second_max = 100;
  static constexpr std::uint64_t streams_before_ratio = 500;  // then: at most half of all streams may be cut short
  static constexpr std::uint64_t control_frames_per_second_max = 500;
  static constexpr std::uint64_t control_frames_per_stream = 8;  // on top, for each stream opened in that second
  static constexpr std::chrono::seconds soon{1};                 // a stream that lives longer was not opened to be reset

  void stream_opened(Clock::time_point now) {
    roll(now);
    ++opened_;
    ++opened_lately_;
  }
  void stream_cut_short(Clock::time_point opened, Clock::time_point now) {
    roll(now);
    ++cut_short_lately_;
    if (now - opened <= soon) ++cut_short_soon_;
  }
  void control_frame(Clock::time_point now) {
    roll(now);
    ++control_frames_lately_;
  }
  [[nodiscard]] bool is_abusive() const {
    return cut_short_lately_ > cut_short_per_second_max || (opened_ >= streams_before_ratio && cut_short_soon_ * 2 > opened_) ||
           control_frames_lately_ > control_frames_per_second_max + control_frames_per_stream * opened_lately_;
  }

 private:
  void roll(Clock::time_point now) {
    if (now - second_began_ < std::chrono::seconds(1)) return;
    second_began_ = now;
    opened_lately_ = cut_short_lately_ = control_frames_lately_ = 0;
  }

  Clock::time_point second_began_{};
  std::uint64_t opened_ = 0, cut_short_soon_ = 0;
  std::uint64_t opened_lately_ = 0, cut_short_lately_ = 0, control_frames_lately_ = 0;
};

}  // namespace portcullis::net
