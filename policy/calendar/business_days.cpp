#include "policy/calendar/business_days.hpp"

#include <algorithm>
#include <cstdlib>

namespace portcullis::policy {

using std::chrono::days;
using std::chrono::sys_days;

bool is_business_day(sys_days day, std::span<const sys_days> holidays) {
  const unsigned weekday = std::chrono::weekday(day).iso_encoding();
  return weekday <= 5 && !std::binary_search(holidays.begin(), holidays.end(), day);
}

sys_days business_day(sys_days first, int number, std::span<const sys_days> holidays) {
  const days step(number < 0 ? -1 : 1);
  sys_days day = number < 0 ? first - days(1) : first;
  for (int left = std::abs(number); day - first < business_day_reach && first - day < business_day_reach; day += step)
    if (is_business_day(day, holidays) && --left == 0) break;
  return day;
}

}  // namespace portcullis::policy
