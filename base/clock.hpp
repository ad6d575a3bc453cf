// Time as the rest of the program speaks of it. Timeouts, limiters and deadlines use the steady clock; only documents
// (validFrom, expiresAt) and records use wall time.
#pragma once

#include <chrono>

namespace portcullis {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;  // a point in time, handed down and never restarted
using WallClock = std::chrono::system_clock;
using Instant = std::chrono::sys_seconds;  // wall time as documents write it, UTC

}  // namespace portcullis
