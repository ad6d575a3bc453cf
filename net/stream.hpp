// A byte stream to one peer, as a client: TCP or a Unix socket, TLS with the chain and the name verified where it is wanted.
// For protocols that are not HTTP; it knows nothing of what it carries, and begins nothing again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/client.hpp"
#include "net/task.hpp"

namespace portcullis::net {

struct StreamOptions {
  std::string host;  // a name or an IP literal without brackets; empty: `path`
  std::uint16_t port = 0;
  std::string path;              // of a Unix socket
  std::optional<ClientTls> tls;  // none: plain
  std::string server_name;       // for SNI and against the certificate; empty: `host`
  std::string peer;              // for errors
  // A peer that vanished is noticed after so long, whether bytes are on their way to it or not.
  std::chrono::seconds unacknowledged_time_max{2};
};

// On the thread of the Background that runs the task which dialled it. One read and one write may wait at once.
class Stream {
 public:
  // Resolves, connects and shakes hands, until `deadline`. Errors: unavailable, or a PEM text that cannot be used.
  static Task<Result<std::shared_ptr<Stream>>> dial(StreamOptions options, Deadline deadline);
  ~Stream();  // closes
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // How many bytes came, at least one. Errors: the peer closed, or the connection failed; then it is good for closing only.
  // `room` and the stream outlive the task; so do `bytes` below.
  Task<Result<std::size_t>> read_some(std::span<char> room);
  Task<Result<void>> write_all(std::string_view bytes);
  // What waits ends with an error. May be called again.
  void close();

 private:
  struct Impl;
  explicit Stream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::net
