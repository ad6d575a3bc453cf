// When the periods of a Calendar hold, as instants. Pure: no clock is asked.
//
// Windows are computed in local time and half-open. A local time that daylight saving skips is the instant at which the clock
// is set, one that it repeats the first of the two; the duration of a recurrence is elapsed time from its local start. Holidays
// count for business days alone.
#pragma once

#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::policy {

struct Interval {
  Instant begin, end;  // half-open
  bool operator==(const Interval&) const = default;
};

inline constexpr std::chrono::days intervals_span_max{366 * 100};  // that can be asked for at once
inline constexpr std::size_t intervals_max = 20'000;               // windows of one call, before they are merged: 54 years of days

// When `period` holds from `begin` to before `end`: clipped to it, ascending, those that touch or overlap merged. `zone` is the
// calendar's, or the tenant's where the calendar has none. Errors have no place: an unknown zone, a bound above that was passed.
Result<std::vector<Interval>> intervals_of(const Calendar& calendar, const Period& period, std::string_view zone, Instant begin,
                                           Instant end);

}  // namespace portcullis::policy
