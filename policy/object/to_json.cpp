#include "policy/object/to_json.hpp"

#include "policy/rule/findings.hpp"

namespace portcullis::policy {
namespace {

void append(std::string& out, Value value) {
  switch (value.kind()) {
    case ValueKind::absent:
    case ValueKind::null:
      out += "null";
      return;
    case ValueKind::boolean:
    case ValueKind::number:
      out += value.token();
      return;
    case ValueKind::string:
      out += json_string(value.text());
      return;
    case ValueKind::array:
    case ValueKind::object:
      break;
  }
  const bool object = value.is(ValueKind::object);
  out += object ? '{' : '[';
  bool first = true;
  for (const Value child : value) {
    if (!first) out += ',';
    first = false;
    if (object) out += json_string(child.key()) + ':';
    append(out, child);
  }
  out += object ? '}' : ']';
}

}  // namespace

std::string to_json(Value value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace portcullis::policy
