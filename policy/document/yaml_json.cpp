// A YAML tree as JSON text. Depth is bounded by the parser, so recursion is too.
#include <array>

#include "policy/document/yaml.hpp"

namespace portcullis::policy::yaml {
namespace {

void put_string(std::string_view text, std::string& out) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += hex[byte >> 4U];
      out += hex[byte & 15U];
    } else {
      out += c;
    }
  }
  out += '"';
}

void put(const Node& node, std::string& out) {
  switch (node.kind) {
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
    case Kind::integer:
    case Kind::floating:
      out += node.text;
      return;
    case Kind::string:
      put_string(node.text, out);
      return;
    case Kind::sequence: {
      out += '[';
      const char* comma = "";
      for (const Node& item : node.items) {
        out += comma;
        put(item, out);
        comma = ",";
      }
      out += ']';
      return;
    }
    case Kind::mapping: {
      out += '{';
      const char* comma = "";
      for (const Pair& pair : node.pairs) {
        out += comma;
        put_string(pair.key, out);
        out += ':';
        put(pair.value, out);
        comma = ",";
      }
      out += '}';
      return;
    }
  }
}

}  // namespace

std::string to_json(const Node& node) {
  std::string out;
  put(node, out);
  return out;
}

}  // namespace portcullis::policy::yaml
