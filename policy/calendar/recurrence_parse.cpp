#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string>

#include "base/text.hpp"
#include "policy/calendar/recurrence.hpp"

namespace portcullis::policy {
namespace {

using std::chrono::sys_days;
using std::chrono::weekday;
using Frequency = RecurrenceRule::Frequency;

constexpr std::array<std::string_view, 11> part_names{"FREQ",       "INTERVAL",  "COUNT",    "UNTIL",   "WKST",    "BYDAY",
                                                      "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"};
constexpr std::array<std::string_view, 4> frequency_names{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
constexpr std::array<std::string_view, 7> weekday_names{"SU", "MO", "TU", "WE", "TH", "FR", "SA"};  // as std::chrono counts them
constexpr std::string_view want_frequency = ", want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY";
constexpr int ordinal_max = 53;  // weeks of a year

std::string take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  std::string out(text.substr(0, end));
  text.remove_prefix(end == text.size() ? end : end + 1);
  return out;
}

std::optional<int> number(std::string_view text, bool with_sign) {
  if (with_sign && text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  if (!with_sign && text.starts_with('-')) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<weekday> weekday_of(std::string_view text) {
  const auto found = std::find(weekday_names.begin(), weekday_names.end(), text);
  if (found == weekday_names.end()) return std::nullopt;
  return weekday(static_cast<unsigned>(found - weekday_names.begin()));
}

std::optional<sys_days> date_of(std::string_view text) {
  if (text.size() != 8) return std::nullopt;
  const auto year = number(text.substr(0, 4), false), month = number(text.substr(4, 2), false), day = number(text.substr(6, 2), false);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date);
}

// A part that holds a list of numbers.
struct NumberPart {
  std::string_view name;
  int max;
  bool from_end;  // negative numbers count from the end
  std::vector<int> RecurrenceRule::*into;
  std::string_view want;
};
constexpr std::array<NumberPart, 5> number_parts{{
    {"BYMONTH", 12, false, &RecurrenceRule::by_month, "months from 1 to 12"},
    {"BYMONTHDAY", 31, true, &RecurrenceRule::by_month_day, "days of a month from 1 to 31, or from -31 to -1 from its end"},
    {"BYYEARDAY", 366, true, &RecurrenceRule::by_year_day, "days of a year from 1 to 366, or from -366 to -1 from its end"},
    {"BYWEEKNO", 53, true, &RecurrenceRule::by_week_no, "weeks of a year from 1 to 53, or from -53 to -1 from its end"},
    {"BYSETPOS", 366, true, &RecurrenceRule::by_set_pos, "positions from 1 to 366, or from -366 to -1 from the end"},
}};

class Parser {
 public:
  // What is wrong with the part; "" when it is taken.
  std::string take(const std::string& name, std::string_view value) {
    const std::string found = "found " + quoted(name + "=" + std::string(value));
    if (name == "FREQ") {
      const auto index = std::find(frequency_names.begin(), frequency_names.end(), value);
      const bool finer = value == "HOURLY" || value == "MINUTELY" || value == "SECONDLY";
      if (index == frequency_names.end())
        return found + std::string(want_frequency) + (finer ? ": `start` says the time of day" : did_you_mean(value, frequency_names));
      rule.frequency = static_cast<Frequency>(index - frequency_names.begin());
    } else if (name == "INTERVAL") {
      const auto interval = number(value, false);
      if (!interval || *interval < 1 || *interval > recurrence_interval_max)
        return found + ", want an interval from 1 to " + std::to_string(recurrence_interval_max);
      rule.interval = *interval;
    } else if (name == "COUNT") {
      const auto count = number(value, false);
      if (!count || *count < 1 || *count > recurrence_count_max)
        return found + ", want a count from 1 to " + std::to_string(recurrence_count_max);
      rule.count = count;
    } else if (name == "UNTIL") {
      rule.until = date_of(value);
      if (!rule.until) return found + ", want its last day such as UNTIL=20261231, without a time";
    } else if (name == "WKST") {
      const auto day = weekday_of(value);
      if (!day) return found + ", want a day: MO, TU, WE, TH, FR, SA or SU";
      rule.week_start = *day;
    } else if (name == "BYDAY") {
      return take_days(found, value);
    } else {
      return take_numbers(
          *std::find_if(number_parts.begin(), number_parts.end(), [&](const NumberPart& part) { return part.name == name; }), found, value);
    }
    return "";
  }

  // What is wrong with the parts together.
  [[nodiscard]] std::string together() const {
    const auto with = [&](std::string_view part, std::string_view rest) {
      return "found " + std::string(part) + " with FREQ=" + std::string(frequency_names[static_cast<std::size_t>(rule.frequency)]) +
             ", want it with " + std::string(rest);
    };
    const bool yearly = rule.frequency == Frequency::yearly, weekly = rule.frequency == Frequency::weekly;
    if (rule.count && rule.until) return "found COUNT beside UNTIL, want one of them";
    if (!yearly && !rule.by_week_no.empty()) return with("BYWEEKNO", "YEARLY only");
    if (!yearly && !rule.by_year_day.empty()) return with("BYYEARDAY", "YEARLY only");
    if (weekly && !rule.by_month_day.empty()) return with("BYMONTHDAY", "DAILY, MONTHLY or YEARLY only");
    const bool ordinal = std::any_of(rule.by_day.begin(), rule.by_day.end(), [](const auto& day) { return day.ordinal != 0; });
    if (ordinal && !yearly && rule.frequency != Frequency::monthly) return with("a number before a day of BYDAY", "MONTHLY or YEARLY only");
    if (ordinal && !rule.by_week_no.empty()) return "found a number before a day of BYDAY beside BYWEEKNO, want the day alone";
    const bool set = !rule.by_day.empty() || !rule.by_month.empty() || !rule.by_month_day.empty() || !rule.by_year_day.empty() ||
                     !rule.by_week_no.empty();
    if (!rule.by_set_pos.empty() && !set) return "found BYSETPOS alone, want another part beside it whose days it picks from";
    return "";
  }

  RecurrenceRule rule;

 private:
  std::string take_days(const std::string& found, std::string_view value) {
    constexpr const char* want = ", want days such as MO,TU, or 1MO and -1FR for the first and last of a month";
    if (value.empty() || value.ends_with(',')) return found + want;
    while (!value.empty()) {
      const std::string item = take_until(value, ',');
      if (item.size() < 2) return found + want;
      const auto day = weekday_of(std::string_view(item).substr(item.size() - 2));
      const std::string_view before = std::string_view(item).substr(0, item.size() - 2);
      const auto ordinal = before.empty() ? std::optional(0) : number(before, true);
      if (!day || !ordinal || std::abs(*ordinal) > ordinal_max || (*ordinal == 0 && !before.empty())) return found + want;
      if (rule.by_day.size() == recurrence_values_max) return too_many("BYDAY");
      rule.by_day.push_back({*day, *ordinal});
    }
    return "";
  }

  std::string take_numbers(const NumberPart& part, const std::string& found, std::string_view value) {
    if (value.empty() || value.ends_with(',')) return found + ", want " + std::string(part.want);
    while (!value.empty()) {
      const std::string item = take_until(value, ',');
      const auto each = number(item, part.from_end);
      if (!each || *each == 0 || std::abs(*each) > part.max || (*each < 0 && !part.from_end))
        return found + ", want " + std::string(part.want);
      if ((rule.*part.into).size() == recurrence_values_max) return too_many(part.name);
      (rule.*part.into).push_back(*each);
    }
    return "";
  }

  static std::string too_many(std::string_view part) {
    return "found more than " + std::to_string(recurrence_values_max) + " values in " + std::string(part) + ", want at most so many";
  }
};

}  // namespace

Result<RecurrenceRule> parse_recurrence(std::string_view text) {
  if (text.size() > recurrence_bytes_max)
    return fail(ErrorKind::limit_exceeded, "",
                "found " + std::to_string(text.size()) + " bytes, want a recurrence of at most " + std::to_string(recurrence_bytes_max));
  Parser parser;
  std::set<std::string> seen;
  while (!text.empty()) {
    std::string_view part_left = text;
    const std::string part = take_until(part_left, ';');
    const bool trailing = part_left.empty() && text.ends_with(';');
    text = part_left;
    std::string_view value = part;
    const std::string name = take_until(value, '=');
    if (part.find('=') == std::string::npos || trailing)
      return fail(ErrorKind::invalid, "",
                  "found " + quoted(trailing ? part + ";" : part) + ", want parts NAME=VALUE with `;` between them");
    if (name == "BYHOUR" || name == "BYMINUTE" || name == "BYSECOND")
      return fail(ErrorKind::invalid, "", "found " + quoted(name) + ", want it left out: `start` says the time of day");
    if (std::find(part_names.begin(), part_names.end(), name) == part_names.end()) {
      std::string want;
      for (const std::string_view each : part_names)
        want += std::string(want.empty() ? "" : each == part_names.back() ? " or " : ", ") + std::string(each);
      return fail(ErrorKind::invalid, "", "found the unknown part " + quoted(name) + ", want " + want + did_you_mean(name, part_names));
    }
    if (!seen.insert(name).second) return fail(ErrorKind::invalid, "", "found " + quoted(name) + " a second time, want each part once");
    if (std::string refused = parser.take(name, value); !refused.empty()) return fail(ErrorKind::invalid, "", std::move(refused));
  }
  if (!seen.contains("FREQ")) return fail(ErrorKind::invalid, "", "found no FREQ" + std::string(want_frequency));
  if (std::string refused = parser.together(); !refused.empty()) return fail(ErrorKind::invalid, "", std::move(refused));
  return std::move(parser.rule);
}

}  // namespace portcullis::policy
