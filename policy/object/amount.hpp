// Amounts of a budget as the ledger keeps them: whole base units of a resource in 64 bits, rounded up. Millicores for cpu,
// bytes for memory and storage, one for counts and devices.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/object/quantity.hpp"

namespace portcullis::policy {

inline constexpr std::int64_t units_max = std::int64_t{1} << 62U;  // amounts saturate here; no budget holds so much

// Of "requests.cpu" or any other resource name, also with an entry before it ("acme-proj-*/requests.cpu"). Negative is 0.
std::int64_t base_units(std::string_view resource, Quantity quantity);
// The other way round, and as text for people: 1500 of requests.cpu is "1.5".
Quantity quantity_of(std::string_view resource, std::int64_t units);
std::string amount_text(std::string_view resource, std::int64_t units);

// "acme-proj-*/pods" -> "acme-proj-*" and "pods"; "pods" -> "" and "pods". Resource names hold a `/` of their own.
struct Dimension {
  std::string_view entry, resource;
};
Dimension split_dimension(std::string_view dimension);

}  // namespace portcullis::policy
