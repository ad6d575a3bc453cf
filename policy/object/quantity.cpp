#include "policy/object/quantity.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace portcullis::policy {
namespace {

__extension__ using Wide = unsigned __int128;
using Nanos = Quantity::Nanos;

constexpr std::size_t quantity_bytes_max = 128;  // the API server's own have at most 19 digits and a suffix
constexpr Wide magnitude_max = ~Wide{0} >> 1U;   // of a signed 128-bit integer
constexpr std::int64_t nanos_a_unit = 1'000'000'000;
constexpr int nano_digits = 9;
// quantity.go: what has a binary suffix is capped here, in silence.
constexpr Wide binary_max = static_cast<Wide>(std::numeric_limits<std::int64_t>::max()) * nanos_a_unit;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

Wide saturating_multiply(Wide a, Wide b) {
  Wide product = 0;
  return __builtin_mul_overflow(a, b, &product) || product > magnitude_max ? magnitude_max : product;
}

Wide saturating_add(Wide a, Wide b) { return a > magnitude_max - b ? magnitude_max : a + b; }

struct Suffix {
  int decimal_exponent = 0;
  int binary_exponent = 0;
  bool binary = false;
};

std::optional<Suffix> read_suffix(std::string_view text) {
  if (text.empty()) return Suffix{};
  if (text.size() == 1) {
    switch (text[0]) {
      case 'n':
        return Suffix{.decimal_exponent = -9};
      case 'u':
        return Suffix{.decimal_exponent = -6};
      case 'm':
        return Suffix{.decimal_exponent = -3};
      case 'k':
        return Suffix{.decimal_exponent = 3};
      case 'M':
        return Suffix{.decimal_exponent = 6};
      case 'G':
        return Suffix{.decimal_exponent = 9};
      case 'T':
        return Suffix{.decimal_exponent = 12};
      case 'P':
        return Suffix{.decimal_exponent = 15};
      case 'E':
        return Suffix{.decimal_exponent = 18};
      default:
        return std::nullopt;
    }
  }
  if (text.size() == 2 && text[1] == 'i') {
    switch (text[0]) {
      case 'K':
        return Suffix{.binary_exponent = 10, .binary = true};
      case 'M':
        return Suffix{.binary_exponent = 20, .binary = true};
      case 'G':
        return Suffix{.binary_exponent = 30, .binary = true};
      case 'T':
        return Suffix{.binary_exponent = 40, .binary = true};
      case 'P':
        return Suffix{.binary_exponent = 50, .binary = true};
      case 'E':
        return Suffix{.binary_exponent = 60, .binary = true};
      default:
        return std::nullopt;
    }
  }
  if (text[0] != 'e' && text[0] != 'E') return std::nullopt;
  std::string_view digits = text.substr(1);
  if (digits.starts_with('+')) {
    digits.remove_prefix(1);
    if (digits.starts_with('-')) return std::nullopt;
  }
  std::int64_t exponent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  // Go converts the exponent to 32 bits and lets it wrap: what the API server would take it for is what it is.
  return Suffix{.decimal_exponent = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(exponent)))};
}

// digits x 10^shift, rounded up to a whole number; digits are those of `whole` followed by those of `fraction`.
Wide scaled(std::string_view whole, std::string_view fraction, std::int64_t shift) {
  Wide value = 0;
  bool rest = false;
  const std::int64_t count = static_cast<std::int64_t>(whole.size() + fraction.size());
  const std::int64_t kept = shift < 0 ? count + shift : count;
  std::int64_t at = 0;
  for (const std::string_view part : {whole, fraction}) {
    for (const char c : part) {
      if (at++ < kept) {
        value = saturating_add(saturating_multiply(value, 10), static_cast<Wide>(c - '0'));
      } else {
        rest = rest || c != '0';
      }
    }
  }
  if (value != 0)
    for (std::int64_t i = 0; i < shift && value != magnitude_max; ++i) value = saturating_multiply(value, 10);
  return rest ? saturating_add(value, 1) : value;
}

// 0.fraction x factor, rounded up: multiplied digit by digit from the right, so that no fraction is too long to be exact.
Wide scaled_fraction(std::string_view fraction, Wide factor) {
  Wide carry = 0;
  bool rest = false;
  for (auto digit = fraction.rbegin(); digit != fraction.rend(); ++digit) {
    const Wide product = static_cast<Wide>(*digit - '0') * factor + carry;  // below 10 x 2^90
    rest = rest || product % 10 != 0;
    carry = product / 10;
  }
  return rest ? carry + 1 : carry;
}

// Digits and at most one letter or binary suffix, as nearly all quantities are written: the general way allocates nothing
// either, but a review has twenty of these.
std::optional<Nanos> parse_plain(std::string_view text) {
  constexpr std::size_t digits_max = 9;  // so that Gi stays below its cap of 2^63-1 units, and nanos below 2^127
  std::uint64_t value = 0;
  std::size_t at = 0;
  while (at < text.size() && at < digits_max && is_digit(text[at])) value = value * 10 + static_cast<std::uint64_t>(text[at++] - '0');
  if (at == 0) return std::nullopt;
  const auto times = [&](std::uint64_t nanos) { return static_cast<Nanos>(value) * static_cast<Nanos>(nanos); };
  if (at == text.size()) return times(nanos_a_unit);
  const char letter = text[at];
  if (at + 1 == text.size()) return letter == 'm' ? std::optional<Nanos>(times(1'000'000)) : std::nullopt;
  if (at + 2 != text.size() || text[at + 1] != 'i') return std::nullopt;
  switch (letter) {
    case 'K':
      return times(nanos_a_unit) << 10U;
    case 'M':
      return times(nanos_a_unit) << 20U;
    case 'G':
      return times(nanos_a_unit) << 30U;
    default:
      return std::nullopt;  // Ti and above may pass the cap
  }
}

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string decimal(Wide value) {
  std::array<char, 40> digits{};
  std::size_t at = digits.size();
  do {
    digits[--at] = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  return {digits.data() + at, digits.size() - at};
}

}  // namespace

std::optional<Quantity> Quantity::parse(std::string_view text) {
  if (const std::optional<Nanos> plain = parse_plain(text)) return of_nanos(*plain);
  if (text.empty() || text.size() > quantity_bytes_max) return std::nullopt;
  const bool minus = text.front() == '-';
  if (minus || text.front() == '+') text.remove_prefix(1);

  std::size_t at = 0;
  while (at < text.size() && text[at] == '0') ++at;
  const std::size_t whole_at = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  const std::string_view whole = text.substr(whole_at, at - whole_at);
  std::string_view fraction;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction_at = ++at;
    while (at < text.size() && is_digit(text[at])) ++at;
    fraction = text.substr(fraction_at, at - fraction_at);
  }
  const std::optional<Suffix> suffix = read_suffix(text.substr(at));
  if (!suffix) return std::nullopt;
  // quantity.go takes a suffix or a sign alone for zero on its quick way, and refuses it on the slow one.
  const bool has_digits = whole_at > 0 || !whole.empty() || !fraction.empty();
  if (!has_digits && (suffix->binary_exponent >= 50 || suffix->decimal_exponent < -nano_digits)) return std::nullopt;

  Wide magnitude = 0;
  if (suffix->binary) {
    const Wide factor = static_cast<Wide>(nanos_a_unit) << static_cast<unsigned>(suffix->binary_exponent);
    magnitude = saturating_add(saturating_multiply(scaled(whole, {}, 0), factor), scaled_fraction(fraction, factor));
    if (magnitude > binary_max) magnitude = binary_max;
  } else {
    const std::int64_t shift =
        static_cast<std::int64_t>(suffix->decimal_exponent) + nano_digits - static_cast<std::int64_t>(fraction.size());
    magnitude = scaled(whole, fraction, shift);
  }
  const Nanos nanos = static_cast<Nanos>(magnitude);
  return of_nanos(minus ? -nanos : nanos);
}

std::optional<Quantity> Quantity::parse(Value value) {
  if (value.is(ValueKind::number)) return parse(value.token());
  if (!value.is(ValueKind::string)) return std::nullopt;
  std::string_view text = value.text();  // UnmarshalJSON trims
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return parse(text);
}

std::string Quantity::text() const {
  struct Unit {
    Wide nanos;
    std::string_view suffix;
  };
  constexpr Wide one = static_cast<Wide>(nanos_a_unit);
  static constexpr std::array<Unit, 6> binary{
      {{one << 60U, "Ei"}, {one << 50U, "Pi"}, {one << 40U, "Ti"}, {one << 30U, "Gi"}, {one << 20U, "Mi"}, {one << 10U, "Ki"}}};
  const std::string sign = nanos_ < 0 ? "-" : "";
  const Wide magnitude = nanos_ < 0 ? Wide{0} - static_cast<Wide>(nanos_) : static_cast<Wide>(nanos_);
  if (magnitude == 0) return "0";
  for (const Unit& unit : binary)
    if (magnitude % unit.nanos == 0 && magnitude <= binary_max) return sign + decimal(magnitude / unit.nanos) + std::string(unit.suffix);
  if (magnitude % one == 0) return sign + decimal(magnitude / one);
  if (magnitude > one) {
    std::string fraction = decimal(one + magnitude % one).substr(1);  // with its leading zeros
    while (fraction.ends_with('0')) fraction.pop_back();
    return sign + decimal(magnitude / one) + "." + fraction;
  }
  if (magnitude % 1'000'000 == 0) return sign + decimal(magnitude / 1'000'000) + "m";
  if (magnitude % 1'000 == 0) return sign + decimal(magnitude / 1'000) + "u";
  return sign + decimal(magnitude) + "n";
}

Quantity operator+(Quantity a, Quantity b) {
  Nanos sum = 0;
  if (!__builtin_add_overflow(a.nanos_, b.nanos_, &sum)) return Quantity::of_nanos(sum);
  const Nanos most = static_cast<Nanos>(magnitude_max);
  return Quantity::of_nanos(a.nanos_ < 0 ? -most : most);
}

Quantity operator*(Quantity a, std::int64_t factor) {
  Nanos product = 0;
  if (!__builtin_mul_overflow(a.nanos_, static_cast<Nanos>(factor), &product)) return Quantity::of_nanos(product);
  const Nanos most = static_cast<Nanos>(magnitude_max);
  return Quantity::of_nanos((a.nanos_ < 0) != (factor < 0) ? -most : most);
}

}  // namespace portcullis::policy
