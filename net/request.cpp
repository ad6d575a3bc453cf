// Peers in text, fields by name, and a Response that keeps its memory from one request to the next.
#include "net/request.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace portcullis::net {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equal_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::string Peer::text() const {
  if (uid) return "uid " + std::to_string(*uid);
  char text[INET6_ADDRSTRLEN] = {};
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.begin())) {
    inet_ntop(AF_INET, address.data() + mapped_prefix.size(), text, sizeof text);
    return std::string(text) + ":" + std::to_string(port);
  }
  inet_ntop(AF_INET6, address.data(), text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(port);
}

std::string_view field_value(const Request& request, std::string_view name) {
  std::string_view found;
  bool seen = false;
  for (const Field& field : request.fields) {
    if (!equal_folded(field.name, name)) continue;
    if (seen) return {};  // two of them: neither is "the only one"
    seen = true;
    found = field.value;
  }
  return found;
}

void Response::header(std::string_view name, std::string_view value) {
  if (headers_used_ == headers_.size()) headers_.emplace_back();
  Header& slot = headers_[headers_used_++];
  slot.name = name;
  slot.value.assign(value);
  // A value may come from a request; it must not end its line and begin another (response splitting).
  for (char& c : slot.value) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') c = ' ';
    if (c == 0x7f) c = ' ';
  }
}

void Response::clear() {
  status = 200;
  content_type = {};
  body.clear();
  close = false;
  waits_ = false;
  headers_used_ = 0;
}

}  // namespace portcullis::net
