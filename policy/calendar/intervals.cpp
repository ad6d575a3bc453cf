#include "policy/calendar/intervals.hpp"

#include <algorithm>

#include "policy/calendar/business_days.hpp"
#include "policy/calendar/recurrence.hpp"
#include "policy/calendar/zone.hpp"

namespace portcullis::policy {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr days zone_reach{2};  // local days around an instant, whatever the zone

LocalSeconds at_time(sys_days day, LocalTime time) { return day + std::chrono::hours(time.hour) + std::chrono::minutes(time.minute); }

std::vector<Interval> windows_of(const BusinessDays& window, const Calendar& calendar, const Zone& zone, Instant begin, Instant end) {
  std::vector<Interval> out;
  const days reach = business_day_reach + zone_reach;
  const std::chrono::year_month_day from(std::chrono::floor<days>(begin) - reach);
  const sys_days until = std::chrono::floor<days>(end) + reach;
  for (std::chrono::year_month month = from.year() / from.month(); sys_days(month / 1) <= until; month += std::chrono::months(1)) {
    const sys_days first(month / 1);
    out.push_back({zone.instant_of(at_time(business_day(first, window.from, calendar.holidays), window.start)),
                   zone.instant_of(at_time(business_day(first, window.until, calendar.holidays), window.end))});
  }
  return out;
}

Result<std::vector<Interval>> windows_of(const Recurrence& recurrence, const Zone& zone, Instant begin, Instant end) {
  const auto rule = parse_recurrence(recurrence.rule);
  if (!rule) return tl::unexpected(rule.error());
  std::vector<Interval> out;
  const sys_days from = std::chrono::floor<days>(begin - recurrence.duration) - zone_reach;
  const sys_days until = std::chrono::floor<days>(end) + zone_reach;
  for (const sys_days day : recurrence_days(*rule, recurrence.since, from, until, intervals_max + 1)) {
    const Instant start = zone.instant_of(at_time(day, recurrence.start));
    out.push_back({start, start + recurrence.duration});
  }
  return out;
}

// Ascending, without what is empty or outside.
std::vector<Interval> merged(std::vector<Interval> windows, Instant begin, Instant end) {
  std::sort(windows.begin(), windows.end(), [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
  std::vector<Interval> out;
  for (const Interval& window : windows) {
    const Interval clipped{std::max(window.begin, begin), std::min(window.end, end)};
    if (clipped.begin >= clipped.end) continue;
    if (!out.empty() && clipped.begin <= out.back().end)
      out.back().end = std::max(out.back().end, clipped.end);
    else
      out.push_back(clipped);
  }
  return out;
}

}  // namespace

Result<std::vector<Interval>> intervals_of(const Calendar& calendar, const Period& period, std::string_view zone_name, Instant begin,
                                           Instant end) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return tl::unexpected(zone.error());
  if (begin >= end) return std::vector<Interval>{};
  if (end - begin > intervals_span_max)
    return fail(ErrorKind::limit_exceeded, "", "asked for the periods of more than 100 years at once (limit intervals_span_max)");
  std::vector<Interval> windows;
  if (const auto* business_days = std::get_if<BusinessDays>(&period.when)) {
    windows = windows_of(*business_days, calendar, *zone, begin, end);
  } else if (const auto* recurrence = std::get_if<Recurrence>(&period.when)) {
    auto found = windows_of(*recurrence, *zone, begin, end);
    if (!found) return tl::unexpected(found.error());
    windows = *std::move(found);
  } else if (const auto* span = std::get_if<LocalSpan>(&period.when)) {
    windows.push_back({zone->instant_of(span->from), zone->instant_of(span->until)});
  }
  if (windows.size() > intervals_max)
    return fail(ErrorKind::limit_exceeded, "", "found more than " + std::to_string(intervals_max) + " windows (limit intervals_max)");
  return merged(std::move(windows), begin, end);
}

}  // namespace portcullis::policy
