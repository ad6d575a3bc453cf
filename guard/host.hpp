// A host name as tenants own it: lower case, no port, no root dot. What is no DNS name (a list, user information, an
// address literal, non-ASCII, nothing) has no such form; it belongs to no tenant.
#pragma once

#include <array>
#include <string_view>

namespace portcullis::guard {

inline constexpr std::size_t host_bytes_max = 253;  // RFC 1035 3.1 in text form
using HostBuffer = std::array<char, host_bytes_max + 1>;

// The host in `buffer`, or "" when `value` is none.
std::string_view normalise_host(std::string_view value, HostBuffer& buffer);

}  // namespace portcullis::guard
