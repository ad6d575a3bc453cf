// Calendars: what is taken, and every refusal as its author reads it.
#include <string>
#include <vector>

#include "policy/document/formats.hpp"
#include "policy/document/load.hpp"
#include "tests/catch.hpp"
#include "tests/policy/document_text.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using portcullis::policy::testing::document;

namespace {

auto load(const std::string& spec) {
  return load_documents(
      {{"a.yaml", document("Platform", "hoster", "{environments: [production]}")}, {"c.yaml", document("Calendar", "finance", spec)}});
}

Calendar taken(const std::string& spec) { return testing::taken_from(load(spec)).calendars.at(0); }

std::string told(const std::string& spec) { return testing::told_of(load(spec)); }

struct Case {
  std::string text, told;
};

}  // namespace

TEST_CASE("a Calendar", "[policy][document][calendar]") {
  const Calendar calendar = taken(R"(
  timeZone: tenant
  holidays: [2027-01-01, 2026-12-25]
  periods:
    - {name: month-end-close, businessDays: {from: -2, until: 5}, start: "18:00", end: "24:00"}
    - {name: morning, recurrence: "FREQ=WEEKLY;BYDAY=MO,TU", start: "05:00", duration: PT4H}
    - {name: odd-weeks, recurrence: "FREQ=WEEKLY;INTERVAL=2", since: 2026-01-05, start: "00:00", duration: P1D}
    - {name: peak-season, from: 2026-11-20T00:00, until: 2027-01-07T06:00})");
  CHECK(calendar.name == "finance");
  CHECK(calendar.time_zone.empty());
  REQUIRE(calendar.holidays.size() == 2);
  CHECK(calendar.holidays[0] == parse_date("2026-12-25"));  // sorted
  REQUIRE(calendar.periods.size() == 4);
  CHECK(calendar.periods[0].name == "month-end-close");
  const auto& close = std::get<BusinessDays>(calendar.periods[0].when);
  CHECK(close.from == -2);
  CHECK(close.until == 5);
  CHECK(close.start.hour == 18);
  CHECK(close.end.hour == 24);
  const auto& morning = std::get<Recurrence>(calendar.periods[1].when);
  CHECK(morning.rule == "FREQ=WEEKLY;BYDAY=MO,TU");
  CHECK(morning.start.hour == 5);
  CHECK(morning.duration == std::chrono::hours(4));
  CHECK(morning.since == *parse_date("2000-01-03"));
  CHECK(std::get<Recurrence>(calendar.periods[2].when).since == *parse_date("2026-01-05"));
  const auto& peak = std::get<LocalSpan>(calendar.periods[3].when);
  CHECK(peak.from == *parse_local_instant("2026-11-20T00:00"));
  CHECK(peak.until == *parse_local_instant("2027-01-07T06:00"));
  CHECK(taken("{timeZone: Europe/Zurich}").time_zone == "Europe/Zurich");
  CHECK(taken("{timeZone: UTC, holidays: [], periods: []}").periods.empty());
}

TEST_CASE("refusals of a Calendar", "[policy][document][calendar]") {
  const std::string zone = ", want an IANA time zone such as Europe/Zurich, or `tenant` for each tenant's own";
  const std::vector<Case> cases{
      {"{}", "spec.timeZone: found nothing" + zone},
      {"{timeZone: tenants}", "spec.timeZone: found `tenants`" + zone},
      {"{timeZone: Europe/Zurch}", "spec.timeZone: found `Europe/Zurch`" + zone + " (did you mean `Europe/Zurich`?)"},
      {"{timeZone: UTC, freezes: []}",
       "spec.freezes: found `freezes`, which comes with a later version of Portcullis; leave it out until then"},
      {"{timeZone: UTC, holiday: []}",
       "spec.holiday: found the unknown field `holiday`, want timeZone, holidays or periods (did you mean `holidays`?)"},
      {"{timeZone: UTC, holidays: [2026-02-29, 2026-12-25T00:00, 20261225, 2026-12-25, 2026-12-25]}",
       "spec.holidays[0]: found `2026-02-29`, want a date such as 2026-12-25\n"
       "spec.holidays[1]: found `2026-12-25T00:00`, want a date such as 2026-12-25\n"
       "spec.holidays[2]: found `20261225` (an integer), want a date such as 2026-12-25; quote it to make it text\n"
       "spec.holidays[4]: found the date `2026-12-25` a second time, want each once"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told(c.text) == c.told);
    }
  std::string holidays;
  for (int i = 0; i < 1'001; ++i) {
    const std::chrono::year_month_day date(*parse_date("2026-01-01") + std::chrono::days(i));
    const auto two = [](unsigned number) { return (number < 10 ? "0" : "") + std::to_string(number); };
    holidays += (i == 0 ? "" : ", ") + std::to_string(static_cast<int>(date.year())) + "-" + two(static_cast<unsigned>(date.month())) +
                "-" + two(static_cast<unsigned>(date.day()));
  }
  CHECK(told("{timeZone: UTC, holidays: [" + holidays + "]}") == "spec.holidays: found 1001 holidays, want at most 1000");
}

TEST_CASE("refusals of a period", "[policy][document][calendar]") {
  const std::string start = "a local time from 00:00 to 23:59, such as \"05:00\"",
                    end = "a local time from 00:00 to 24:00, such as \"08:00\"";
  const std::vector<Case> cases{
      {"{}",
       "spec.periods[0].name: found nothing, want the period's name, a DNS label\n"
       "spec.periods[0]: found no word of when this period is, want businessDays, recurrence or from"},
      {"{name: a, businessDays: {}}",
       "spec.periods[0].start: found nothing, want " + start + "\nspec.periods[0].end: found nothing, want " + end +
           "\nspec.periods[0].businessDays.from: found nothing, want a business day from -20 to -1, the last of a month\n"
           "spec.periods[0].businessDays.until: found nothing, want a business day from 1, the first of the next month, to 20"},
      {"{name: a, businessDays: {from: 2, until: 0}, start: \"24:00\", end: \"24:01\"}",
       "spec.periods[0].businessDays.from: found `2` (an integer), want a business day from -20 to -1, the last of a month\n"
       "spec.periods[0].businessDays.until: found `0` (an integer), want a business day from 1, the first of the next month, to 20\n"
       "spec.periods[0].start: found `24:00`, want " +
           start + "\nspec.periods[0].end: found `24:01`, want " + end},
      {"{name: a, recurrence: FREQ=DAILY, start: 5:00, duration: P32D}",
       "spec.periods[0].start: found `5:00`, want " + start +
           "\nspec.periods[0].duration: found `P32D`, want a duration such as PT15M or 2h, at most P31D"},
      {"{name: a, recurrence: FREQ=HOURLY}",
       "spec.periods[0].start: found nothing, want " + start +
           "\nspec.periods[0].duration: found nothing, want a duration such as PT15M or 2h, at most P31D\n"
           "spec.periods[0].recurrence: found `FREQ=HOURLY`, want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY: `start` says the time of day"},
      {"{name: a, recurrence: \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\", start: \"05:00\", duration: PT1H}",
       "spec.periods[0].recurrence: found `FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30`, which falls on no day; want a recurrence that comes"},
      {"{name: a, recurrence: \"FREQ=DAILY;UNTIL=20251231\", since: 2026-01-01, start: \"05:00\", duration: PT1H}",
       "spec.periods[0].recurrence: found `FREQ=DAILY;UNTIL=20251231`, which falls on no day; want a recurrence that comes"},
      {"{name: a, recurrence: FREQ=DAILY, since: tomorrow, start: \"05:00\", duration: PT1H}",
       "spec.periods[0].since: found `tomorrow`, want a date such as 2026-12-25"},
      {"{name: a, from: 2026-11-20T00:00}",
       "spec.periods[0].until: found nothing, want a local time such as 2026-11-20T00:00, without an offset"},
      {"{name: a, until: 2026-11-20T00:00}",
       "spec.periods[0]: found no word of when this period is, want businessDays, recurrence or from"},
      {"{name: a, from: 2026-11-20T00:00, until: 2026-11-20T00:00}",
       "spec.periods[0].until: found `2026-11-20T00:00`, want a local time after `from`"},
      {"{name: a, from: 2026-11-20T00:00Z, until: 2026-11-21}",
       "spec.periods[0].from: found `2026-11-20T00:00Z`, want a local time such as 2026-11-20T00:00, without an offset\n"
       "spec.periods[0].until: found `2026-11-21`, want a local time such as 2026-11-20T00:00, without an offset"},
      {"{name: a, recurrence: FREQ=DAILY, businessDays: {from: -1, until: 1}}",
       "spec.periods[0].recurrence: found `recurrence` beside `businessDays`, want one of them"},
      {"{name: a, from: 2026-11-20T00:00, until: 2026-11-21T00:00, start: \"05:00\", since: 2026-01-01}",
       "spec.periods[0].start: found `start` beside `from`, want it beside businessDays or recurrence only\n"
       "spec.periods[0].since: found `since` beside `from`, want it beside recurrence only"},
      {"{name: a, businessDays: {from: -1, until: 1}, start: \"05:00\", end: \"05:00\", duration: PT1H}",
       "spec.periods[0].duration: found `duration` beside `businessDays`, want it beside recurrence only"},
      {"{name: a, from: 2026-11-20T00:00, until: 2026-11-21T00:00}, {name: a, from: 2026-11-20T00:00, until: 2026-11-21T00:00}",
       "spec.periods[1].name: found the period `a` a second time, want each name once (the first is at c.yaml:4:40)"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told("{timeZone: UTC, periods: [" + c.text + "]}") == c.told);
    }
  std::string periods;
  for (int i = 0; i < 65; ++i)
    periods += (i == 0 ? "{name: p" : ", {name: p") + std::to_string(i) + ", from: 2026-11-20T00:00, until: 2026-11-21T00:00}";
  CHECK(told("{timeZone: UTC, periods: [" + periods + "]}") == "spec.periods: found 65 periods, want at most 64");
}

TEST_CASE("Calendars of one set", "[policy][document][calendar]") {
  std::string text = document("Platform", "hoster", "{environments: [production]}");
  for (int i = 0; i < 33; ++i) text += "---\n" + document("Calendar", "c" + std::to_string(i), "{timeZone: UTC}");
  const auto many = load_documents({{"a.yaml", text}});
  REQUIRE_FALSE(many);
  CHECK(many.error().front().message() == "a.yaml:166:1: found 33 Calendars, want at most 32");
  const auto twice = load_documents({{"a.yaml", document("Platform", "hoster", "{environments: [production]}")},
                                     {"b.yaml", document("Calendar", "finance", "{timeZone: UTC}")},
                                     {"c.yaml", document("Calendar", "finance", "{timeZone: UTC}")}});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().front().message() ==
        "c.yaml:1:1 metadata.name: found the Calendar `finance` a second time, want each name once (the first is at b.yaml:1:1)");
}

TEST_CASE("dates and local times", "[policy][document][calendar]") {
  CHECK(parse_date("2028-02-29"));
  for (const char* text : {"2027-02-29", "2026-1-01", "2026-01-01 ", "1969-12-31", "", "2026-13-01"}) CHECK_FALSE(parse_date(text));
  CHECK(parse_local_time("00:00"));
  CHECK(parse_local_time("23:59")->minute == 59);
  CHECK(parse_local_time("24:00")->hour == 24);
  for (const char* text : {"24:01", "25:00", "5:00", "05:60", "05:00:00", "", "0500"}) CHECK_FALSE(parse_local_time(text));
  CHECK(parse_local_instant("2026-11-20T00:00"));
  for (const char* text : {"2026-11-20T24:00", "2026-11-20 00:00", "2026-11-20T00:00Z", "2026-11-20", "2026-11-20T00:00:00"})
    CHECK_FALSE(parse_local_instant(text));
}
