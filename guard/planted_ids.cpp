#include "guard/planted_ids.hpp"

#include <bit>

namespace portcullis::guard {
namespace {

// Luby and Rackoff, "How to construct pseudorandom permutations from pseudorandom functions" (1988): four rounds withstand who
// chooses what goes in and what comes out.
constexpr unsigned rounds = 4;

char* write_hexadecimal(std::uint64_t value, char* to) {
  constexpr char digits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *to++ = digits[(value >> shift) & 15];
  return to;
}

// Sixteen digits in lower case, as they were written.
std::optional<std::uint64_t> read_hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool is_digit = c >= '0' && c <= '9', is_letter = c >= 'a' && c <= 'f';
    if (!is_digit && !is_letter) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

}  // namespace

std::uint32_t PlantedIdCode::round(std::uint32_t half, unsigned number) const {
  const std::uint64_t input = std::uint64_t{number} << 32 | half;
  return static_cast<std::uint32_t>(siphash(mixing_, &input, sizeof input));
}

std::uint64_t PlantedIdCode::mix(std::uint64_t number) const {
  auto left = static_cast<std::uint32_t>(number >> 32), right = static_cast<std::uint32_t>(number);
  for (unsigned i = 0; i < rounds; ++i) left = std::exchange(right, left ^ round(right, i));
  return std::uint64_t{left} << 32 | right;
}

std::uint64_t PlantedIdCode::unmix(std::uint64_t mixed) const {
  auto left = static_cast<std::uint32_t>(mixed >> 32), right = static_cast<std::uint32_t>(mixed);
  for (unsigned i = rounds; i-- > 0;) right = std::exchange(left, right ^ round(left, i));
  return std::uint64_t{left} << 32 | right;
}

PlantedId PlantedIdCode::write(std::uint64_t number) const {
  const std::uint64_t mixed = mix(number);
  PlantedId id;
  char* to = std::copy(planted_id_prefix.begin(), planted_id_prefix.end(), id.chars.data());
  to = write_hexadecimal(mixed, to);
  write_hexadecimal(siphash(proving_, &mixed, sizeof mixed), to);
  return id;
}

std::optional<std::uint64_t> PlantedIdCode::read(std::string_view id) const {
  if (!looks_planted(id)) return std::nullopt;
  id.remove_prefix(planted_id_prefix.size());
  const auto mixed = read_hexadecimal(id.substr(0, 16)), proof = read_hexadecimal(id.substr(16));
  if (!mixed || !proof || *proof != siphash(proving_, &*mixed, sizeof *mixed)) return std::nullopt;
  return unmix(*mixed);
}

}  // namespace portcullis::guard
