// What the API server says when it does not do what it was asked (meta/v1 Status), and how a value is written into a query.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::kube {

struct StatusText {
  int code = 0;
  std::string reason, message;  // "AlreadyExists", "pods \"x\" already exists"; of a body that is no Status: "" and its first bytes
};
StatusText read_status(std::string_view body);

// RFC 3986 2.3: all but unreserved characters as %XX.
std::string query_escaped(std::string_view text);

}  // namespace portcullis::kube
