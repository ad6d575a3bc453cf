// The headers that decide, read once: each is there exactly once and under its own name, or the request is refused.
//
// Everything wrong with header-driven gates began with a header that vanished (Connection tokens: CVE-2021-32813,
// CVE-2024-45410) or that came twice (aliases that WSGI folds: CVE-2026-39858). So: missing is a refusal with its own
// reason, doubled or aliased is a 400, and nothing else is ever consulted in its place: no Forwarded, X-Real-Ip,
// True-Client-IP, CF-Connecting-IP, X-Forwarded-Proto or -Port.
// Several X-Forwarded-For lines are one list (RFC 9110 5.3); Cookie may come in crumbs (RFC 9113 8.2.3).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "guard/reason.hpp"
#include "net/request.hpp"

namespace portcullis::guard {

inline constexpr std::size_t forwarded_for_lines_max = 32;  // as many as the list may have elements
inline constexpr std::size_t cookie_lines_max = 64;         // Traefik sends one; browsers on HTTP/2 up to one a cookie

struct DecidingHeaders {
  std::string_view method, uri, host;                 // X-Forwarded-Method, -Uri, -Host
  std::string_view authorization;                     // "" when absent
  std::string_view database;                          // X-Odoo-Database, which Odoo 19 follows
  bool names_session = false;                         // X-Openerp-Session-Id, which old versions took for the cookie
  std::uint64_t content_length = 0;                   // of the client's body, where the proxy tells; 0 otherwise
  std::string_view accept, fetch_mode, content_type;  // of a denial's shape only; the first of each
  std::array<std::string_view, forwarded_for_lines_max> forwarded_for_lines;
  std::array<std::string_view, cookie_lines_max> cookie_lines;  // further ones are not read: they key nothing
  std::size_t forwarded_for_count = 0, cookie_count = 0;

  [[nodiscard]] std::span<const std::string_view> forwarded_for() const { return {forwarded_for_lines.data(), forwarded_for_count}; }
  [[nodiscard]] std::span<const std::string_view> cookies() const { return {cookie_lines.data(), cookie_count}; }
};

// Reads `fields` into `headers`. Reason::none when all deciding headers are there, once each.
Reason read_headers(std::span<const net::Field> fields, DecidingHeaders& headers);

}  // namespace portcullis::guard
