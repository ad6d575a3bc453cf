#include "webhook/deadline.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace portcullis::webhook {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 8> units{
    {{"ns", 1e-6}, {"us", 1e-3}, {"\xC2\xB5s", 1e-3}, {"\xCE\xBCs", 1e-3}, {"ms", 1.0}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}}};
constexpr double milliseconds_max = 1e12;  // 31 years: far above every clamp, far below overflow
constexpr std::size_t duration_bytes_max = 64;

// The length of the decimal number that `text` begins with.
std::size_t number_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && ((text[length] >= '0' && text[length] <= '9') || text[length] == '.')) ++length;
  return length;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text) {
  if (text.empty() || text.size() > duration_bytes_max) return std::nullopt;
  if (text.front() == '+') text.remove_prefix(1);
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const std::size_t length = number_length(text);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + length, number, std::chars_format::fixed);
    if (length == 0 || error != std::errc{} || end != text.data() + length) return std::nullopt;
    text.remove_prefix(length);
    const std::size_t unit_length = std::min(text.find_first_of("0123456789."), text.size());
    const std::string_view unit = text.substr(0, unit_length);
    const auto* const found = std::find_if(units.begin(), units.end(), [&](const auto& each) { return each.first == unit; });
    if (found == units.end()) return std::nullopt;
    total += number * found->second;
    if (total > milliseconds_max) return std::nullopt;
    text.remove_prefix(unit_length);
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

std::chrono::milliseconds answer_budget(std::string_view query) {
  constexpr std::string_view name = "timeout=";
  std::optional<std::chrono::milliseconds> timeout;
  int seen = 0;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    if (pair.starts_with(name)) {
      ++seen;
      timeout = parse_go_duration(pair.substr(name.size()));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  if (seen != 1 || !timeout || timeout->count() == 0) timeout = timeout_default;
  const std::chrono::milliseconds t = std::clamp(*timeout, timeout_min, timeout_max);
  return std::max(t / 2, std::min(t - std::chrono::milliseconds(1'000), t * 4 / 5));
}

}  // namespace portcullis::webhook
