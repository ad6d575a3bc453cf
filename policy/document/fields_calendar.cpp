// The fields of a Calendar.
#include "policy/document/field_patterns.hpp"
#include "policy/document/fields.hpp"

namespace portcullis::policy {
namespace {

using Words = std::string_view[];
using enum FieldType;

constexpr Field business_days_fields[]{
    {.name = "from",
     .type = integer,
     .meaning = "the first of them; -1 is the last business day of a month",
     .required = true,
     .example = "-2",
     .range = days_before_range},
    {.name = "until",
     .type = integer,
     .meaning = "the last of them; 1 is the first business day of the next month",
     .required = true,
     .example = "5",
     .range = days_after_range},
};
constexpr Words period_one_of{"businessDays", "recurrence", "from"};
constexpr Words beside_days{"businessDays"}, beside_rule{"recurrence"}, beside_start{"businessDays", "recurrence"}, beside_from{"from"};
constexpr FieldCheck period_checks[]{
    {"(has(self.businessDays) ? 1 : 0) + (has(self.recurrence) ? 1 : 0) + (has(self.from) ? 1 : 0) == 1",
     "want one of `businessDays`, `recurrence` and `from`"},
    {"has(self.start) != has(self.from)", "want `start` beside `businessDays` and `recurrence`, and not beside `from`"},
    {"has(self.end) == has(self.businessDays)", "want `end` beside `businessDays`, and beside nothing else"},
    {"has(self.duration) == has(self.recurrence)", "want `duration` beside `recurrence`, and beside nothing else"},
    {"!has(self.since) || has(self.recurrence)", "want `since` beside `recurrence` only"},
    {"has(self.until) == has(self.from)", "want `until` beside `from`, and beside nothing else"},
};
constexpr Field period_fields[]{
    {.name = "name",
     .meaning = "how profiles name it",
     .required = true,
     .example = "month-end-close",
     .range = {1, 63},
     .pattern = pattern::label},
    {.name = "businessDays",
     .type = record,
     .meaning = "around the end of each month, by business days: Monday to Friday without the holidays",
     .record = &fields::business_days},
    {.name = "recurrence",
     .meaning = "an RRULE of RFC 5545 by the day",
     .example = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
     .range = {1, 512},
     .pattern = pattern::recurrence},
    {.name = "since",
     .meaning = "the day that the recurrence counts from; 2000-01-03, a Monday, unless said",
     .example = "2026-01-05",
     .range = {10, 10},
     .pattern = pattern::date,
     .beside = beside_rule},
    {.name = "start",
     .meaning = "the local time at which it begins, on the first of the business days or on each day of the recurrence",
     .example = "18:00",
     .range = {5, 5},
     .pattern = pattern::local_time,
     .beside = beside_start},
    {.name = "end",
     .meaning = "the local time at which it ends, on the last of the business days; up to 24:00",
     .example = "08:00",
     .range = {5, 5},
     .pattern = pattern::local_time,
     .beside = beside_days},
    {.name = "duration",
     .meaning = "how long it lasts from each start on",
     .example = "PT4H",
     .range = {2, 64},
     .pattern = pattern::duration,
     .beside = beside_rule},
    {.name = "from",
     .meaning = "local time at which it begins, once",
     .example = "2026-11-20T00:00",
     .range = {16, 16},
     .pattern = pattern::local_instant},
    {.name = "until",
     .meaning = "local time at which it ends",
     .example = "2027-01-07T06:00",
     .range = {16, 16},
     .pattern = pattern::local_instant,
     .beside = beside_from},
};
constexpr Field period_item{.type = record, .meaning = "a time that comes once or again", .record = &fields::period};
constexpr Field holiday_item{.meaning = "a date", .example = "2026-12-25", .range = {10, 10}, .pattern = pattern::date};
constexpr Words calendar_later{"freezes"};
constexpr Field calendar_fields[]{
    {.name = "timeZone",
     .meaning = "an IANA time zone, or `tenant` for each tenant's own",
     .required = true,
     .example = "tenant",
     .range = {1, 64}},
    {.name = "holidays", .type = list, .meaning = "days that are no business days", .range = holidays_range, .each = &holiday_item},
    {.name = "periods", .type = list, .meaning = "times that profiles name", .range = periods_range, .each = &period_item},
};

}  // namespace

namespace fields {
constinit const Record calendar{.fields = calendar_fields, .later = calendar_later};
constinit const Record period{.fields = period_fields, .one_of = period_one_of, .checks = period_checks};
constinit const Record business_days{business_days_fields};
}  // namespace fields

}  // namespace portcullis::policy
