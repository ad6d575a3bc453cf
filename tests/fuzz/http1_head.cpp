// A head alone: found at the same place however it arrives, and one that is taken says once where its body ends.
#include "net/http1_head.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const net::Limits limits;
  const std::size_t piece = 1 + fuzz::take(input) % 32;
  std::optional<net::Refusal> refusal, late_refusal;
  net::HeadScan scan, slow_scan;
  const std::size_t end = scan.find_end(input, limits, refusal);
  std::size_t slow_end = 0;
  for (std::size_t size = 0; size < input.size() && slow_end == 0 && !late_refusal;) {
    size = std::min(size + piece, input.size());
    slow_end = slow_scan.find_end(input.substr(0, size), limits, late_refusal);
  }
  must(end == slow_end && refusal.has_value() == late_refusal.has_value(), "a head ends where it ends");
  if (refusal || end == 0) return;
  must(input.substr(0, end).ends_with("\r\n\r\n"), "a head ends with an empty line");
  net::Http1Head head;
  if (net::parse_head(input.substr(0, end), limits, head)) return;
  must(!(head.chunked && head.content_length > 0), "a body has one length");
  must(head.fields.size() <= limits.header_fields_max + 1, "fields have their bound");
  unsigned hosts = 0;
  for (const net::Field& field : head.fields) {
    must(!field.name.empty(), "a field has a name");
    must(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos, "a field is one line");
    must(field.name.find_first_of(std::string_view(" \t:\r\n\0", 6)) == std::string_view::npos, "a name is a token");
    if (field.name.size() == 4 && (field.name[0] | 0x20) == 'h' && (field.name[1] | 0x20) == 'o' && (field.name[2] | 0x20) == 's' &&
        (field.name[3] | 0x20) == 't')
      ++hosts;
  }
  must(hosts == 1 || (hosts == 0 && !head.http11), "there is one Host");
  must(head.target.starts_with('/'), "the target begins with a slash");
}
