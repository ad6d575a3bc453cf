// Who the request is from: the element of X-Forwarded-For that the trusted proxies vouch for, counted from the right.
//
// With `hops` proxies, the peer included, each appends the address it was called from, so the client is the hops-th element
// from the right; whatever stands left of it the client wrote himself and nobody reads it. Where that element is not an
// address there is no client, and the request is refused: "no address" must never mean "no limit".
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "guard/address.hpp"
#include "guard/reason.hpp"

namespace portcullis::guard {

inline constexpr std::size_t forwarded_for_elements_max = 32;
inline constexpr std::size_t forwarded_for_bytes_max = 4 * 1024;

// `lines` are the header's lines in order: one list. Fills `client` and returns Reason::none, or says why not. A list
// shorter than `hops` is bad: a proxy that should have appended did not.
Reason find_client(std::span<const std::string_view> lines, std::uint32_t hops, Address& client);

}  // namespace portcullis::guard
