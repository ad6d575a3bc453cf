#include <algorithm>
#include <pugixml.hpp>

#include "guard/rpc_calls.hpp"

namespace portcullis::guard {
namespace {

using Kind = RpcValue::Kind;

// No document type is expanded; it is only seen, to be refused. pugixml's parser goes down without recursion, and so do we: to
// the depth that a call has.
constexpr unsigned flags =
    pugi::parse_escapes | pugi::parse_eol | pugi::parse_cdata | pugi::parse_ws_pcdata | pugi::parse_declaration | pugi::parse_doctype;
constexpr std::string_view spaces = " \t\r\n";

bool is_text(const pugi::xml_node& node) { return node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata; }
bool is_blank(const pugi::xml_node& node) {
  return node.type() == pugi::node_pcdata && std::string_view(node.value()).find_first_not_of(spaces) == std::string_view::npos;
}
bool is_named(const pugi::xml_node& node, std::string_view name) { return node.type() == pugi::node_element && name == node.name(); }

// The whole text of an element that has nothing else in it; false where it has.
bool text_of(const pugi::xml_node& element, std::string& text) {
  text.clear();
  for (const pugi::xml_node& child : element) {
    if (!is_text(child)) return false;
    text += child.value();
  }
  return true;
}

// The elements in an element, which may have blanks between them and nothing else.
template <class Visit>
bool each_element(const pugi::xml_node& element, const Visit& visit) {
  return std::all_of(element.begin(), element.end(),
                     [&](const pugi::xml_node& child) { return is_blank(child) || (child.type() == pugi::node_element && visit(child)); });
}

// The only element in an element, or none.
pugi::xml_node only_element(const pugi::xml_node& element) {
  pugi::xml_node only;
  const bool fine = each_element(element, [&](const pugi::xml_node& child) {
    if (only) return false;
    only = child;
    return true;
  });
  return fine ? only : pugi::xml_node();
}

bool read_value(const pugi::xml_node& value, RpcValue& read) {
  read = {Kind::text, {}};
  if (!is_named(value, "value")) return false;
  if (text_of(value, read.text)) {  // untyped: a string
    read.text.resize(std::min(read.text.size(), rpc_text_bytes_max));
    return true;
  }
  const pugi::xml_node typed = only_element(value);
  if (!typed) return false;
  const std::string_view type = typed.name();
  if (type == "array" || type == "struct" || type == "nil") {
    read = {Kind::other, {}};
    return true;
  }
  constexpr std::array<std::string_view, 9> scalars{"string", "int", "i4", "i8", "boolean", "double", "i2", "base64", "dateTime.iso8601"};
  if (std::find(scalars.begin(), scalars.end(), type) == scalars.end() || !text_of(typed, read.text)) return false;
  read.text.resize(std::min(read.text.size(), rpc_text_bytes_max));
  if (type == "base64" || type == "dateTime.iso8601") {
    read = {Kind::other, {}};
  } else if (type != "string") {
    read.kind = Kind::number;
    // int() of a double cuts what is behind the point.
    if (type == "double") read.text.resize(std::min(read.text.find('.'), read.text.size()));
  }
  return true;
}

bool read_args(const pugi::xml_node& parent, std::string_view wrapper, RpcCall& call) {
  std::size_t index = 0;
  return each_element(parent, [&](const pugi::xml_node& child) {
    const pugi::xml_node value = wrapper.empty() ? child : is_named(child, wrapper) ? only_element(child) : pugi::xml_node();
    RpcValue read;
    if (!value || !read_value(value, read)) return false;
    if (index < call.args.size()) call.args[index++] = std::move(read);
    return true;
  });
}

pugi::xml_node array_data(const pugi::xml_node& value) {
  const pugi::xml_node array = is_named(value, "value") ? only_element(value) : pugi::xml_node();
  const pugi::xml_node data = is_named(array, "array") ? only_element(array) : pugi::xml_node();
  return is_named(data, "data") ? data : pugi::xml_node();
}

// One struct of system.multicall: methodName and params.
bool read_nested_call(const pugi::xml_node& value, const TakeCall& take) {
  const pugi::xml_node fields = is_named(value, "value") ? only_element(value) : pugi::xml_node();
  if (!is_named(fields, "struct")) return false;
  RpcCall call;
  const bool fine = each_element(fields, [&](const pugi::xml_node& member) {
    if (!is_named(member, "member")) return false;
    std::string name;
    const pugi::xml_node name_node = member.child("name"), field = member.child("value");
    if (!text_of(name_node, name) || !field) return false;
    if (name == "methodName") return read_value(field, call.method);
    if (name != "params") return true;
    call.args = {};
    const pugi::xml_node data = array_data(field);
    return data && read_args(data, "", call);
  });
  if (fine) take(call);
  return fine;
}

bool read_call(const pugi::xml_node& root, const TakeCall& take) {
  if (!is_named(root, "methodCall")) return false;
  RpcCall call;
  pugi::xml_node params;
  bool named = false;
  const bool fine = each_element(root, [&](const pugi::xml_node& child) {
    if (is_named(child, "methodName") && !named && !params) {
      named = true;
      call.method.kind = Kind::text;
      return text_of(child, call.method.text);
    }
    if (!is_named(child, "params") || !named || params) return false;
    params = child;
    return true;
  });
  if (!fine || !named) return false;
  const std::size_t begin = std::min(call.method.text.find_first_not_of(spaces), call.method.text.size());
  call.method.text = call.method.text.substr(begin, call.method.text.find_last_not_of(spaces) + 1 - begin);
  call.method.text.resize(std::min(call.method.text.size(), rpc_text_bytes_max));
  if (call.method.text != "system.multicall") {
    if (params && !read_args(params, "param", call)) return false;
    take(call);
    return true;
  }
  const pugi::xml_node param = params ? only_element(params) : pugi::xml_node();
  const pugi::xml_node data = is_named(param, "param") ? array_data(only_element(param)) : pugi::xml_node();
  return data && each_element(data, [&](const pugi::xml_node& value) { return read_nested_call(value, take); });
}

bool is_utf8_declared(const pugi::xml_node& declaration) {
  std::string encoding = declaration.attribute("encoding").as_string("utf-8");
  std::transform(encoding.begin(), encoding.end(), encoding.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return encoding == "utf-8" || encoding == "utf8" || encoding == "us-ascii" || encoding == "ascii";
}

}  // namespace

bool read_xml_calls(std::string_view body, const TakeCall& take) {
  pugi::xml_document document;
  if (body.find('\0') != std::string_view::npos || !document.load_buffer(body.data(), body.size(), flags, pugi::encoding_utf8))
    return false;
  pugi::xml_node root;
  for (const pugi::xml_node& node : document) {
    if (is_blank(node)) continue;
    if (node.type() == pugi::node_declaration && !root && is_utf8_declared(node)) continue;
    if (node.type() != pugi::node_element || root) return false;
    root = node;
  }
  return read_call(root, take);
}

}  // namespace portcullis::guard
