// Bytes over a blocking socket, plain or through TLS, for both ends of a test's connection.
#pragma once

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace portcullis::test {

// `ssl`: null for plain. False when the other side, or patience, gave up before all was sent.
inline bool send_all(int socket, SSL* ssl, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ssl ? static_cast<ssize_t>(SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())))
                           : ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// Some bytes; empty at the end, at an error, and when patience is over.
inline std::string receive_some(int socket, SSL* ssl) {
  char bytes[16 * 1024];
  const auto count = ssl ? static_cast<ssize_t>(SSL_read(ssl, bytes, sizeof bytes)) : ::recv(socket, bytes, sizeof bytes, 0);
  return count > 0 ? std::string(bytes, static_cast<std::size_t>(count)) : std::string();
}

}  // namespace portcullis::test
