#include "net/peer_certificate.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "net/descriptor.hpp"
#include "net/openssl_handles.hpp"
#include "net/tls_context.hpp"

namespace portcullis::net {
namespace {

using AddressList = std::unique_ptr<addrinfo, FreeBy<freeaddrinfo>>;
using SslHandle = std::unique_ptr<SSL, FreeBy<SSL_free>>;

struct HostPort {
  std::string host, port;
};

HostPort split(const std::string& endpoint) {
  const auto colon = endpoint.rfind(':');
  if (colon == std::string::npos) return {};
  HostPort parts{endpoint.substr(0, colon), endpoint.substr(colon + 1)};
  if (parts.host.starts_with('[') && parts.host.ends_with(']')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  return parts;
}

// False at the deadline.
bool wait_for(int descriptor, short events, Deadline deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd each{descriptor, events, 0};
    const int ready = poll(&each, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// The first address that takes the connection.
Result<Descriptor> connect_to(const std::string& endpoint, Deadline deadline) {
  const HostPort parts = split(endpoint);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found); code != 0)
    return fail(ErrorKind::unavailable, endpoint, gai_strerror(code));
  const AddressList addresses(found);
  std::string why = "no address";
  for (const addrinfo* each = addresses.get(); each; each = each->ai_next) {
    Descriptor socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) continue;
    int error = connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (!wait_for(socket.get(), POLLOUT, deadline))
        return fail(ErrorKind::deadline_passed, endpoint, "no connection before the deadline");
      socklen_t size = sizeof error;
      getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) return socket;
    why = std::strerror(error);
  }
  return fail(ErrorKind::unavailable, endpoint, "no connection: " + why);
}

}  // namespace

bool is_endpoint(const std::string& text) {
  const HostPort parts = split(text);
  return !parts.host.empty() && parts.host.find('/') == std::string::npos && !parts.port.empty() && parts.port.size() <= 5 &&
         std::all_of(parts.port.begin(), parts.port.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

Result<std::string> fetch_certificates(const std::string& endpoint, const std::string& server_name, Deadline deadline) {
  auto socket = connect_to(endpoint, deadline);
  if (!socket) return tl::unexpected(socket.error());
  ERR_clear_error();
  const SslContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return fail(ErrorKind::unavailable, endpoint, "TLS cannot be set up: " + openssl_errors());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // what is shown is looked at, not trusted
  const SslHandle ssl(SSL_new(context.get()));
  if (!ssl || SSL_set_fd(ssl.get(), socket->get()) != 1 ||
      (!server_name.empty() && SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) != 1))
    return fail(ErrorKind::unavailable, endpoint, "TLS cannot be set up: " + openssl_errors());
  while (true) {
    const int done = SSL_connect(ssl.get());
    if (done == 1) break;
    const int why = SSL_get_error(ssl.get(), done);
    // A server that wants a client certificate ends the handshake only after it has shown its own.
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      if (SSL_get_peer_cert_chain(ssl.get())) break;
      return fail(ErrorKind::unavailable, endpoint, "the TLS handshake failed: " + openssl_errors());
    }
    if (!wait_for(socket->get(), why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
      return fail(ErrorKind::deadline_passed, endpoint, "no TLS handshake before the deadline");
  }
  ERR_clear_error();
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl.get());
  const Bio out(BIO_new(BIO_s_mem()));
  for (int at = 0; chain && out && at < sk_X509_num(chain); ++at) PEM_write_bio_X509(out.get(), sk_X509_value(chain, at));
  std::string text = out ? text_of(out.get()) : std::string();
  if (text.empty()) return fail(ErrorKind::unavailable, endpoint, "showed no certificate");
  return text;
}

}  // namespace portcullis::net
