// Business days: Monday to Friday without holidays, counted around the end of a month.
#pragma once

#include <chrono>
#include <span>

namespace portcullis::policy {

// How far from the end of a month a business day is looked for. Where holidays leave too few, the last day looked at stands for
// it: a calendar that has a quarter of a year off is a slip of the hand.
inline constexpr std::chrono::days business_day_reach{100};

bool is_business_day(std::chrono::sys_days day, std::span<const std::chrono::sys_days> holidays);  // sorted

// The `number`th business day of the month that begins on `first`; -1 is the last one before it, 0 is none.
std::chrono::sys_days business_day(std::chrono::sys_days first, int number, std::span<const std::chrono::sys_days> holidays);

}  // namespace portcullis::policy
