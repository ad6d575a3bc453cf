// The bytes of one socket, plain or through OpenSSL, never waiting. OpenSSL works on the descriptor itself, so a record
// costs one read and one write and no copy between buffers of ours.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "net/descriptor.hpp"

namespace portcullis::net {

enum class IoState { done, want_read, want_write, closed };
struct Io {
  IoState state = IoState::done;
  std::size_t bytes = 0;
};

class Transport {
 public:
  // Without a context: plain.
  Transport(Descriptor socket, SSL_CTX* context);

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  [[nodiscard]] bool is_tls() const { return ssl_ != nullptr; }

  Io handshake();
  [[nodiscard]] std::string failure() const { return failure_; }  // why the handshake ended
  [[nodiscard]] bool is_http2() const;                            // what ALPN chose
  [[nodiscard]] bool is_resumed() const { return ssl_ && SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] std::string client_name() const;  // RFC 2253 subject of a verified certificate

  Io read(char* into, std::size_t room);
  Io write(std::string_view bytes);
  // Bytes that readiness will not tell about: read from the socket, not yet by us.
  [[nodiscard]] bool has_pending() const { return ssl_ && SSL_has_pending(ssl_.get()) == 1; }
  // Whether the peer has closed its half or the whole, unread bytes or not.
  [[nodiscard]] bool peer_has_left() const;
  // Says goodbye and closes our half; the peer may still be sending.
  void shut_down();
  // Reads and drops what still comes, past TLS. Closed once the peer has closed its half.
  Io discard();

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Io result(int returned);

  Descriptor socket_;  // outlives ssl_
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::string failure_;
  unsigned key_updates_ = 0;
  bool broken_ = false;  // after SSL_ERROR_SSL or _SYSCALL OpenSSL forbids every further call

  static void count_key_updates(int write, int version, int type, const void* bytes, std::size_t size, SSL* ssl, void* self);
};

}  // namespace portcullis::net
