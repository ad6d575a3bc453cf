#include "policy/rule/findings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace portcullis::policy {

std::string pointer_token(std::string_view token) {
  std::string escaped;
  escaped.reserve(token.size());
  for (const char c : token) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string json_pointer(Value node) {
  std::vector<std::string> tokens;
  for (Value each = node; each && each.parent(); each = each.parent()) {
    const Value above = each.parent();
    if (above.is(ValueKind::array)) {
      std::size_t index = 0;
      for (const Value item : above) {
        if (item == each) break;
        ++index;
      }
      tokens.push_back(std::to_string(index));
    } else {
      tokens.push_back(pointer_token(each.key()));
    }
  }
  std::string pointer;
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) pointer += '/' + *token;
  return pointer;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Patch::json() const {
  std::string text = "[";
  for (const PatchOperation& operation : operations_) {
    if (text.size() > 1) text += ',';
    text += R"({"op":)" + json_string(operation.op) + R"(,"path":)" + json_string(operation.path);
    if (!operation.value.empty()) text += R"(,"value":)" + operation.value;
    text += '}';
  }
  return text + ']';
}

}  // namespace portcullis::policy
