// Recurrence rules: what is taken falls on days within what was asked for, ascending, also where it is asked for in two parts.
#include "policy/calendar/recurrence.hpp"

#include <algorithm>
#include <functional>

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using std::chrono::sys_days;

PORTCULLIS_FUZZ_TARGET(input) {
  const auto rule = policy::parse_recurrence(input);
  if (!rule) {
    must(!rule.error().what.empty(), "a refusal says what is wrong");
    return;
  }
  constexpr sys_days since = std::chrono::year(2000) / 1 / 3, from = std::chrono::year(2023) / 12 / 30,
                     until = std::chrono::year(2029) / 1 / 2;
  constexpr sys_days middle = std::chrono::year(2026) / 2 / 28;
  constexpr std::size_t days_max = 10'000;
  const auto whole = policy::recurrence_days(*rule, since, from, until, days_max);
  must(std::adjacent_find(whole.begin(), whole.end(), std::greater_equal<>{}) == whole.end(), "days ascend");
  must(whole.empty() || (whole.front() >= from && whole.back() < until), "days are within what was asked for");
  auto parts = policy::recurrence_days(*rule, since, from, middle, days_max);
  const auto rest = policy::recurrence_days(*rule, since, middle, until, days_max);
  parts.insert(parts.end(), rest.begin(), rest.end());
  must(parts == whole, "two parts are the whole");
}
