// A refusal in words its caller understands. Traefik passes status, headers and body of any answer but 2xx to the client.
//
// The Odoo web client ignores the status of an RPC and takes a JSON body without `error` for success, so its calls get a
// JSON-RPC error; XML-RPC libraries want a fault, people a page, everybody else application/problem+json (RFC 9457). Rates
// are told by RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10, RFC 9651 lists) and Retry-After,
// which is never earlier than their `t` and jittered, so that a swarm does not come back as one. No body names a tenant, and
// none comes near denial_bytes_max, above which a Traefik with `maxResponseBodySize` would make it a 401.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "guard/decide.hpp"
#include "guard/headers.hpp"
#include "guard/reason.hpp"
#include "guard/route_class.hpp"
#include "net/request.hpp"

namespace portcullis::guard {

inline constexpr std::size_t denial_bytes_max = 16 * 1024;
inline constexpr std::int64_t retry_jitter_seconds_max = 30;
inline constexpr std::uint32_t maintenance_retry_seconds = 60;

enum class DenialBody : std::uint8_t { empty, page, json_rpc, xml_rpc, problem };

// What the caller of `shape` can read. `path` as decoded.
DenialBody denial_body(DenialShape shape, const DecidingHeaders& headers, std::string_view path);

// What the denial's body is called in X-Guard-Body.
std::string_view denial_body_name(DenialBody body);

// How the proxy wants to be told. nginx' auth_request passes 401 and 403 and makes a 500 of everything else: there a denial
// is a 403 that says in X-Guard-Status, X-Guard-Retry-After and X-Guard-Body what the client shall get.
enum class Dialect : std::uint8_t { traefik, nginx };

struct Denial {
  Dialect dialect = Dialect::traefik;
  int status = 403;
  Reason reason = Reason::access;
  DenialBody body = DenialBody::problem;
  // Of a 429.
  std::optional<RouteClass> route_class{};
  std::string_view class_name{};
  PassedLimit limit{};
  std::string_view message{};  // of a maintenance
  std::uint64_t random = 0;    // for the jitter
};

void write_denial(const Denial& denial, net::Response& response);

// Whole seconds to wait: `wait` rounded up, plus up to half as much again, at least `seconds_min` jittered alike.
std::int64_t retry_after_seconds(std::int64_t wait_nanoseconds, std::uint32_t seconds_min, std::uint64_t random);

}  // namespace portcullis::guard
