// The names of Odoo's route classes as documents write them; the guard's table of routes (guard/route_class.cpp) is in this
// order. A name is never reused for another meaning.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace portcullis::policy {

inline constexpr std::array<std::string_view, 26> route_class_names{
    "db-admin", "login",      "login-page", "signup-reset", "rpc-legacy", "rpc-json2", "rpc-web", "export", "report",
    "barcode",  "upload",     "image",      "static",       "ws-connect", "poll",      "discuss", "shop",   "public",
    "form",     "pay-client", "pay-hook",   "health",       "dev",        "pos",       "scan",    "other"};

// The index of `name` in route_class_names, or their number when there is no such class.
constexpr std::size_t route_class_index(std::string_view name) {
  std::size_t index = 0;
  while (index < route_class_names.size() && route_class_names[index] != name) ++index;
  return index;
}

}  // namespace portcullis::policy
