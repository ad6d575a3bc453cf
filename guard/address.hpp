// Addresses as the guard compares them: 16 bytes, IPv4 as ::ffff:a.b.c.d, so that one host has one form however it was
// written. Parsing is inet_pton's, not inet_aton's: no octal, hexadecimal, short or zoned forms (RFC 4291, RFC 6943 3.1.1).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis::guard {

using Address = std::array<std::uint8_t, 16>;

inline constexpr std::size_t mapped_prefix_bytes = 12;  // ::ffff:0:0/96
inline bool is_ipv4(const Address& address) {
  constexpr std::array<std::uint8_t, mapped_prefix_bytes> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

// Nothing but an address: no port, brackets, quotes, zone or space around it.
std::optional<Address> parse_address(std::string_view text);
std::string address_text(const Address& address);  // "198.51.100.7", "2001:db8::1"

// The network of the first `prefix` bits, 0 to 128; of an IPv4 address 96 more than is written.
inline Address masked(Address address, unsigned prefix) {
  for (unsigned byte = 0; byte < address.size(); ++byte) {
    const unsigned kept = prefix > 8 * byte ? std::min(prefix - 8 * byte, 8U) : 0;
    address[byte] = static_cast<std::uint8_t>(address[byte] & (0xff00U >> kept));
  }
  return address;
}

// fe80::/10 means something on one link only; such a client cannot have come through a proxy.
inline bool is_link_local(const Address& address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

// What limits count as one client: an IPv4 address, or an IPv6 /64, which is the smallest network a host is given.
inline Address client_key(Address address) {
  if (!is_ipv4(address)) std::fill(address.begin() + 8, address.end(), std::uint8_t{0});
  return address;
}

}  // namespace portcullis::guard
