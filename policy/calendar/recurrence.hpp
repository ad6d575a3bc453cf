// RFC 5545 3.3.10 recurrence rules by the day: FREQ=DAILY to YEARLY with every part but BYHOUR, BYMINUTE and BYSECOND; the time
// of day is said elsewhere. Read strictly, and evaluated by asking each day of a period whether the rule falls on it, so that
// the time it takes is bounded by the days asked for, also for a rule that never comes. (libical's iterator looks until the
// year 2582 for such a rule, a third of a second; tests/policy/recurrence_test.cpp holds this one against it.)
//
// What a rule leaves open comes from the day that it counts from, as from DTSTART: the weekday of FREQ=WEEKLY, the day of
// FREQ=MONTHLY, the period that INTERVAL begins with. That day itself is no occurrence unless the rule falls on it.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace portcullis::policy {

struct RecurrenceRule {
  enum class Frequency { daily, weekly, monthly, yearly };
  struct Day {
    std::chrono::weekday weekday;
    int ordinal = 0;  // of the month or year, negative from its end; 0: each
  };
  Frequency frequency = Frequency::daily;
  int interval = 1;
  std::optional<int> count;
  std::optional<std::chrono::sys_days> until;  // the last day it may fall on
  std::chrono::weekday week_start = std::chrono::Monday;
  std::vector<Day> by_day;
  std::vector<int> by_month, by_month_day, by_year_day, by_week_no, by_set_pos;
};

inline constexpr std::size_t recurrence_bytes_max = 512;
inline constexpr std::size_t recurrence_values_max = 64;  // of one part: each day is held against each
inline constexpr int recurrence_interval_max = 366;
inline constexpr int recurrence_count_max = 10'000;

// Errors have no place.
Result<RecurrenceRule> parse_recurrence(std::string_view text);

// The days from `from` to before `until` that the rule falls on, counted from `since`, ascending; after `days_max` of them no
// more are looked for. The work is bounded by the days from `from` to `until`, and by those from `since` for a rule with COUNT.
std::vector<std::chrono::sys_days> recurrence_days(const RecurrenceRule& rule, std::chrono::sys_days since, std::chrono::sys_days from,
                                                   std::chrono::sys_days until, std::size_t days_max);

}  // namespace portcullis::policy
