// The calls in a JSON-RPC or XML-RPC body, as far as credentials need: service, method and the first two arguments. No
// password is ever kept, and no tree is built of JSON; depth is bounded.
//
// One body may hold many calls: a JSON-RPC batch, or XML-RPC's system.multicall. Odoo answers neither today, but who counts
// requests instead of calls is a setting away from being wrong.
// Strict where readers differ: XML with a document type, an encoding but UTF-8, or a shape that the specification does not
// have is unreadable; Python's reader would find calls in some of it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::guard {

inline constexpr std::size_t rpc_depth_max = 64;
inline constexpr std::size_t rpc_text_bytes_max = 1024;  // of a value that is kept; what is longer is cut

struct RpcValue {
  enum class Kind : std::uint8_t { absent, text, number, other };
  Kind kind = Kind::absent;
  std::string text;  // a number's too: a whole one, as Python's int() makes it
};

struct RpcCall {
  RpcValue service, method;      // of XML-RPC the method alone
  RpcValue database, login;      // `db` and `login` in the params of JSON-RPC
  std::array<RpcValue, 2> args;  // the first two
  // JSON-RPC's params are a list of pairs, or its args an object or a text: Python makes arguments even of those.
  bool odd = false;
};
using TakeCall = std::function<void(const RpcCall&)>;

// False when the body is unreadable; calls before that were taken. Of a JSON key that comes twice the last counts, as for
// Python.
bool read_json_calls(std::string_view body, const TakeCall& take);
bool read_xml_calls(std::string_view body, const TakeCall& take);

}  // namespace portcullis::guard
