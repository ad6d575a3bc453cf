#include "guard/form_fields.hpp"

#include <algorithm>

#include "guard/text.hpp"

namespace portcullis::guard {
namespace {

constexpr std::size_t boundary_bytes_max = 70;  // RFC 2046 5.1.1
constexpr std::string_view line_end = "\r\n";

std::string decoded(std::string_view text) {
  std::string out;
  decode_form(text, out);
  return out;
}

FormField* field_of(std::span<FormField> wanted, std::string_view name) {
  const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const FormField& each) { return each.name == name; });
  return found == wanted.end() || found->value ? nullptr : &*found;
}

// One parameter, taken off the front of `rest`: `; name=value` or `; name="value"`. False where it is written otherwise.
bool take_parameter(std::string_view& rest, std::string_view& name, std::string_view& value) {
  if (!rest.starts_with(';')) return false;
  rest = trimmed(rest.substr(1));
  const std::size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return false;
  name = rest.substr(0, equals);
  rest.remove_prefix(equals + 1);
  if (!is_token(name)) return false;
  if (rest.starts_with('"')) {
    const std::size_t end = rest.find('"', 1);
    if (end == std::string_view::npos) return false;
    value = rest.substr(1, end - 1);
    rest = trimmed(rest.substr(end + 1));
    return value.find('\\') == std::string_view::npos;
  }
  const std::size_t end = std::min(rest.find(';'), rest.size());
  value = trimmed(rest.substr(0, end));
  rest.remove_prefix(end);
  return is_token(value);
}

// "" where there is none that can be used.
std::string_view boundary_of(std::string_view parameters) {
  std::string_view boundary, name, value;
  for (parameters = trimmed(parameters); !parameters.empty();) {
    if (!take_parameter(parameters, name, value)) return {};
    if (!equal_folded(name, "boundary")) continue;
    if (!boundary.empty()) return {};
    boundary = value;
  }
  return boundary.size() <= boundary_bytes_max ? boundary : std::string_view{};
}

// The field's name in a part's head; false where the head is not plain. `is_file`: it holds a file, which is no field.
bool read_part_head(std::string_view head, std::string_view& field, bool& is_file) {
  bool named = false;
  is_file = false;
  while (!head.empty()) {
    const std::size_t end = head.find(line_end);
    if (end == std::string_view::npos) return false;
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + line_end.size());
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;  // also a folded line
    if (line.find_first_of("\r\n") != std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon);
    if (equal_folded(name, "content-transfer-encoding")) return false;  // base64 is not read, here or by werkzeug
    if (!equal_folded(name, "content-disposition")) continue;
    std::string_view rest = trimmed(line.substr(colon + 1)), parameter, value;
    if (named || !equal_folded(rest.substr(0, 9), "form-data")) return false;
    for (rest = trimmed(rest.substr(9)); !rest.empty();) {
      if (!take_parameter(rest, parameter, value)) return false;
      if (equal_folded(parameter, "name") && !named) {
        field = value;
        named = true;
      } else if (equal_folded(parameter, "filename")) {
        is_file = true;
      } else {
        return false;
      }
    }
  }
  return named;
}

bool read_multipart(std::string_view boundary, std::string_view body, std::span<FormField> wanted) {
  const std::string delimiter = "\r\n--" + std::string(boundary);
  if (boundary.empty() || !body.starts_with(std::string_view(delimiter).substr(2))) return false;
  body.remove_prefix(delimiter.size() - 2);
  for (std::size_t parts = 0; parts <= form_fields_max; ++parts) {
    if (body == "--\r\n" || body == "--") return true;
    if (!body.starts_with(line_end)) return false;
    body.remove_prefix(line_end.size());
    const std::size_t head_end = body.find("\r\n\r\n"), part_end = body.find(delimiter);
    if (head_end == std::string_view::npos || part_end == std::string_view::npos || part_end < head_end + 2) return false;
    std::string_view name;
    bool is_file = false;
    if (!read_part_head(body.substr(0, head_end + 2), name, is_file)) return false;
    // An empty part's delimiter begins with the line end that ends its head.
    const std::size_t begin = std::min(head_end + 4, part_end);
    FormField* const field = is_file ? nullptr : field_of(wanted, name);
    if (field != nullptr) field->value = std::string(body.substr(begin, part_end - begin));
    body.remove_prefix(part_end + delimiter.size());
  }
  return false;
}

}  // namespace

bool read_urlencoded(std::string_view text, std::span<FormField> wanted) {
  for (std::size_t fields = 0; !text.empty(); ++fields) {
    if (fields == form_fields_max) return false;
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (FormField* const field = field_of(wanted, decoded(pair.substr(0, equals))))
      field->value = decoded(pair.substr(std::min(equals + 1, pair.size())));
  }
  return true;
}

FormKind read_form(std::string_view content_type, std::string_view body, std::span<FormField> wanted) {
  const std::size_t end = std::min(content_type.find(';'), content_type.size());
  const std::string_view type = trimmed(content_type.substr(0, end));
  if (equal_folded(type, "application/x-www-form-urlencoded") || equal_folded(type, "application/x-url-encoded"))
    return read_urlencoded(body, wanted) ? FormKind::form : FormKind::unreadable;
  if (!equal_folded(type, "multipart/form-data")) return FormKind::other;
  return read_multipart(boundary_of(content_type.substr(end)), body, wanted) ? FormKind::form : FormKind::unreadable;
}

}  // namespace portcullis::guard
