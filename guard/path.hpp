// X-Forwarded-Uri as Odoo will route it. WSGI servers decode the path once, werkzeug's router merges slashes and ignores a
// last one (odoo/http.py, strict_slashes=False), the website drops a language: `/web%2Flogin`, `//web/login`,
// `/fr/web/login` and `/web/login/` all reach the login controller.
//
// Because a proxy or an Odoo of another version may read one of these differently, several forms are given, and the caller
// classifies each of them and takes the strictest:
//   raw       the path as sent
//   decoded   percent-decoded once, slashes merged
//   resolved  decoded, with `\` read as `/` and dot segments resolved (RFC 3986 5.2.4); only where that changes anything
// Refused: what does not begin with `/` (an absolute URI, `*`), control characters, `#`, broken percent escapes in the path,
// escapes that decode to control characters, invalid UTF-8 (RFC 3629: no overlong forms), more than uri_bytes_max. `;x=1` is
// part of the path, as for Odoo. A broken escape in the query is no refusal: browsers send `?search=100%`.
#pragma once

#include <memory>
#include <string_view>

#include "guard/reason.hpp"

namespace portcullis::guard {

inline constexpr std::size_t uri_bytes_max = 16 * 1024;

// Room for one URI's forms; one a loop.
struct PathBuffer {
  std::unique_ptr<char[]> decoded = std::make_unique<char[]>(uri_bytes_max), resolved = std::make_unique<char[]>(uri_bytes_max);
};

struct PathForms {
  std::string_view raw, decoded, resolved;  // resolved is empty where it equals decoded
  std::string_view query;                   // without `?`, as sent
};

// The forms are good as long as `uri` and `buffer`.
Reason normalise_path(std::string_view uri, PathBuffer& buffer, PathForms& forms);

// True when Odoo's developer mode is asked for: a parameter `debug`, however escaped, that is not switched off (`debug=0`).
bool asks_for_debug(std::string_view query);

}  // namespace portcullis::guard
