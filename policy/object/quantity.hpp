// Kubernetes quantities, exactly (apimachinery pkg/api/resource/quantity.go): <sign><digits>[.<digits>]<suffix> with
// suffixes n u m "" k M G T P E, Ki Mi Gi Ti Pi Ei, or a decimal exponent e/E. Values are kept in nano units in a signed
// 128-bit integer, so that comparing and adding are exact. As Kubernetes does, what is below one nano is rounded up, and what
// has a binary suffix is capped at 2^63-1 whole units; beyond 128 bits all else is capped too.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/object/value.hpp"

namespace portcullis::policy {

class Quantity {
 public:
  __extension__ using Nanos = __int128;

  Quantity() = default;
  static Quantity of_nanos(Nanos nanos) {
    Quantity q;
    q.nanos_ = nanos;
    return q;
  }
  static Quantity of_units(std::int64_t units) { return of_nanos(static_cast<Nanos>(units) * 1'000'000'000); }

  // None when the text is no quantity (`1 Gi`, `0x10`, `1gi`, empty). At most 128 bytes are read.
  static std::optional<Quantity> parse(std::string_view text);
  // Of a judged object: a string, or a JSON number as the API server takes it. None for all else.
  static std::optional<Quantity> parse(Value value);

  [[nodiscard]] Nanos nanos() const { return nanos_; }
  [[nodiscard]] bool negative() const { return nanos_ < 0; }
  [[nodiscard]] bool zero() const { return nanos_ == 0; }
  // A short exact text for people: "500m", "2Gi", "1.5".
  [[nodiscard]] std::string text() const;

  // Saturating: never wraps.
  friend Quantity operator+(Quantity a, Quantity b);
  friend Quantity operator*(Quantity a, std::int64_t factor);
  friend auto operator<=>(Quantity a, Quantity b) { return a.nanos_ <=> b.nanos_; }
  friend bool operator==(Quantity a, Quantity b) { return a.nanos_ == b.nanos_; }

 private:
  Nanos nanos_ = 0;
};

}  // namespace portcullis::policy
