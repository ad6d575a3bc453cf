#include "policy/document/readers.hpp"

#include "base/text.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::policy {

std::string read_sentence(const Cursor& at, std::string_view want) {
  const auto text = at.text(want);
  if (!text) return "";
  const bool blank = text->find_first_not_of(" \t\r\n") == std::string::npos;
  if (blank || text->size() > static_cast<std::size_t>(sentence_range.max))
    at.say("found " + std::string(blank ? "a blank text" : "more than 512 bytes") + ", want " + std::string(want));
  return *text;
}

std::optional<Instant> read_instant(const Cursor& at) {
  constexpr std::string_view want = "an instant with its offset such as 2026-11-20T00:00:00+01:00";
  const auto text = at.text(want);
  if (!text) return std::nullopt;
  const auto instant = parse_instant(*text);
  if (!instant) at.refuse(want);
  return instant;
}

void read_rate(const Cursor& at, Rate& out) {
  constexpr std::string_view want = "a rate such as 30/min; the units are s, min, h and day";
  const auto text = at.text(want);
  if (!text) return;
  if (const auto rate = parse_rate(*text))
    out = *rate;
  else
    at.refuse(want);
}

double read_factor(const Cursor& at) {
  constexpr std::string_view want = "a factor above 0, at most 1000";
  const auto value = at.number(want);
  if (!value) return 1;
  if (*value > 0 && *value <= static_cast<double>(factor_range.max)) return *value;
  at.refuse(want);
  return 1;
}

std::optional<std::chrono::seconds> read_duration(const Cursor& at, std::chrono::seconds max) {
  const std::string want = "a duration such as PT15M or 2h, at most " + duration_text(max);
  const auto text = at.text(want);
  if (!text) return std::nullopt;
  const auto duration = parse_duration(*text);
  if (duration && *duration <= max) return duration;
  at.refuse(want);
  return std::nullopt;
}

std::string read_name_once(const Cursor& at, const std::string& what, NamesSeen& seen) {
  const std::string want = "the " + what + "'s name, a DNS label";
  const auto text = at.text(want);
  if (!text) return "";
  if (!is_dns_label(*text)) at.refuse(want);
  if (const auto [first, fresh] = seen.emplace(*text, at.place().text()); !fresh)
    at.say("found the " + what + " " + quoted(*text) + " a second time, want each name once (the first is at " + first->second + ")");
  return *text;
}

void refuse_above(const Cursor& at, std::size_t count, Range range, std::string_view what) {
  if (count > static_cast<std::size_t>(range.max))
    at.say("found " + std::to_string(count) + " " + std::string(what) + ", want at most " + std::to_string(range.max));
}

}  // namespace portcullis::policy
