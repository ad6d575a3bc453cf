#include "cli/instant.hpp"

#include <chrono>
#include <cstdio>

#include "base/text.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::cli {

Result<Instant> parse_instant(std::string_view text) {
  if (const auto instant = policy::parse_instant(text)) return *instant;
  return fail(ErrorKind::invalid, "", "found " + quoted(text) + ", want an instant with an offset such as 2026-11-20T08:00:00+01:00");
}

std::string instant_text(Instant instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(instant - day);
  char text[40];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                    static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                    static_cast<int>(time.seconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace portcullis::cli
