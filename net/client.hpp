// An HTTP client for one peer: TLS with the chain and the name verified, HTTP/2 where ALPN gives it (many calls on one
// connection), else HTTP/1.1 with a small pool. Connections are made when they are needed, and after a failure not sooner
// than a growing delay allows. Redirects are not followed; nothing is sent to any other host.
//
// What the peer surely did not act on (REFUSED_STREAM, a stream above GOAWAY's last, RFC 9113 6.8, 8.7) is sent again on
// another connection; a GET also when the connection ended before its answer began.
//
// A Client may be made and destroyed by any thread, before its Background is; all else happens on the Background's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/background.hpp"
#include "net/task.hpp"

namespace portcullis::net {

struct ClientLimits {
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t header_fields_max = 100;
  std::size_t answer_bytes_max = 256 * 1024 * 1024;  // of one call(), inflated: a list of 50,000 large pods
  std::size_t stream_window_bytes = 4 * 1024 * 1024;
  std::size_t connection_window_bytes = 16 * 1024 * 1024;
  std::size_t streams_max = 100;                      // of one connection, if the peer allows as many
  std::size_t connections_max = 64;                   // HTTP/1.1 takes one a call
  std::chrono::seconds dial_time_max{10};             // name, connection and handshake
  std::chrono::seconds quiet_time_max{30};            // nothing read for so long: an HTTP/2 peer is sent a PING
  std::chrono::seconds pong_time_max{15};             // and nothing read for so long after it: the connection is closed
  std::chrono::seconds unacknowledged_time_max{30};   // TCP_USER_TIMEOUT
  std::chrono::milliseconds redial_delay_first{200};  // doubled with each failure in a row
  std::chrono::milliseconds redial_delay_max{2000};
};

struct ClientTls {
  std::string roots_pem;                 // whom to trust; empty: the system's roots
  std::string certificate_pem, key_pem;  // ours, with its chain; both empty: none
};

struct ClientOptions {
  std::string host;  // a name or an IP literal without brackets
  std::uint16_t port = 443;
  bool plain = false;       // http:// instead of TLS: on loopback only
  std::string socket{};     // the path of a unix socket to connect to, in place of host and port; plain
  std::string server_name;  // for SNI and against the certificate; empty: `host`
  bool http2 = true;        // offer it
  ClientLimits limits;
};

using ClientFields = std::vector<std::pair<std::string, std::string>>;

struct ClientRequest {
  std::string method = "GET";
  std::string target;   // path and query
  ClientFields fields;  // names in lower case; host, content-length and accept-encoding are the client's own
  std::string body;
  bool gzip = false;  // ask for a compressed answer
};

struct ClientResponse {
  int status = 0;
  ClientFields fields;  // names in lower case
  std::string body;
  [[nodiscard]] std::string_view field(std::string_view name) const;  // the first, or ""
};

// Counted since the start; read from any thread.
struct ClientStats {
  std::uint64_t dials = 0, dial_failures = 0;
};

class Client {
 public:
  // Errors: a PEM text that cannot be used, a plain peer that is not on loopback.
  static Result<std::unique_ptr<Client>> open(Background& background, ClientOptions options, const ClientTls& tls);
  ~Client();  // its connections end; calls that still run fail

  // For connections that are made from now on. On an error the former stay in use.
  Result<void> trust(const ClientTls& tls);
  // Present connections take no further call, and end with their last one.
  void retire_connections();

  // Errors: not reached or cut off (unavailable; of a write nobody knows whether it was done), deadline_passed,
  // limit_exceeded, or an answer that is none (invalid).
  Task<Result<ClientResponse>> call(ClientRequest request, Deadline deadline);
  // An answer that goes on: its head to `on_head`, each piece of its body to `on_bytes`; false from either ends it. True
  // when the body came whole.
  using OnHead = std::function<bool(const ClientResponse& head)>;
  using OnBytes = std::function<bool(std::string_view bytes)>;
  Task<Result<bool>> stream(ClientRequest request, OnHead on_head, OnBytes on_bytes, Deadline deadline);

  [[nodiscard]] const std::string& peer() const;  // "10.96.0.1:443", for errors
  [[nodiscard]] ClientStats stats() const;

 private:
  struct State;
  explicit Client(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace portcullis::net
