#include "guard/client_address.hpp"

namespace portcullis::guard {
namespace {

// Proxies write ", " between elements. Only spaces go: a tab or anything else within makes an element no address.
std::string_view without_spaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Reason find_client(std::span<const std::string_view> lines, std::uint32_t hops, Address& client) {
  std::size_t bytes = 0, elements = 0;
  std::string_view deciding;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    bytes += line->size();
    if (bytes > forwarded_for_bytes_max) return Reason::forwarded_for_too_long;
    for (std::string_view rest = *line;;) {
      const std::size_t comma = rest.rfind(',');
      ++elements;
      if (elements > forwarded_for_elements_max) return Reason::forwarded_for_too_long;
      if (elements == hops) deciding = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
      if (comma == std::string_view::npos) break;
      rest = rest.substr(0, comma);
    }
  }
  if (elements < hops) return Reason::bad_client_address;
  const std::optional<Address> address = parse_address(without_spaces(deciding));
  if (!address || is_link_local(*address)) return Reason::bad_client_address;
  client = *address;
  return Reason::none;
}

}  // namespace portcullis::guard
