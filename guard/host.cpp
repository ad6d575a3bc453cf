#include "guard/host.hpp"

namespace portcullis::guard {

std::string_view normalise_host(std::string_view value, HostBuffer& buffer) {
  if (const std::size_t colon = value.rfind(':'); colon != std::string_view::npos) {
    const std::string_view port = value.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return {};
    value = value.substr(0, colon);
  }
  if (!value.empty() && value.back() == '.') value.remove_suffix(1);  // the DNS root, as a resolver reads it
  if (value.empty() || value.size() > host_bytes_max) return {};
  std::size_t label_begin = 0;
  bool digits_only = true;  // of the last label: an IPv4 address, in whatever form (RFC 3986 3.2.2, WHATWG URL 3.5)
  for (std::size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    const bool digit = c >= '0' && c <= '9';
    if (c == '.') {
      if (i == label_begin) return {};
      label_begin = i + 1;
      digits_only = true;
    } else if (!digit && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
      return {};
    } else {
      digits_only = digits_only && digit;
    }
    buffer[i] = c;
  }
  if (digits_only) return {};
  return {buffer.data(), value.size()};
}

}  // namespace portcullis::guard
