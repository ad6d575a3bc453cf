#include "guard/headers.hpp"

#include <charconv>

namespace portcullis::guard {
namespace {

constexpr std::array<char, 256> make_lower() {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c) table[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return table;
}
constexpr auto lower_table = make_lower();
constexpr char lower(char c) { return lower_table[static_cast<unsigned char>(c)]; }

enum class Match { no, exact, alias };

// `name` against `wanted` (lower case), without case; an underscore or a dot where `wanted` has a dash makes it an alias.
Match match(std::string_view name, std::string_view wanted) {
  // The names that share a length differ in their last letter, so one look tells most fields apart.
  if (name.size() != wanted.size() || lower(name.back()) != wanted.back()) return Match::no;
  Match found = Match::exact;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (lower(name[i]) == wanted[i]) continue;
    if (wanted[i] != '-' || (name[i] != '_' && name[i] != '.')) return Match::no;
    found = Match::alias;
  }
  return found;
}

struct Reader {
  DecidingHeaders& headers;
  bool method = false, uri = false, host = false, authorization = false, database = false;
  Reason reason = Reason::none;

  void refuse(Reason why) {
    if (reason == Reason::none) reason = why;
  }
  // True when `field` is `name` itself; refuses an alias.
  bool is(const net::Field& field, std::string_view name) {
    const Match found = match(field.name, name);
    if (found == Match::alias) refuse(Reason::aliased_header);
    return found == Match::exact;
  }
  void once(std::string_view value, std::string_view& into, bool& seen) {
    if (seen) refuse(Reason::doubled_header);
    seen = true;
    into = value;
  }
  static void first(std::string_view value, std::string_view& into) {
    if (into.empty()) into = value;
  }
  void read(const net::Field& field) {
    switch (field.name.size()) {  // few names have these lengths, so most fields cost one comparison
      case 6:
        if (is(field, "cookie")) {
          if (headers.cookie_count < cookie_lines_max) headers.cookie_lines[headers.cookie_count++] = field.value;
        } else if (is(field, "accept")) {
          first(field.value, headers.accept);
        }
        break;
      case 12:
        if (match(field.name, "content-type") == Match::exact) first(field.value, headers.content_type);
        break;
      case 13:
        if (is(field, "authorization")) once(field.value, headers.authorization, authorization);
        break;
      case 14:
        if (match(field.name, "sec-fetch-mode") == Match::exact) first(field.value, headers.fetch_mode);
        if (match(field.name, "content-length") == Match::exact)
          std::from_chars(field.value.data(), field.value.data() + field.value.size(), headers.content_length);
        break;
      case 15:
        if (is(field, "x-forwarded-for")) {
          if (headers.forwarded_for_count == forwarded_for_lines_max) {
            refuse(Reason::forwarded_for_too_long);
          } else {
            headers.forwarded_for_lines[headers.forwarded_for_count++] = field.value;
          }
        } else if (is(field, "x-forwarded-uri")) {
          once(field.value, headers.uri, uri);
        } else if (is(field, "x-odoo-database")) {
          once(field.value, headers.database, database);
        }
        break;
      case 16:
        if (is(field, "x-forwarded-host")) once(field.value, headers.host, host);
        break;
      case 18:
        if (is(field, "x-forwarded-method")) once(field.value, headers.method, method);
        break;
      case 20:
        if (match(field.name, "x-openerp-session-id") != Match::no) headers.names_session = true;
        break;
      default:
        break;
    }
  }
};

}  // namespace

Reason read_headers(std::span<const net::Field> fields, DecidingHeaders& headers) {
  headers.method = headers.uri = headers.host = headers.authorization = headers.database = {};
  headers.names_session = false;
  headers.content_length = 0;
  headers.accept = headers.fetch_mode = headers.content_type = {};
  headers.forwarded_for_count = headers.cookie_count = 0;
  Reader reader{headers};
  for (const net::Field& field : fields) reader.read(field);
  if (reader.reason != Reason::none) return reader.reason;
  if (headers.forwarded_for_count == 0) return Reason::missing_forwarded_for;
  if (!reader.host) return Reason::missing_forwarded_host;
  if (!reader.uri) return Reason::missing_forwarded_uri;
  if (!reader.method) return Reason::missing_forwarded_method;
  return Reason::none;
}

}  // namespace portcullis::guard
