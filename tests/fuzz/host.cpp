// X-Forwarded-Host and listen addresses: a normalised host is its own normal form; a listen address prints as it reads.
#include "guard/host.hpp"

#include "net/listen_address.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  guard::HostBuffer buffer, other_buffer;
  const std::string_view host = guard::normalise_host(input, buffer);
  for (const char c : host)
    must((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_', "a host is lower case");
  if (!host.empty()) {
    must(guard::normalise_host(host, other_buffer) == host, "a host is its own form", host);
    must(guard::normalise_host(std::string(host) + ".:8443", other_buffer) == host, "root dot and port say nothing", host);
  }
  if (input.find('\0') != std::string_view::npos) return;  // no argument of a program holds one
  if (const auto address = net::parse_listen_address(input)) {
    const auto again = net::parse_listen_address(net::to_text(*address));
    must(again && again->host == address->host && again->port == address->port, "a listen address reads back");
  }
}
