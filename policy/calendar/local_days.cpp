#include "policy/calendar/local_days.hpp"

#include <stdexcept>
#include <string>

#include "policy/calendar/zone.hpp"

namespace portcullis::policy {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

Zone zone_of(std::string_view name) {
  const auto zone = Zone::find(name);
  if (!zone) throw std::runtime_error(zone.error().what);
  return *zone;
}

sys_days local_date(const Zone& zone, Instant at) { return std::chrono::floor<days>(zone.local_of(at)); }

}  // namespace

Interval local_day(std::string_view zone_name, Instant at) {
  const Zone zone = zone_of(zone_name);
  sys_days day = local_date(zone, at);
  // A clock that is set back over midnight shows the end of the day before once more.
  if (at >= zone.instant_of(day + days(1))) day += days(1);
  return {zone.instant_of(day), zone.instant_of(day + days(1))};
}

Interval local_month(std::string_view zone_name, Instant at) {
  const Zone zone = zone_of(zone_name);
  const std::chrono::year_month_day date(local_date(zone, local_day(zone_name, at).begin));
  const std::chrono::year_month month = date.year() / date.month();
  return {zone.instant_of(sys_days(month / 1)), zone.instant_of(sys_days((month + std::chrono::months(1)) / 1))};
}

}  // namespace portcullis::policy
