#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "policy/calendar/recurrence.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"
#include "policy/document/readers.hpp"

namespace portcullis::policy {
namespace {

constexpr std::chrono::seconds period_duration_max = std::chrono::hours(24 * 31);
constexpr std::chrono::days recurrence_reach{366 * 100};  // a rule that brings no day for so long brings none

enum class Midnight { begins, ends };  // may `24:00` be written?

LocalTime read_time(const Cursor& at, Midnight midnight) {
  const std::string_view want = midnight == Midnight::ends ? "a local time from 00:00 to 24:00, such as \"08:00\""
                                                           : "a local time from 00:00 to 23:59, such as \"05:00\"";
  const auto text = at.text(want);
  if (!text) return {};
  const auto time = parse_local_time(*text);
  if (time && (midnight == Midnight::ends || time->hour < 24)) return *time;
  at.refuse(want);
  return {};
}

std::optional<std::chrono::sys_days> read_date(const Cursor& at) {
  constexpr std::string_view want = "a date such as 2026-12-25";
  const auto text = at.text(want);
  if (!text) return std::nullopt;
  const auto date = parse_date(*text);
  if (!date) at.refuse(want);
  return date;
}

std::optional<std::chrono::sys_seconds> read_local_instant(const Cursor& at) {
  constexpr std::string_view want = "a local time such as 2026-11-20T00:00, without an offset";
  const auto text = at.text(want);
  if (!text) return std::nullopt;
  const auto local = parse_local_instant(*text);
  if (!local) at.refuse(want);
  return local;
}

BusinessDays read_business_days(const Cursor& at) {
  BusinessDays out;
  const Cursor window = at["businessDays"];
  if (window.mapping(fields::business_days)) {
    out.from = static_cast<int>(
        window["from"].integer(days_before_range, "a business day from -20 to -1, the last of a month").value_or(out.from));
    out.until = static_cast<int>(
        window["until"].integer(days_after_range, "a business day from 1, the first of the next month, to 20").value_or(out.until));
  }
  out.start = read_time(at["start"], Midnight::begins);
  out.end = read_time(at["end"], Midnight::ends);
  return out;
}

Recurrence read_recurrence(const Cursor& at) {
  Recurrence out;
  if (at["since"].present()) out.since = read_date(at["since"]).value_or(out.since);
  const Cursor rule = at["recurrence"];
  if (const auto text = rule.text("an RRULE of RFC 5545 such as FREQ=WEEKLY;BYDAY=MO,TU")) {
    out.rule = *text;
    const auto parsed = parse_recurrence(*text);
    if (!parsed)
      rule.say(parsed.error().what, parsed.error().kind);
    else if (recurrence_days(*parsed, out.since, out.since, out.since + recurrence_reach, 1).empty())
      rule.say("found " + quoted(*text) + ", which falls on no day; want a recurrence that comes");
  }
  out.start = read_time(at["start"], Midnight::begins);
  out.duration = read_duration(at["duration"], period_duration_max).value_or(out.duration);
  return out;
}

LocalSpan read_span(const Cursor& at) {
  LocalSpan out;
  const auto from = read_local_instant(at["from"]), until = read_local_instant(at["until"]);
  if (!from || !until) return out;
  out = {*from, *until};
  if (out.until <= out.from) at["until"].say("found " + quoted(at["until"].node()->text) + ", want a local time after `from`");
  return out;
}

// Fields that stand beside another one than the one that says when.
void refuse_strays(const Cursor& at, std::string_view said) {
  for (const Field& field : fields::period.fields) {
    if (field.beside.empty() || !at[field.name].present()) continue;
    if (std::find(field.beside.begin(), field.beside.end(), said) == field.beside.end())
      at[field.name].say("found `" + std::string(field.name) + "` beside `" + std::string(said) + "`, want it beside " +
                         one_of(field.beside) + " only");
  }
}

Period read_period(const Cursor& at, NamesSeen& seen) {
  Period out;
  out.place = at.place();
  if (!at.mapping(fields::period)) return out;
  out.name = read_name_once(at["name"], "period", seen);
  std::string_view said;
  for (const std::string_view each : fields::period.one_of) {
    if (!at[each].present()) continue;
    if (!said.empty()) {
      at[each].say("found `" + std::string(each) + "` beside `" + std::string(said) + "`, want one of them");
      return out;
    }
    said = each;
  }
  if (said.empty()) {
    at.say("found no word of when this period is, want " + one_of(fields::period.one_of));
    return out;
  }
  refuse_strays(at, said);
  if (said == "businessDays")
    out.when = read_business_days(at);
  else if (said == "recurrence")
    out.when = read_recurrence(at);
  else
    out.when = read_span(at);
  return out;
}

std::vector<std::chrono::sys_days> read_holidays(const Cursor& at) {
  std::set<std::chrono::sys_days> days;
  const auto items = at.list("a list of dates", Cursor::Empty::taken);
  for (const Cursor& item : items)
    if (const auto date = read_date(item); date && !days.insert(*date).second)
      item.say("found the date " + quoted(item.node()->text) + " a second time, want each once");
  refuse_above(at, items.size(), holidays_range, "holidays");
  return {days.begin(), days.end()};
}

}  // namespace

void decode_calendar(const Cursor& spec, Calendar& out) {
  if (!spec.mapping(fields::calendar)) return;
  constexpr std::string_view want_zone = "an IANA time zone such as Europe/Zurich, or `tenant` for each tenant's own";
  if (const auto zone = spec["timeZone"].text(want_zone); zone && *zone != "tenant") {
    out.time_zone = *zone;
    if (!is_zone(*zone)) spec["timeZone"].refuse(want_zone, near_zone(*zone));
  }
  if (spec["holidays"].present()) out.holidays = read_holidays(spec["holidays"]);
  if (const Cursor periods = spec["periods"]; periods.present()) {
    NamesSeen seen;
    for (const Cursor& item : periods.list("a list of periods, each with its `name`", Cursor::Empty::taken))
      out.periods.push_back(read_period(item, seen));
    refuse_above(periods, out.periods.size(), periods_range, "periods");
  }
}

}  // namespace portcullis::policy
