// Everything on the wire has a bound, and the bound has a name. docs/limits.md lists them with what happens at each.
#pragma once

#include <chrono>
#include <cstddef>

namespace portcullis::net {

struct Limits {
  // One request.
  std::size_t header_bytes_max = 64 * 1024;      // 431; HTTP/2: also SETTINGS_MAX_HEADER_LIST_SIZE
  std::size_t header_fields_max = 100;           // 431
  std::size_t target_bytes_max = 16 * 1024;      // 414
  std::size_t body_bytes_max = 8 * 1024 * 1024;  // 413. The API server caps an object at 3 MiB; a review carries two.
  // One loop.
  std::size_t connections_max = 10'000;              // further ones: the oldest idle connection is closed, else refused
  std::size_t handshakes_max = 512;                  // unfinished TLS handshakes at once; further ones are refused
  std::size_t pending_bytes_max = 64 * 1024 * 1024;  // request bodies being received at once; above it 503 + Retry-After: 1
  // One HTTP/2 connection (RFC 9113 6.5.2).
  std::size_t streams_max = 100;  // 250 for the guard: one Traefik puts all its requests on one connection
  std::size_t stream_window_bytes = 64 * 1024;
  std::size_t connection_window_bytes = 1024 * 1024;
  std::size_t output_bytes_max = 1024 * 1024;  // unsent answers; above it the connection is closed
  // Time.
  std::chrono::seconds handshake_time_max{10};
  std::chrono::seconds header_time_max{10};  // from the first byte of a request to the end of its header
  std::chrono::seconds body_time_max{10};
  std::chrono::seconds write_time_max{10};
  std::chrono::seconds wait_time_max{35};        // for an answer that the handler owes; above the 30 s that a webhook may be given
  std::chrono::seconds linger_time_max{2};       // after our last byte: a close with bytes unread would take the answer back
  std::chrono::seconds idle_time_max{120};       // above the 90 s after which the API server and Traefik close (client-go, Go net/http)
  std::chrono::seconds connection_age_max{300};  // +-20 %, ended at a response boundary: spreads load over replicas
  std::chrono::seconds drain_delay{15};          // after SIGTERM: Endpoints need that long to forget us
  std::chrono::seconds drain_time_max{25};       // then every connection ends; below Kubernetes' 30 s grace
};

}  // namespace portcullis::net
