// The small languages in documents' texts: DNS names, durations, instants, dates, local times, rates, networks, zones.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::policy {

bool is_dns_label(std::string_view text);      // RFC 1123: lower case, digits and `-`, at most 63
bool is_dns_subdomain(std::string_view text);  // labels with dots, at most 253
bool is_host(std::string_view text);           // a subdomain, or `*.` before one

// ISO 8601 in weeks, days, hours, minutes and seconds (`PT15M`, `P3D`, `P2W`) or short (`15m`, `72h`, `1h30m`, `90d`). Months
// and years have no fixed length and are no durations here. None for zero and above duration_max.
inline constexpr std::chrono::seconds duration_max = std::chrono::hours(24 * 366 * 100);
std::optional<std::chrono::seconds> parse_duration(std::string_view text);
std::string duration_text(std::chrono::seconds duration);  // "P90D", "PT1H30M"

// RFC 3339 with an offset, in years 1970 to 9999; fractions of a second are cut. No leap second: it names no instant.
std::optional<Instant> parse_instant(std::string_view text);

std::optional<std::chrono::sys_days> parse_date(std::string_view text);              // `2026-12-25`, in years 1970 to 9999
std::optional<LocalTime> parse_local_time(std::string_view text);                    // `05:00`, up to `24:00`
std::optional<std::chrono::sys_seconds> parse_local_instant(std::string_view text);  // `2026-11-20T00:00`, as if it were UTC

std::optional<Rate> parse_rate(std::string_view text);  // `N/s`, `N/min`, `N/h`, `N/day`, N above 0

// `10.42.0.0/16`, `2001:db8::/32`. Refuses bits beyond the length, a missing length, leading zeros, zones, and whatever takes
// in all of IPv4 without being written `0.0.0.0/0` or `::/0`. Errors have no place.
Result<Network> parse_network(std::string_view text);

bool is_zone(std::string_view name);           // an IANA zone or link that this machine's tzdata knows
std::string near_zone(std::string_view name);  // did_you_mean() over all zones

}  // namespace portcullis::policy
