// A server that does what a script says, byte by byte, plain or over TLS: for peers that are wrong, slow or gone.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/net/certificate.hpp"
#include "tests/net/wire.hpp"

namespace portcullis::test {

class ScriptedServer {
 public:
  class Peer {
   public:
    Peer(int socket, SSL* ssl) : socket_(socket), ssl_(ssl) {}
    bool send(std::string_view bytes) { return send_all(socket_, ssl_, bytes); }
    // Reads until `bytes` holds what is looked for, or the client leaves.
    bool receive_until(const std::function<bool(const std::string&)>& enough) {
      while (!enough(got)) {
        const std::string some = receive_some(socket_, ssl_);
        if (some.empty()) return false;
        got += some;
      }
      return true;
    }
    bool receive_head() {
      return receive_until([](const std::string& text) { return text.find("\r\n\r\n") != std::string::npos; });
    }
    bool receive(std::string_view part) {
      return receive_until([part](const std::string& text) { return text.find(part) != std::string::npos; });
    }
    // Until the client has gone.
    void wait_for_end() {
      receive_until([](const std::string&) { return false; });
    }
    void say_goodbye() {
      if (ssl_) SSL_shutdown(ssl_);
    }
    std::string got;

   private:
    int socket_;
    SSL* ssl_;
  };
  // `number`: of the connection, from 0. The connection is closed when it returns.
  using Script = std::function<void(Peer& peer, int number)>;

  // `protocol`: what ALPN gives; "" means plain.
  ScriptedServer(Script script, const Certificate* identity = nullptr, std::string protocol = {})
      : script_(std::move(script)), protocol_(std::move(protocol)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    std::signal(SIGPIPE, SIG_IGN);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
      throw std::runtime_error("no scripted server");
    }
    port_ = ntohs(at.sin_port);
    if (identity) {
      context_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate(context_, identity->certificate());
      SSL_CTX_use_PrivateKey(context_, identity->key());
      SSL_CTX_set_alpn_select_cb(
          context_,
          [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char*, unsigned, void* self) {
            const std::string& chosen = static_cast<ScriptedServer*>(self)->protocol_;
            *out = reinterpret_cast<const unsigned char*>(chosen.data());
            *out_size = static_cast<unsigned char>(chosen.size());
            return SSL_TLSEXT_ERR_OK;
          },
          this);
    }
    thread_ = std::thread([this] { accept(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    for (auto& thread : connections_) thread.join();
    ::close(listener_);
    SSL_CTX_free(context_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int accepted() const { return accepted_; }

 private:
  void accept() {
    for (int number = 0;; ++number) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      ++accepted_;
      {
        const std::lock_guard lock(mutex_);
        sockets_.push_back(socket);
      }
      connections_.emplace_back([this, socket, number] { serve(socket, number); });
    }
  }
  void serve(int socket, int number) {
    SSL* ssl = context_ ? SSL_new(context_) : nullptr;
    if (ssl) SSL_set_fd(ssl, socket);
    Peer peer(socket, ssl);
    if (!ssl || SSL_accept(ssl) == 1) script_(peer, number);
    const std::lock_guard lock(mutex_);
    std::erase(sockets_, socket);
    ::shutdown(socket, SHUT_WR);
    SSL_free(ssl);
    ::close(socket);
  }

  Script script_;
  std::string protocol_;
  int listener_;
  std::uint16_t port_ = 0;
  SSL_CTX* context_ = nullptr;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::vector<int> sockets_;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

// HTTP/2 frames by hand (RFC 9113 4.1).
inline std::string http2_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string frame;
  for (const std::uint32_t byte : {size >> 16U, size >> 8U, size, static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(flags),
                                   stream >> 24U, stream >> 16U, stream >> 8U, stream}) {
    frame += static_cast<char>(byte & 0xffU);
  }
  return frame.append(payload);
}
inline std::string number32(std::uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U & 0xffU), static_cast<char>(value >> 8U & 0xffU),
          static_cast<char>(value & 0xffU)};
}

}  // namespace portcullis::test
