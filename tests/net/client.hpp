// A client for tests that sends exactly the bytes it is given, plain or over TLS, and never waits longer than a test may.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "net/server.hpp"
#include "tests/net/certificate.hpp"
#include "tests/net/wire.hpp"

namespace portcullis::test {

inline constexpr int patience_seconds = 20;

class Client {
 public:
  struct Tls {
    const Certificate* identity = nullptr;
    std::string protocol = {};  // ALPN; empty offers none
    int version_max = 0;        // TLS1_2_VERSION
    SSL_SESSION* session = nullptr;
    SSL_CTX* context = nullptr;  // one's own, to be used again
  };

  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    std::signal(SIGPIPE, SIG_IGN);  // servers under test close while we write
    const timeval patience{patience_seconds, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  // The handshake is done here; is_connected() says whether it went well.
  Client(std::uint16_t port, const Tls& tls) : Client(port) {
    context_ = tls.context ? tls.context : SSL_CTX_new(TLS_client_method());
    owns_context_ = !tls.context;
    SSL_CTX_set_security_level(context_, 0);  // else OpenSSL itself would not offer TLS 1.1
    ssl_ = SSL_new(context_);
    if (tls.version_max != 0) {
      SSL_set_min_proto_version(ssl_, TLS1_VERSION);
      SSL_set_max_proto_version(ssl_, tls.version_max);
    }
    if (tls.identity) {
      SSL_use_certificate(ssl_, tls.identity->certificate());
      SSL_use_PrivateKey(ssl_, tls.identity->key());
    }
    if (!tls.protocol.empty()) {
      const std::string list = static_cast<char>(tls.protocol.size()) + tls.protocol;
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(list.data()), static_cast<unsigned>(list.size()));
    }
    if (tls.session) SSL_set_session(ssl_, tls.session);
    SSL_set_fd(ssl_, socket_);
    ERR_clear_error();
    connected_ = connected_ && SSL_connect(ssl_) == 1;
  }
  ~Client() {
    if (ssl_ && connected_ && SSL_get_shutdown(ssl_) == 0) SSL_shutdown(ssl_);  // else OpenSSL would not resume its session
    SSL_free(ssl_);
    if (owns_context_) SSL_CTX_free(context_);
    if (socket_ >= 0) ::close(socket_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool is_connected() const { return connected_; }
  [[nodiscard]] SSL* ssl() const { return ssl_; }
  [[nodiscard]] int socket() const { return socket_; }

  bool send(std::string_view bytes) { return send_all(socket_, ssl_, bytes); }
  // Some bytes; empty at the end, at an error, and when patience is over.
  std::string receive() { return receive_some(socket_, ssl_); }
  // Everything up to the server's end of the connection.
  std::string receive_all() {
    std::string all = std::exchange(left_, {});
    for (std::string part = receive(); !part.empty(); part = receive()) all += part;
    return all;
  }
  // One answer with a Content-Length (or none, for 100 and 204), without what follows it.
  std::string receive_answer() {
    std::string all = std::exchange(left_, {});
    for (;;) {
      if (const auto end = all.find("\r\n\r\n"); end != std::string::npos) {
        const auto field = all.find("content-length: ");
        const std::size_t size = end + 4 + (field < end ? std::strtoul(all.c_str() + field + 16, nullptr, 10) : 0);
        if (all.size() >= size) {
          left_ = all.substr(size);
          all.resize(size);
          return all;
        }
      }
      const std::string part = receive();
      if (part.empty()) return all;
      all += part;
    }
  }
  std::string ask(std::string_view request) { return send(request) ? receive_answer() : std::string(); }

 private:
  int socket_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool owns_context_ = false, connected_ = false;
  std::string left_;
};

inline std::string status_of(std::string_view answer) { return std::string(answer.substr(0, answer.find("\r\n"))); }
inline std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}
inline std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }
inline std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

// Answers with what it understood, so that a test sees the request through the server's eyes.
class Mirror final : public net::Handler {
 public:
  void answer(const net::Request& request, net::Response& response) override {
    if (request.path() == "/throw") throw std::runtime_error("on purpose");
    if (request.path() == "/large") {
      response.body.assign(std::strtoul(std::string(request.query()).c_str(), nullptr, 10), 'x');
      return;
    }
    response.content_type = "text/plain";
    response.body.append(request.method).append(" ").append(request.target);
    if (request.path() == "/length") {
      response.body += " " + std::to_string(request.body.size()) +
                       (std::all_of(request.body.begin(), request.body.end(), [](char c) { return c == 'b'; }) ? " whole" : " broken");
    } else {
      response.body.append(" [").append(request.body).append("]");
    }
    if (const auto cookie = net::field_value(request, "cookie"); !cookie.empty()) response.body.append(" cookie=").append(cookie);
    if (!request.client_name.empty()) response.body.append(" client=").append(request.client_name);
    response.body.append(" host=").append(net::field_value(request, "host"));
    if (request.draining) response.body += " draining";
    response.header("x-answered", "yes");
  }
};

inline std::unique_ptr<net::Server> start_server(net::ServerOptions options) {
  if (options.door.empty()) options.door = "test";
  if (options.listen.empty()) options.listen = {{"127.0.0.1", 0}};
  if (options.threads == 0) options.threads = 1;
  auto server = net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Mirror>(); });
  if (!server) throw std::runtime_error(server.error().message());
  return *std::move(server);
}
inline std::uint16_t port_of(const net::Server& server) { return server.addresses().front().port; }

// Waits for `holds`, looking again and again; false when patience is over.
inline bool becomes_true(const std::function<bool()>& holds) {
  const auto deadline = Clock::now() + std::chrono::seconds(patience_seconds);
  while (!holds()) {
    if (Clock::now() > deadline) return false;
    ::usleep(2000);
  }
  return true;
}

}  // namespace portcullis::test
