// A door's listeners: bytes to requests, answers to bytes. One loop a thread, each with its own SO_REUSEPORT listener on
// every address; a connection lives and dies on its loop. TLS 1.2/1.3 with ALPN h2 and http/1.1, or plain HTTP/1.1.
//
// What the wire refuses, the limits and their reasons stand in net/limits.hpp; the sources are RFC 9110, 9112, 9113.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/certificate.hpp"
#include "net/limits.hpp"
#include "net/request.hpp"

namespace portcullis::net {

class Waker;  // net/waker.hpp

// A door's answer to one request. One instance a loop, called on that loop's thread only; it never waits. An exception
// that escapes is logged and answered 500.
//
// What takes longer is answered later: answer() says response.wait(ticket), another thread says waker->wake(ticket), and
// the loop asks finish(ticket) for the answer. The connection reads no further request meanwhile (HTTP/1.1); of HTTP/2
// only the stream waits. Each ticket ends in one of two ways: finish() gave its answer, or abandoned().
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void attach(const std::shared_ptr<Waker>& /*waker*/) {}  // once, before the first request; the loop's thread has not begun
  virtual void answer(const Request& request, Response& response) = 0;
  // The answer to a request that waits; the request's views are gone. It may wait again, within the same wait_time_max.
  virtual void finish(std::uint64_t /*ticket*/, Response& response) { response.status = 500; }
  // Nobody wants the answer any more: the peer left, the server ended, or Limits::wait_time_max passed and 503 was said.
  // A wake that comes later is ignored.
  virtual void abandoned(std::uint64_t /*ticket*/) noexcept {}
};

struct ListenAddress {
  std::string host;        // an IP literal: 127.0.0.1, ::1, 0.0.0.0
  std::uint16_t port = 0;  // 0 takes a free one
  // Of a unix socket, in place of host and port. It is its owner's alone (mode 0600), takes the place of one that nobody
  // listens at any more, and goes with the server. One loop serves it.
  std::string path{};
};
// "127.0.0.1:8443", "[::1]:0".
Result<ListenAddress> parse_listen_address(std::string_view text);
// What only this machine reaches: the same with a loopback address, or the absolute path of a unix socket.
Result<ListenAddress> parse_local_address(std::string_view text);

enum class ClientAuth { off, optional, require };

struct TlsFiles {
  // PEM; the certificate file holds the chain. Both empty: the pair comes by Server::use_certificate(), and until it has come
  // every connection is closed.
  std::filesystem::path certificate, key;
  std::optional<std::filesystem::path> client_ca;  // PEM bundle
  ClientAuth client_auth = ClientAuth::off;
};

struct ServerOptions {
  std::string door;  // "webhook", "guard", "metrics": for logs and metrics
  std::vector<ListenAddress> listen;
  std::optional<TlsFiles> tls;  // without it: plain HTTP/1.1
  unsigned threads = 0;         // 0: one a core
  Limits limits;
};

// Counters of a server, summed over its loops; read at any time from any thread.
struct ServerStats {
  std::uint64_t connections_accepted = 0, connections_open = 0, connections_refused = 0;
  std::uint64_t requests_http1 = 0, requests_http2 = 0;
  std::uint64_t handshakes_failed = 0, handshakes_resumed = 0;
  std::uint64_t requests_malformed = 0;  // refused by the wire: 4xx of net's own, or a closed connection
  std::uint64_t requests_shed = 0;       // 503 with Retry-After: over the pending bound
  std::uint64_t requests_failed = 0;     // 500: the handler threw; 503: it owed an answer longer than wait_time_max
  std::uint64_t certificate_reloads = 0, certificate_reload_failures = 0;
  std::int64_t certificate_not_after = 0;  // Unix seconds of the leaf in use; 0 without TLS
};

class Server {
 public:
  using HandlerFactory = std::function<std::unique_ptr<Handler>(unsigned loop)>;
  // Binds, loads the certificate, starts the loops. Errors: an address that cannot be bound, a bad pair.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, const HandlerFactory& factory);
  ~Server();  // ends every connection at once

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::vector<ListenAddress>& addresses() const;  // as bound, with real ports
  [[nodiscard]] ServerStats stats() const;
  // Reads the pair again; a bad one is refused and the old one stays. Connections are not dropped; session tickets of the
  // former generation are no longer taken.
  Result<void> reload_certificate();
  [[nodiscard]] bool has_certificate() const;  // or needs none
  // The same with a pair in memory.
  Result<void> use_certificate(const PemPair& pair);
  // Graceful end: Request::draining is set, every HTTP/1.1 answer says Connection: close and HTTP/2 gets GOAWAY; new
  // connections are still taken for `delay` (by default limits.drain_delay), then the listeners close and idle connections
  // end. Once a server.
  void drain(std::optional<std::chrono::seconds> delay = std::nullopt);
  // Returns true once no connection is left, false at the deadline.
  bool wait_until_idle(Deadline deadline);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::net
