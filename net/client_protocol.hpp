// The client's side of a protocol on one connection, without its socket: calls and bytes in, bytes out. ClientHttp1 and
// ClientHttp2 are the two; the ClientLink around them reads, writes and watches the clock.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/client_call.hpp"

namespace portcullis::net {

class ClientProtocol {
 public:
  virtual ~ClientProtocol() = default;
  [[nodiscard]] virtual bool has_room() const = 0;     // takes another call now
  [[nodiscard]] virtual bool is_finished() const = 0;  // takes none any more, and none runs: to be closed
  [[nodiscard]] virtual std::size_t running() const = 0;
  virtual void start(ClientCall& call) = 0;
  virtual void stop(ClientCall& call) = 0;  // its caller leaves; whether it runs or not
  // Bytes of the peer. What it says is why the connection cannot go on.
  virtual std::optional<Error> feed(std::string_view bytes) = 0;
  // The peer has closed its half, cleanly or not; or we have closed it: every call that runs fails with `why`.
  virtual void end_of_input(bool clean) = 0;
  virtual void close(const Error& why) = 0;
  virtual void take_output(std::string& out) = 0;  // some of it; empty when there is none
  virtual bool ping() = 0;                         // false: the protocol has none
};

}  // namespace portcullis::net
