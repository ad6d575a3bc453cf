#include "net/transport.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>

#include "net/tls_context.hpp"

namespace portcullis::net {
namespace {

// TLS 1.3 key updates cost us a derivation each, and SSL_read goes on through any number of them. An honest peer needs one
// in 2^24 records.
constexpr unsigned key_updates_max = 32;

}  // namespace

Transport::Transport(Descriptor socket, SSL_CTX* context) : socket_(std::move(socket)) {
  if (!context) return;
  ssl_.reset(SSL_new(context));
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket_.get()) != 1) throw std::bad_alloc();
  SSL_set_accept_state(ssl_.get());
}

void Transport::count_key_updates(int write, int, int type, const void* bytes, std::size_t size, SSL*, void* self) {
  if (write != 0 || type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
  auto& transport = *static_cast<Transport*>(self);
  if (++transport.key_updates_ > key_updates_max) ::shutdown(transport.socket_.get(), SHUT_RDWR);
}

Io Transport::result(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return {IoState::want_read};
    case SSL_ERROR_WANT_WRITE:
      return {IoState::want_write};
    case SSL_ERROR_ZERO_RETURN:
      return {IoState::closed};
    default:
      broken_ = true;
      return {IoState::closed};
  }
}

Io Transport::handshake() {
  if (!ssl_) return {};
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  if (returned == 1) {
    SSL_set_msg_callback(ssl_.get(), count_key_updates);
    SSL_set_msg_callback_arg(ssl_.get(), this);
    return {};
  }
  const Io io = result(returned);
  if (io.state == IoState::closed) failure_ = ERR_peek_error() ? openssl_errors() : "the peer left";
  return io;
}

bool Transport::is_http2() const {
  if (!ssl_) return false;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

std::string Transport::client_name() const {
  if (!ssl_ || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (!certificate) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), &BIO_free);
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

Io Transport::read(char* into, std::size_t room) {
  if (broken_) return {IoState::closed};
  if (ssl_) {
    ERR_clear_error();
    const int returned = SSL_read(ssl_.get(), into, static_cast<int>(std::min<std::size_t>(room, INT_MAX)));
    if (returned > 0) return {IoState::done, static_cast<std::size_t>(returned)};
    return result(returned);
  }
  for (;;) {
    const ssize_t count = ::recv(socket_.get(), into, room, 0);
    if (count > 0) return {IoState::done, static_cast<std::size_t>(count)};
    if (count == 0) return {IoState::closed};
    if (errno == EAGAIN) return {IoState::want_read};
    if (errno != EINTR) return {IoState::closed};
  }
}

Io Transport::write(std::string_view bytes) {
  if (broken_) return {IoState::closed};
  if (ssl_) {
    ERR_clear_error();
    const int returned = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
    if (returned > 0) return {IoState::done, static_cast<std::size_t>(returned)};
    return result(returned);
  }
  for (;;) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return {IoState::done, static_cast<std::size_t>(count)};
    if (errno == EAGAIN) return {IoState::want_write};
    if (errno != EINTR) return {IoState::closed};
  }
}

bool Transport::peer_has_left() const {
  pollfd socket{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&socket, 1, 0) == 1;
}

void Transport::shut_down() {
  if (ssl_ && !broken_ && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

Io Transport::discard() {
  char nothing[16 * 1024];
  for (int turn = 0; turn < 16; ++turn) {
    const ssize_t count = ::recv(socket_.get(), nothing, sizeof nothing, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return {IoState::closed};
    if (count < 0) return {IoState::want_read};
  }
  return {IoState::want_read};
}

}  // namespace portcullis::net
