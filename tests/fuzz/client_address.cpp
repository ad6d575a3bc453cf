// X-Forwarded-For, its lines one a line: the client is the hops-th element from the right of all lines joined, or nobody.
#include "guard/client_address.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using guard::Reason;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::uint32_t hops = 1 + fuzz::take(input) % 4;
  const auto lines = fuzz::split(input, '\n');
  guard::Address client{};
  const Reason reason = guard::find_client(lines, hops, client);

  std::string joined;
  for (const std::string_view line : lines) joined.append(joined.empty() && line.data() == lines[0].data() ? "" : ",").append(line);
  const auto elements = fuzz::split(joined, ',');
  if (elements.size() > guard::forwarded_for_elements_max || input.size() + 1 - lines.size() > guard::forwarded_for_bytes_max) {
    must(reason == Reason::forwarded_for_too_long, "a list beyond its bounds is refused");
    return;
  }
  std::optional<guard::Address> wanted;
  if (elements.size() >= hops) {
    std::string_view element = elements[elements.size() - hops];
    while (element.starts_with(' ')) element.remove_prefix(1);
    while (element.ends_with(' ')) element.remove_suffix(1);
    wanted = guard::parse_address(element);
    if (wanted && guard::is_link_local(*wanted)) wanted.reset();
  }
  must((reason == Reason::none) == wanted.has_value(), "there is a client where the element is an address");
  if (wanted) must(client == *wanted, "and it is that address");
}
