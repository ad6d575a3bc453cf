// When periods hold: over the days that have 23 and 25 hours, over holidays, month-ends and the change of the year.
#include "policy/calendar/intervals.hpp"

#include <string>
#include <vector>

#include "policy/calendar/business_days.hpp"
#include "policy/calendar/local_days.hpp"
#include "policy/calendar/zone.hpp"
#include "policy/document/formats.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;

namespace {

Instant at(const std::string& text) { return parse_instant(text + ":00Z").value(); }  // "2026-03-29T01:00"
LocalSeconds local(const std::string& text) { return parse_local_instant(text).value(); }
sys_days day(const std::string& text) { return parse_date(text).value(); }

std::string two(long long number) { return (number < 10 ? "0" : "") + std::to_string(number); }

std::string shown(Instant instant) {
  const sys_days date = std::chrono::floor<days>(instant);
  const std::chrono::year_month_day parts(date);
  const auto minute = std::chrono::floor<minutes>(instant - date).count();
  return std::to_string(static_cast<int>(parts.year())) + "-" + two(static_cast<unsigned>(parts.month())) + "-" +
         two(static_cast<unsigned>(parts.day())) + "T" + two(minute / 60) + ":" + two(minute % 60);
}

std::string shown(const Interval& interval) { return shown(interval.begin) + "/" + shown(interval.end); }

std::string shown(const Result<std::vector<Interval>>& intervals) {
  if (!intervals) return intervals.error().what;
  std::string out;
  for (const Interval& each : *intervals) out += (out.empty() ? "" : " ") + shown(each);
  return out;
}

Calendar calendar(const std::vector<std::string>& holidays = {}) {
  Calendar out;
  for (const std::string& each : holidays) out.holidays.push_back(day(each));
  return out;
}

Period daily(const std::string& start, std::chrono::seconds duration, const std::string& rule = "FREQ=DAILY") {
  Period out;
  out.when = Recurrence{.rule = rule, .start = parse_local_time(start).value(), .duration = duration};
  return out;
}

Period once(const std::string& from, const std::string& until) {
  Period out;
  out.when = LocalSpan{local(from), local(until)};
  return out;
}

Period month_end(int from, int until, const std::string& start = "18:00", const std::string& end = "08:00") {
  Period out;
  out.when = BusinessDays{from, until, parse_local_time(start).value(), parse_local_time(end).value()};
  return out;
}

}  // namespace

TEST_CASE("windows on the days on which the clock is set", "[policy][calendar]") {
  struct Case {
    const char *name, *zone;
    Period period;
    const char *begin, *end, *intervals;
  };
  const Case cases[] = {
      {"a start that is skipped is the moment of the change", "Europe/Zurich", daily("02:30", hours(1)), "2026-03-28T00:00",
       "2026-03-31T00:00", "2026-03-28T01:30/2026-03-28T02:30 2026-03-29T01:00/2026-03-29T02:00 2026-03-30T00:30/2026-03-30T01:30"},
      {"a start that comes twice is the first", "Europe/Zurich", daily("02:30", hours(1)), "2026-10-24T00:00", "2026-10-27T00:00",
       "2026-10-24T00:30/2026-10-24T01:30 2026-10-25T00:30/2026-10-25T01:30 2026-10-26T01:30/2026-10-26T02:30"},
      {"a duration is elapsed time, in spring", "Europe/Zurich", daily("00:00", hours(4)), "2026-03-28T12:00", "2026-03-29T12:00",
       "2026-03-28T23:00/2026-03-29T03:00"},  // until 05:00 local
      {"and in autumn", "Europe/Zurich", daily("00:00", hours(4)), "2026-10-24T12:00", "2026-10-25T12:00",
       "2026-10-24T22:00/2026-10-25T02:00"},  // until 03:00 local
      {"24 hours do not fill a day of 25", "Europe/Zurich", daily("00:00", hours(24)), "2026-10-24T22:00", "2026-10-26T23:00",
       "2026-10-24T22:00/2026-10-25T22:00 2026-10-25T23:00/2026-10-26T23:00"},
      {"and more than fill one of 23", "Europe/Zurich", daily("00:00", hours(24), "FREQ=DAILY;UNTIL=20260330"), "2026-03-28T23:00",
       "2026-04-02T00:00", "2026-03-28T23:00/2026-03-30T22:00"},
      {"a span within the skipped hour is none", "Europe/Zurich", once("2026-03-29T02:15", "2026-03-29T02:45"), "2026-03-01T00:00",
       "2026-04-01T00:00", ""},
      {"a span around it is shorter", "Europe/Zurich", once("2026-03-29T01:30", "2026-03-29T03:30"), "2026-03-01T00:00", "2026-04-01T00:00",
       "2026-03-29T00:30/2026-03-29T01:30"},
      {"a span over the hour that comes twice is longer", "Europe/Zurich", once("2026-10-25T02:00", "2026-10-25T03:00"), "2026-10-01T00:00",
       "2026-11-01T00:00", "2026-10-25T00:00/2026-10-25T02:00"},
      {"a span ends where the hour comes first", "Europe/Zurich", once("2026-10-25T01:00", "2026-10-25T02:30"), "2026-10-01T00:00",
       "2026-11-01T00:00", "2026-10-24T23:00/2026-10-25T00:30"},
      {"midnight that is skipped", "America/Santiago", daily("00:00", hours(1)), "2026-09-05T00:00", "2026-09-08T00:00",
       "2026-09-05T04:00/2026-09-05T05:00 2026-09-06T04:00/2026-09-06T05:00 2026-09-07T03:00/2026-09-07T04:00"},
      {"the hour before midnight that comes twice", "America/Santiago", daily("23:30", minutes(30)), "2026-04-04T12:00", "2026-04-06T12:00",
       "2026-04-05T02:30/2026-04-05T03:00 2026-04-06T03:30/2026-04-06T04:00"},
      {"a zone half an hour off", "Australia/Lord_Howe", daily("02:15", hours(1)), "2026-10-03T00:00", "2026-10-04T12:00",
       "2026-10-03T15:30/2026-10-03T16:30"},  // 02:00 to 02:30 is skipped on the 4th
      {"a zone without", "Asia/Kolkata", daily("05:00", hours(4), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"), "2026-11-20T00:00",
       "2026-11-23T12:00", "2026-11-20T00:00/2026-11-20T03:30 2026-11-22T23:30/2026-11-23T03:30"},
      {"month-end over the change in spring", "Europe/Zurich", month_end(-3, 5), "2026-03-20T00:00", "2026-04-20T00:00",
       "2026-03-27T17:00/2026-04-07T06:00"},
      {"and in autumn", "Europe/Zurich", month_end(-6, 1), "2026-10-20T00:00", "2026-11-20T00:00", "2026-10-23T16:00/2026-11-02T07:00"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.name) {
      CHECK(shown(intervals_of(calendar(), c.period, c.zone, at(c.begin), at(c.end))) == c.intervals);
    }
}

TEST_CASE("month-ends", "[policy][calendar]") {
  struct Case {
    const char* name;
    std::vector<std::string> holidays;
    Period period;
    const char *begin, *end, *intervals;
  };
  const Case cases[] = {
      {"over a weekend", {}, month_end(-2, 5), "2026-11-15T00:00", "2026-12-15T00:00", "2026-11-27T17:00/2026-12-07T07:00"},
      {"over the change of the year and its holidays",
       {"2026-12-25", "2027-01-01"},
       month_end(-2, 5),
       "2026-12-15T00:00",
       "2027-01-15T00:00",
       "2026-12-30T17:00/2027-01-08T07:00"},
      {"with the last day of the year off too",
       {"2026-12-31", "2027-01-01", "2027-01-06"},
       month_end(-2, 5),
       "2026-12-15T00:00",
       "2027-01-15T00:00",
       "2026-12-29T17:00/2027-01-11T07:00"},
      {"a holiday on a weekend counts for nothing",
       {"2026-11-28", "2026-12-05"},
       month_end(-2, 5),
       "2026-11-15T00:00",
       "2026-12-15T00:00",
       "2026-11-27T17:00/2026-12-07T07:00"},
      {"a February of 29 days", {}, month_end(-2, 5), "2028-02-15T00:00", "2028-03-15T00:00", "2028-02-28T17:00/2028-03-07T07:00"},
      {"a February of 28 days that ends on a Sunday",
       {},
       month_end(-2, 5),
       "2027-02-15T00:00",
       "2027-03-15T00:00",
       "2027-02-25T17:00/2027-03-05T07:00"},
      {"the last day alone",
       {},
       month_end(-1, 1, "00:00", "24:00"),
       "2026-07-20T00:00",
       "2026-08-20T00:00",
       "2026-07-30T22:00/2026-08-03T22:00"},  // Friday the 31st to Monday the 3rd
      {"clipped on both sides", {}, month_end(-2, 5), "2026-11-30T00:00", "2026-12-02T00:00", "2026-11-30T00:00/2026-12-02T00:00"},
      {"each month",
       {},
       month_end(-1, 1, "23:00", "01:00"),
       "2026-04-15T00:00",
       "2026-07-15T00:00",
       "2026-04-30T21:00/2026-04-30T23:00 2026-05-29T21:00/2026-05-31T23:00 2026-06-30T21:00/2026-06-30T23:00"},
      {"long ones run into each other",
       {},
       month_end(-20, 20, "00:00", "24:00"),
       "2026-01-01T00:00",
       "2026-12-01T00:00",
       "2026-01-01T00:00/2026-12-01T00:00"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.name) {
      CHECK(shown(intervals_of(calendar(c.holidays), c.period, "Europe/Zurich", at(c.begin), at(c.end))) == c.intervals);
    }
}

TEST_CASE("business days around the end of a month", "[policy][calendar]") {
  const std::vector<sys_days> holidays{day("2026-12-25"), day("2027-01-01")};
  CHECK(is_business_day(day("2026-12-24"), holidays));
  CHECK_FALSE(is_business_day(day("2026-12-25"), holidays));
  CHECK_FALSE(is_business_day(day("2026-12-26"), holidays));
  CHECK(business_day(day("2027-01-01"), 1, holidays) == day("2027-01-04"));
  CHECK(business_day(day("2027-01-01"), -1, holidays) == day("2026-12-31"));
  CHECK(business_day(day("2027-01-01"), -5, holidays) == day("2026-12-24"));  // 31, 30, 29, 28, then over Christmas
  // More than a quarter of a year without one: the search ends.
  std::vector<sys_days> endless;
  for (int i = -200; i < 200; ++i) endless.push_back(day("2027-01-01") + days(i));
  CHECK(business_day(day("2027-01-01"), 1, endless) == day("2027-01-01") + business_day_reach);
  CHECK(business_day(day("2027-01-01"), -1, endless) == day("2027-01-01") - business_day_reach);
}

TEST_CASE("windows are clipped, merged and bounded", "[policy][calendar]") {
  const auto of = [](const Period& period, const char* begin, const char* end) {
    return shown(intervals_of(calendar(), period, "UTC", at(begin), at(end)));
  };
  CHECK(of(daily("22:00", hours(4)), "2026-06-02T00:30", "2026-06-02T23:00") ==
        "2026-06-02T00:30/2026-06-02T02:00 2026-06-02T22:00/2026-06-02T23:00");
  CHECK(of(daily("00:00", hours(24)), "2026-06-01T00:00", "2026-06-05T00:00") == "2026-06-01T00:00/2026-06-05T00:00");
  CHECK(of(daily("00:00", hours(24 * 31), "FREQ=YEARLY"), "2026-01-20T00:00", "2026-03-01T00:00") == "2026-01-20T00:00/2026-02-03T00:00");
  CHECK(of(daily("10:00", hours(1)), "2026-06-01T11:00", "2026-06-02T10:00").empty());  // half-open on both sides
  CHECK(of(daily("10:00", hours(1)), "2026-06-01T10:00", "2026-06-01T10:00").empty());
  CHECK(of(daily("10:00", hours(1)), "2026-06-02T10:00", "2026-06-01T10:00").empty());
  CHECK(of(daily("10:00", hours(1)), "1990-01-01T00:00", "2000-01-04T00:00") == "2000-01-03T10:00/2000-01-03T11:00");
  CHECK(of(daily("10:00", hours(1)), "2000-01-01T00:00", "2080-01-01T00:00") == "found more than 20000 windows (limit intervals_max)");
  CHECK(of(daily("10:00", hours(1), "FREQ=YEARLY"), "2000-01-01T00:00", "2101-01-01T00:00") ==
        "asked for the periods of more than 100 years at once (limit intervals_span_max)");
  CHECK(shown(intervals_of(calendar(), daily("10:00", hours(1)), "Europe/Zurch", at("2026-01-01T00:00"), at("2026-01-02T00:00"))) ==
        "found the time zone `Europe/Zurch`, which this machine's tzdata does not know");
  CHECK(of(daily("10:00", hours(1), "FREQ=NEVER"), "2026-01-01T00:00", "2026-01-02T00:00").starts_with("found `FREQ=NEVER`"));
}

TEST_CASE("local days and months", "[policy][calendar]") {
  struct Case {
    const char *name, *zone, *at, *day, *month;
    int hours;
  };
  const Case cases[] = {
      {"a plain day", "Europe/Zurich", "2026-06-15T12:00", "2026-06-14T22:00/2026-06-15T22:00", "2026-05-31T22:00/2026-06-30T22:00", 24},
      {"its first moment", "Europe/Zurich", "2026-06-14T22:00", "2026-06-14T22:00/2026-06-15T22:00", "2026-05-31T22:00/2026-06-30T22:00",
       24},
      {"the moment before", "Europe/Zurich", "2026-06-14T21:59", "2026-06-13T22:00/2026-06-14T22:00", "2026-05-31T22:00/2026-06-30T22:00",
       24},
      {"23 hours", "Europe/Zurich", "2026-03-29T12:00", "2026-03-28T23:00/2026-03-29T22:00", "2026-02-28T23:00/2026-03-31T22:00", 23},
      {"25 hours", "Europe/Zurich", "2026-10-25T01:30", "2026-10-24T22:00/2026-10-25T23:00", "2026-09-30T22:00/2026-10-31T23:00", 25},
      {"a day that begins at one", "America/Santiago", "2026-09-06T12:00", "2026-09-06T04:00/2026-09-07T03:00",
       "2026-09-01T04:00/2026-10-01T03:00", 23},
      {"23:30 for the second time", "America/Santiago", "2026-04-05T03:30", "2026-04-04T03:00/2026-04-05T04:00",
       "2026-04-01T03:00/2026-05-01T04:00", 25},
      {"over the change of the year", "Asia/Kolkata", "2026-12-31T18:30", "2026-12-31T18:30/2027-01-01T18:30",
       "2026-12-31T18:30/2027-01-31T18:30", 24},
      {"a leap day", "UTC", "2028-02-29T23:59", "2028-02-29T00:00/2028-03-01T00:00", "2028-02-01T00:00/2028-03-01T00:00", 24},
      {"a clock set back over midnight", "America/St_Johns", "2010-11-07T02:45", "2010-11-07T02:30/2010-11-08T03:30",
       "2010-11-01T02:30/2010-12-01T03:30", 25},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.name) {
      const Interval local = local_day(c.zone, at(c.at));
      CHECK(shown(local) == c.day);
      CHECK(local.end - local.begin == hours(c.hours));
      CHECK(shown(local_month(c.zone, at(c.at))) == c.month);
    }
  CHECK_THROWS_AS(local_day("Europe/Zurch", at("2026-06-15T12:00")), std::runtime_error);
}

TEST_CASE("local days follow each other without a gap", "[policy][calendar]") {
  for (const char* zone : {"Europe/Zurich", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"}) {
    CAPTURE(zone);
    Instant now = at("2026-01-01T12:00");
    for (int i = 0; i < 366; ++i) {
      const Interval today = local_day(zone, now);
      const bool within = today.begin <= now && now < today.end;
      CHECK(within);
      CHECK(local_day(zone, today.end).begin == today.end);
      CHECK(local_day(zone, today.end - std::chrono::seconds(1)) == today);
      now = today.end;
    }
  }
}

TEST_CASE("a later local time is never an earlier instant", "[policy][calendar]") {
  for (const char* name : {"Europe/Zurich", "America/Santiago", "Australia/Lord_Howe"}) {
    const Zone zone = Zone::find(name).value();
    Instant before = zone.instant_of(local("2026-01-01T00:00"));
    std::size_t skipped = 0;
    for (LocalSeconds each = local("2026-01-01T00:00"); each < local("2027-01-01T00:00"); each += minutes(15)) {
      const Instant instant = zone.instant_of(each);
      if (instant < before) FAIL_CHECK(name << " " << shown(each));
      if (zone.local_of(instant) != each) ++skipped;
      before = instant;
    }
    CHECK(skipped == (std::string(name) == "Australia/Lord_Howe" ? 2 : 4));  // quarters of an hour, in spring
  }
}
