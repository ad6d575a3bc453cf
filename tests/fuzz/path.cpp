// X-Forwarded-Uri: what is decoded once, written again and read again stays as it is, and no other spelling of a path is taken
// less strictly than the path itself.
#include "guard/path.hpp"

#include "base/text.hpp"
#include "guard/route_class.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using guard::PathForms;
using guard::Reason;

namespace {

std::string encoded(std::string_view path) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string uri;
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#' || c == ' ') {
      uri += '%';
      uri += digits[static_cast<unsigned char>(c) >> 4];
      uri += digits[static_cast<unsigned char>(c) & 15];
    } else {
      uri += c;
    }
  }
  return uri;
}

int strictness(const PathForms& forms, std::string_view method) {
  return guard::route_class_info(guard::classify(forms, method)).strictness;
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  static guard::PathBuffer buffer, other_buffer;
  const std::string_view method = (fuzz::take(input) & 1) != 0 ? "GET" : "POST";
  PathForms forms;
  if (guard::normalise_path(input, buffer, forms) != Reason::none) return;
  must(is_utf8(forms.decoded) || forms.decoded.find_first_of("\x80") == std::string_view::npos, "a decoded path is UTF-8");
  must(forms.decoded.find("//") == std::string_view::npos, "slashes are merged");
  for (const char c : forms.decoded) must(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "no control character is decoded");
  static_cast<void>(guard::asks_for_debug(forms.query));
  const int strict = strictness(forms, method);
  int meant = 0;  // of the path as Odoo decodes it
  for (const std::string_view form : {forms.decoded, forms.resolved}) {
    const std::string uri = encoded(form);
    if (form.empty() || uri.size() > guard::uri_bytes_max) continue;
    PathForms again;
    must(guard::normalise_path(uri, other_buffer, again) == Reason::none, "a normalised path is a path", uri);
    must(again.decoded == form, "and stays as it is", uri);
    if (form == forms.decoded) meant = strictness(again, method);
    must(strict >= strictness(again, method), "a spelling is not taken less strictly than what it stands for", uri);
  }
  // Odoo's router merges slashes and ignores a last one.
  for (const std::string& spelling : {"/" + std::string(forms.raw), std::string(forms.raw) + "/"}) {
    PathForms again;
    if (spelling.size() > guard::uri_bytes_max) continue;
    must(guard::normalise_path(spelling, other_buffer, again) == Reason::none, "a slash more is a path too", spelling);
    again.query = forms.query;
    must(strictness(again, method) >= meant, "a slash more does not loosen", spelling);
  }
}
