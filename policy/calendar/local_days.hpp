// The local day and month that an instant is in: what quotas count by. A day has 23 or 25 hours where the clock is set.
#pragma once

#include <string_view>

#include "policy/calendar/intervals.hpp"

namespace portcullis::policy {

// `zone` is one that documents take (is_zone); another one throws std::runtime_error. `at` is within what is given.
Interval local_day(std::string_view zone, Instant at);
Interval local_month(std::string_view zone, Instant at);

}  // namespace portcullis::policy
