// Time as the rest of the program speaks of it. Timeouts, limiters and deadlines use the steady clock; only documents
// (validFrom, expiresAt) and records use wall time.
#pragma once

#include <chrono>
#include <cstdint>

namespace portcullis {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;  // a point in time, handed down and never restarted
// The steady clock as limits count it: nanoseconds since it began.
inline std::int64_t steady_nanoseconds(Clock::time_point when) { return std::chrono::nanoseconds(when.time_since_epoch()).count(); }
using WallClock = std::chrono::system_clock;
using Instant = std::chrono::sys_seconds;  // wall time as documents write it, UTC

}  // namespace portcullis
