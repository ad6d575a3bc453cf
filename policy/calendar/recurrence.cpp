#include "policy/calendar/recurrence.hpp"

#include <algorithm>
#include <cstdlib>

namespace portcullis::policy {
namespace {

using std::chrono::days;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month;
using std::chrono::year_month_day;
using Frequency = RecurrenceRule::Frequency;

// What the rule leaves open, from the day it counts from.
RecurrenceRule completed(RecurrenceRule rule, sys_days since) {
  const year_month_day date(since);
  const int day = static_cast<int>(static_cast<unsigned>(date.day()));
  const bool no_day = rule.by_day.empty() && rule.by_month_day.empty() && rule.by_year_day.empty();
  if (!no_day) return rule;
  if (rule.frequency == Frequency::weekly || !rule.by_week_no.empty()) {
    rule.by_day.push_back({std::chrono::weekday(since), 0});
  } else if (rule.frequency == Frequency::monthly) {
    rule.by_month_day.push_back(day);
  } else if (rule.frequency == Frequency::yearly) {
    rule.by_month_day.push_back(day);
    if (rule.by_month.empty()) rule.by_month.push_back(static_cast<int>(static_cast<unsigned>(date.month())));
  }
  return rule;
}

sys_days week_of(sys_days day, std::chrono::weekday start) { return day - (std::chrono::weekday(day) - start); }

// Week 1 of a year is the first with at least four of its days: the one that holds the 4th of January.
sys_days first_week(year y, std::chrono::weekday start) { return week_of(sys_days(y / 1 / 4), start); }

year week_year(sys_days day, std::chrono::weekday start) {
  const year y = year_month_day(day).year();
  if (day < first_week(y, start)) return y - std::chrono::years(1);
  if (day >= first_week(y + std::chrono::years(1), start)) return y + std::chrono::years(1);
  return y;
}

struct Span {  // half-open
  sys_days begin, end;
};

// The periods of a rule: days, weeks, months, years or years of weeks, the first one the one that holds `since`.
class Periods {
 public:
  Periods(const RecurrenceRule& rule, sys_days since) : rule_(rule), since_(since) {}

  // `index` periods after the first, whatever the interval.
  [[nodiscard]] Span at(int index) const {
    const year_month_day first(since_);
    switch (rule_.frequency) {
      case Frequency::daily:
        return {since_ + days(index), since_ + days(index + 1)};
      case Frequency::weekly: {
        const sys_days begin = week_of(since_, rule_.week_start) + days(7) * index;
        return {begin, begin + days(7)};
      }
      case Frequency::monthly: {
        const year_month begin = first.year() / first.month() + std::chrono::months(index);
        return {sys_days(begin / 1), sys_days((begin + std::chrono::months(1)) / 1)};
      }
      case Frequency::yearly:
        break;
    }
    const year begin = first_year() + std::chrono::years(index), end = begin + std::chrono::years(1);
    if (!rule_.by_week_no.empty()) return {first_week(begin, rule_.week_start), first_week(end, rule_.week_start)};
    return {sys_days(begin / 1 / 1), sys_days(end / 1 / 1)};
  }

  // At most that of the period that holds `day`, which is not before `since`, and at most two before it.
  [[nodiscard]] int index_before(sys_days day) const {
    const int apart = static_cast<int>((day - since_).count());
    switch (rule_.frequency) {
      case Frequency::daily:
        return apart;
      case Frequency::weekly:
        return apart / 7;
      case Frequency::monthly: {
        const year_month_day first(since_), last(day);
        return static_cast<int>((last.year() / last.month() - first.year() / first.month()).count());
      }
      case Frequency::yearly:
        break;
    }
    return std::max(0, static_cast<int>((year_month_day(day).year() - first_year()).count()) - 1);
  }

 private:
  [[nodiscard]] year first_year() const {
    return rule_.by_week_no.empty() ? year_month_day(since_).year() : week_year(since_, rule_.week_start);
  }

  const RecurrenceRule& rule_;
  sys_days since_;
};

// Is the `position`th of `size`, counted from 1, among `wanted`, which count from the end where negative?
bool among(const std::vector<int>& wanted, int position, int size) {
  return std::any_of(wanted.begin(), wanted.end(), [&](int each) { return each > 0 ? each == position : size + 1 + each == position; });
}

// Does the rule fall on this day of the period? BYSETPOS apart.
bool falls_on(const RecurrenceRule& rule, sys_days day, const Span& period) {
  const year_month_day date(day);
  const int month_day = static_cast<int>(static_cast<unsigned>(date.day()));
  const int month_size = static_cast<int>(static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day()));
  if (!rule.by_month.empty() &&
      std::find(rule.by_month.begin(), rule.by_month.end(), static_cast<int>(static_cast<unsigned>(date.month()))) == rule.by_month.end())
    return false;
  if (!rule.by_month_day.empty() && !among(rule.by_month_day, month_day, month_size)) return false;
  const int year_day = static_cast<int>((day - sys_days(date.year() / 1 / 1)).count()) + 1;
  const int year_size = date.year().is_leap() ? 366 : 365;
  if (!rule.by_year_day.empty() && !among(rule.by_year_day, year_day, year_size)) return false;
  if (!rule.by_week_no.empty()) {
    const int week = static_cast<int>((day - period.begin).count()) / 7 + 1;
    if (!among(rule.by_week_no, week, static_cast<int>((period.end - period.begin).count()) / 7)) return false;
  }
  if (rule.by_day.empty()) return true;
  // RFC 5545: a number counts within the month, of FREQ=YEARLY without BYMONTH within the year.
  const bool in_year = rule.frequency == Frequency::yearly && rule.by_month.empty();
  const int position = in_year ? year_day : month_day, size = in_year ? year_size : month_size;
  const std::chrono::weekday weekday(day);
  return std::any_of(rule.by_day.begin(), rule.by_day.end(), [&](const RecurrenceRule::Day& each) {
    if (each.weekday != weekday) return false;
    if (each.ordinal == 0) return true;
    return each.ordinal > 0 ? (position - 1) / 7 + 1 == each.ordinal : (size - position) / 7 + 1 == -each.ordinal;
  });
}

std::vector<sys_days> days_of_period(const RecurrenceRule& rule, const Span& period) {
  std::vector<sys_days> all;
  for (sys_days day = period.begin; day < period.end; day += days(1))
    if (falls_on(rule, day, period)) all.push_back(day);
  if (rule.by_set_pos.empty()) return all;
  std::vector<sys_days> picked;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (among(rule.by_set_pos, static_cast<int>(i) + 1, static_cast<int>(all.size()))) picked.push_back(all[i]);
  return picked;
}

}  // namespace

std::vector<sys_days> recurrence_days(const RecurrenceRule& given, sys_days since, sys_days from, sys_days until, std::size_t days_max) {
  const RecurrenceRule rule = completed(given, since);
  const Periods periods(rule, since);
  std::vector<sys_days> out;
  int before = 0;  // occurrences so far, which COUNT bounds
  int index = rule.count || from <= since ? 0 : periods.index_before(from);
  index -= index % rule.interval;
  for (;; index += rule.interval) {
    const Span period = periods.at(index);
    if (period.begin >= until || (rule.until && period.begin > *rule.until)) return out;
    for (const sys_days day : days_of_period(rule, period)) {
      if (day < since) continue;
      if (day >= until || (rule.until && day > *rule.until) || (rule.count && before == *rule.count)) return out;
      ++before;
      if (day < from) continue;
      if (out.size() == days_max) return out;
      out.push_back(day);
    }
    if (rule.count && before == *rule.count) return out;
  }
}

}  // namespace portcullis::policy
