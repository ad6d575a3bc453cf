#include "policy/document/formats.hpp"

#include <arpa/inet.h>
#include <date/tz.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <vector>

#include "base/text.hpp"

namespace portcullis::policy {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_or_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); }

// Exactly `width` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(width), is_digit)) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, width)) value = value * 10 + (c - '0');
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

// `2026-12-25`, a day that there is, from 1970 on.
std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || *year < 1970 || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

struct Unit {
  char letter;
  std::int64_t seconds;
};

// `3D`, `15M`, ... with units in this order, each at most once.
bool take_units(std::string_view& text, std::span<const Unit> units, std::int64_t& seconds) {
  bool any = false;
  for (const Unit& unit : units) {
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    if (digits == 0 || digits > 9 || digits == text.size() || text[digits] != unit.letter) continue;
    std::int64_t count = 0;
    std::from_chars(text.data(), text.data() + digits, count);
    seconds += count * unit.seconds;
    text.remove_prefix(digits + 1);
    any = true;
  }
  return any;
}

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_mapped(const Network& network) {
  return network.prefix >= 96 && std::equal(mapped_prefix.begin(), mapped_prefix.end(), network.address.begin());
}

bool bits_beyond(const Network& network, const std::array<std::uint8_t, 16>& address) {
  for (std::size_t bit = network.prefix; bit < 128; ++bit)
    if ((address[bit / 8] >> (7 - bit % 8)) & 1U) return true;
  return false;
}

void mask(Network& network) {
  for (std::size_t bit = network.prefix; bit < 128; ++bit)
    network.address[bit / 8] = static_cast<std::uint8_t>(network.address[bit / 8] & ~(1U << (7 - bit % 8)));
}

std::string network_text(const Network& network) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const bool mapped = is_mapped(network);
  inet_ntop(mapped ? AF_INET : AF_INET6, network.address.data() + (mapped ? 12 : 0), buffer.data(), buffer.size());
  return std::string(buffer.data()) + "/" + std::to_string(mapped ? network.prefix - 96 : network.prefix);
}

// Would an IPv4 address, as ::ffff:a.b.c.d, be in a network that is shorter than the mapped block?
bool holds_all_ipv4(const Network& network) {
  if (network.prefix > 96) return false;
  std::array<std::uint8_t, 16> block{};
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), block.begin());
  Network masked{block, network.prefix};
  mask(masked);
  return masked.address == network.address;
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t dot = std::min(text.find('.', from), text.size());
    if (!is_dns_label(text.substr(from, dot - from))) return false;
    from = dot + 1;
  }
  return true;
}

bool is_host(std::string_view text) { return is_dns_subdomain(text.starts_with("*.") ? text.substr(2) : text); }

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  std::int64_t seconds = 0;
  if (take(text, 'P')) {
    constexpr std::array<Unit, 2> dates{{{'W', 604'800}, {'D', 86'400}}};
    constexpr std::array<Unit, 3> times{{{'H', 3'600}, {'M', 60}, {'S', 1}}};
    take_units(text, dates, seconds);
    if (take(text, 'T') && !take_units(text, times, seconds)) return std::nullopt;
  } else {
    constexpr std::array<Unit, 4> shorts{{{'d', 86'400}, {'h', 3'600}, {'m', 60}, {'s', 1}}};
    take_units(text, shorts, seconds);
  }
  if (!text.empty() || seconds <= 0 || seconds > duration_max.count()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::string duration_text(std::chrono::seconds duration) {
  std::int64_t rest = duration.count();
  std::string date, time;
  const auto part = [&rest](std::int64_t unit, char letter, std::string& out) {
    if (rest / unit != 0) out += std::to_string(rest / unit) + letter;
    rest %= unit;
  };
  part(86'400, 'D', date);
  part(3'600, 'H', time);
  part(60, 'M', time);
  part(1, 'S', time);
  return "P" + date + (time.empty() ? "" : "T" + time);
}

std::optional<Instant> parse_instant(std::string_view text) {
  const auto date = take_date(text);
  if (!date || (!take(text, 'T') && !take(text, 't'))) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  if (take(text, '.')) {
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    if (digits == 0 || digits > 9) return std::nullopt;
    text.remove_prefix(digits);
  }
  std::chrono::minutes offset{0};
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool west = take(text, '-');
    if (!west && !take(text, '+')) return std::nullopt;
    const auto hours = take_digits(text, 2);
    if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
    const auto minutes = take_digits(text, 2);
    if (!minutes || *minutes > 59) return std::nullopt;
    offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    if (west) offset = -offset;
  }
  if (!text.empty()) return std::nullopt;
  return Instant(*date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) - offset;
}

std::optional<std::chrono::sys_days> parse_date(std::string_view text) {
  const auto date = take_date(text);
  return text.empty() ? date : std::nullopt;
}

std::optional<LocalTime> parse_local_time(std::string_view text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 24 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !text.empty() || (*hour == 24 && *minute > 0)) return std::nullopt;
  return LocalTime{static_cast<std::uint8_t>(*hour), static_cast<std::uint8_t>(*minute)};
}

std::optional<std::chrono::sys_seconds> parse_local_instant(std::string_view text) {
  const auto date = take_date(text);
  if (!date || !take(text, 'T')) return std::nullopt;
  const auto time = parse_local_time(text);
  if (!time || time->hour == 24) return std::nullopt;
  return std::chrono::sys_seconds(*date) + std::chrono::hours(time->hour) + std::chrono::minutes(time->minute);
}

std::optional<Rate> parse_rate(std::string_view text) {
  constexpr double count_max = 1e9;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const std::string_view number = text.substr(0, slash), unit = text.substr(slash + 1);
  if (!is_digit(number.front()) || !is_digit(number.back())) return std::nullopt;
  Rate rate;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rate.count, std::chars_format::fixed);
  if (error != std::errc{} || end != number.data() + number.size() || !(rate.count > 0) || rate.count > count_max) return std::nullopt;
  if (unit == "s")
    rate.per = std::chrono::seconds(1);
  else if (unit == "min")
    rate.per = std::chrono::minutes(1);
  else if (unit == "h")
    rate.per = std::chrono::hours(1);
  else if (unit == "day")
    rate.per = std::chrono::hours(24);
  else
    return std::nullopt;
  return rate;
}

Result<Network> parse_network(std::string_view text) {
  const std::string found = "found " + quoted(text);
  const auto refuse = [&](const std::string& rest) { return fail(ErrorKind::invalid, "", found + rest); };
  constexpr const char* shape = ", want a network such as 10.42.0.0/16 or 2001:db8::/32";
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network network;
  const bool ipv4 = inet_pton(AF_INET, address.c_str(), network.address.data() + 12) == 1 && address.size() == std::min(slash, text.size());
  if (ipv4)
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), network.address.begin());
  else if (address.find('\0') != std::string::npos || inet_pton(AF_INET6, address.c_str(), network.address.data()) != 1)
    return refuse(shape);
  const int prefix_max = ipv4 ? 32 : 128;
  if (slash == std::string_view::npos)
    return refuse(" without a length, want " + address + "/" + std::to_string(prefix_max) + " for this one address");
  const std::string_view digits = text.substr(slash + 1);
  int prefix = 0;
  const bool number = !digits.empty() && digits.size() <= 3 && std::all_of(digits.begin(), digits.end(), is_digit) &&
                      (digits.size() == 1 || digits.front() != '0');
  if (number) std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (!number || prefix > prefix_max) return refuse(", want a length from 0 to " + std::to_string(prefix_max) + " after the `/`");
  network.prefix = static_cast<std::uint8_t>(prefix + (ipv4 ? 96 : 0));
  if (bits_beyond(network, network.address)) {
    mask(network);
    return refuse(" with address bits beyond its length, want " + network_text(network));
  }
  if (holds_all_ipv4(network) && text != "0.0.0.0/0" && text != "::/0")
    return refuse(", which holds every IPv4 address; write 0.0.0.0/0 or ::/0 if that is meant");
  return network;
}

bool is_zone(std::string_view name) {
  try {
    return !date::get_tzdb().zones.empty() && date::locate_zone(name) != nullptr;
  } catch (const std::runtime_error&) {  // the library's word for an unknown name
    return false;
  }
}

std::string near_zone(std::string_view name) {
  try {
    std::vector<std::string_view> names;
    for (const date::time_zone& zone : date::get_tzdb().zones) names.emplace_back(zone.name());
    return names.empty() ? " (this machine has no time zone data: install tzdata)" : did_you_mean(name, names);
  } catch (const std::runtime_error&) {
    return " (this machine has no time zone data: install tzdata)";
  }
}

}  // namespace portcullis::policy
