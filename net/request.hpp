// One HTTP request and its answer, as the doors see them: meaning, not bytes. No type of Beast, OpenSSL or nghttp2 passes
// this border.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace portcullis::net {

// Readable bytes behind every request body, for simdjson (SIMDJSON_PADDING is 32 in 3.0, 64 in later releases).
inline constexpr std::size_t body_padding_bytes = 64;

struct Field {
  std::string_view name;  // lower case in HTTP/2, as sent in HTTP/1.1: compare without case
  std::string_view value;
};

struct Peer {
  std::array<std::uint8_t, 16> address{};  // IPv6, or IPv4 as ::ffff:a.b.c.d
  std::uint16_t port = 0;
  std::optional<std::uint32_t> uid{};      // of the process at the other end of a unix socket, which has no address
  [[nodiscard]] std::string text() const;  // "10.0.0.7:51322", "[2001:db8::1]:443", "uid 1000"
};

// Views are good until Handler::answer returns.
struct Request {
  std::string_view method;  // as sent; case matters (RFC 9110 9.1)
  std::string_view target;  // path and query as sent, ASCII
  std::span<const Field> fields;
  std::string_view body;  // body_padding_bytes readable behind it
  Peer peer;
  std::string_view client_name;  // subject of a verified client certificate; empty without one
  bool tls = false;
  bool http2 = false;
  bool draining = false;       // the server is about to go: readiness is off
  Clock::time_point received;  // when its first byte was read

  [[nodiscard]] std::string_view path() const { return target.substr(0, target.find('?')); }
  [[nodiscard]] std::string_view query() const {  // without '?', empty when there is none
    const auto mark = target.find('?');
    return mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  }
};

// The value of the only field called `name` (ASCII case folded), "" when absent. For deciding headers use the door's
// own look-up, which refuses doubles.
std::string_view field_value(const Request& request, std::string_view name);

// A reply. One object a loop is reused, so filling it allocates nothing once its strings have grown.
struct Response {
  struct Header {
    std::string_view name;  // lower case, static storage
    std::string value;
  };

  int status = 200;
  std::string_view content_type;  // static storage; empty leaves the header out
  std::string body;
  bool close = false;  // end the connection after this answer

  // There is no answer yet: whoever makes it calls Waker::wake(ticket), and Handler::finish fills it in. `ticket`: not
  // another's that waits on this loop. What stands here so far is forgotten.
  void wait(std::uint64_t ticket) {
    waits_ = true;
    ticket_ = ticket;
  }
  [[nodiscard]] bool waits() const { return waits_; }
  [[nodiscard]] std::uint64_t ticket() const { return ticket_; }

  void header(std::string_view name, std::string_view value);  // name: lower case, static storage
  [[nodiscard]] std::span<const Header> headers() const { return {headers_.data(), headers_used_}; }
  void clear();

 private:
  std::vector<Header> headers_;
  std::size_t headers_used_ = 0;
  std::uint64_t ticket_ = 0;
  bool waits_ = false;
};

}  // namespace portcullis::net
