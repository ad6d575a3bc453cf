// Some fields of a posted form, as werkzeug reads them for Odoo: application/x-www-form-urlencoded or multipart/form-data
// (RFC 7578). Of a field that comes twice the first counts; names are compared as decoded.
//
// Strict where readers differ: a multipart body that is not written exactly as browsers do (CRLF, one Content-Disposition with
// a quoted name a part, the closing delimiter) is unreadable rather than read in one of several ways.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace portcullis::guard {

inline constexpr std::size_t form_fields_max = 1'000;  // as werkzeug's max_form_parts

struct FormField {
  std::string_view name;
  std::optional<std::string> value;  // the first; none where the form has none
};

enum class FormKind : std::uint8_t { form, other, unreadable };

// Fills those of `wanted` that have no value yet. Other: the content type is none of a form's.
FormKind read_form(std::string_view content_type, std::string_view body, std::span<FormField> wanted);
// The fields of a query string, by the same rules. False when there are too many.
bool read_urlencoded(std::string_view text, std::span<FormField> wanted);

}  // namespace portcullis::guard
