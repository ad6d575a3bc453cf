#include "net/client_link.hpp"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/as_values.hpp"
#include "net/client_http1.hpp"
#include "net/client_http2.hpp"
#include "net/descriptor.hpp"
#include "observe/log.hpp"

namespace portcullis::net {
namespace asio = boost::asio;
namespace {

constexpr std::size_t read_bytes = 64 * 1024;  // four TLS records

void set(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

// A peer that vanished is noticed in unacknowledged_time_max, whether bytes are on their way or not.
void tune(int fd, const ClientLimits& limits) {
  const auto seconds = static_cast<int>(limits.unacknowledged_time_max.count());
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, seconds / 3));
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

// The coroutines of a link end when it closes; an exception that escapes one is our own bug.
void judge(const std::exception_ptr& escaped) {
  if (!escaped) return;
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& error) {
    observe::log(observe::Level::error, "client_connection_failed", {{"error", printable(error.what())}});
    std::abort();
  }
}

}  // namespace

ClientLink::ClientLink(const asio::any_io_executor& executor, const ClientLimits& limits)
    : limits_(limits), resolver_(executor), socket_(executor) {}

Task<Result<std::shared_ptr<ClientLink>>> ClientLink::dial(const Where& where, ClientContext context, const ClientLimits& limits,
                                                           Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  std::shared_ptr<ClientLink> link(new ClientLink(executor, limits));
  link->peer_ = where.peer;
  link->context_ = std::move(context);
  // Whatever of the dial waits at the deadline is ended by taking its socket away.
  const auto timed_out = std::make_shared<bool>(false);
  asio::steady_timer alarm(executor, deadline);
  alarm.async_wait([weak = std::weak_ptr<ClientLink>(link), timed_out](const boost::system::error_code& error) {
    const auto still = weak.lock();
    if (error || !still) return;
    *timed_out = true;
    still->resolver_.cancel();
    boost::system::error_code ignored;
    still->socket_.close(ignored);
  });
  Result<void> done = co_await link->connect(where);
  if (done) done = co_await link->shake_hands(where);
  alarm.cancel();
  if (*timed_out) co_return fail(ErrorKind::unavailable, where.peer, "not connected in time");
  if (!done) co_return tl::unexpected(done.error());
  link->open_ = true;
  link->read_at_ = Clock::now();
  co_return link;
}

// A unix socket takes a connection at once or not at all. Asio reads and writes what it is given, so its TCP socket does, and
// nothing else of the link need know.
Result<void> ClientLink::connect_to_socket(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return fail(ErrorKind::invalid, peer_, "the path of a socket may have 107 bytes");
  std::memcpy(name.sun_path, path.data(), path.size());
  Descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.is_open() || ::connect(made.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return fail(ErrorKind::unavailable, peer_, std::string("not connected: ") + std::strerror(errno));
  boost::system::error_code error;
  socket_.assign(asio::ip::tcp::v4(), made.get(), error);
  if (error) return fail(ErrorKind::unavailable, peer_, "not connected: " + error.message());
  made.release();
  return {};
}

Task<Result<void>> ClientLink::connect(const Where& where) {
  if (!where.socket.empty()) {
    // Whoever dials begins to wait for the end of it once this has waited for something.
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    co_return connect_to_socket(where.socket);
  }
  const auto [resolve_error, found] = co_await resolver_.async_resolve(where.host, std::to_string(where.port), as_values);
  if (resolve_error) co_return fail(ErrorKind::unavailable, peer_, "the name is not resolved: " + resolve_error.message());
  const auto [connect_error, endpoint] = co_await asio::async_connect(socket_, found, as_values);
  if (connect_error) co_return fail(ErrorKind::unavailable, peer_, "not connected: " + connect_error.message());
  tune(socket_.native_handle(), limits_);
  co_return Result<void>{};
}

Task<Result<void>> ClientLink::shake_hands(const Where& where) {
  if (!context_) {
    protocol_ = std::make_unique<ClientHttp1>(where.authority, limits_, where.peer);
    co_return Result<void>{};
  }
  tls_.emplace(socket_, *context_);
  SSL* ssl = tls_->native_handle();
  if (!prepare_handshake(ssl, where.server_name, where.http2)) throw std::bad_alloc();
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, as_values);
  if (error) co_return fail(ErrorKind::unavailable, peer_, handshake_failure(ssl, error.message()));
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  if (std::string_view(reinterpret_cast<const char*>(name), size) == "h2") {
    protocol_ = std::make_unique<ClientHttp2>(where.authority, limits_, where.peer);
  } else {
    protocol_ = std::make_unique<ClientHttp1>(where.authority, limits_, where.peer);
  }
  co_return Result<void>{};
}

void ClientLink::run(const std::shared_ptr<ClientLink>& link, std::function<void()> changed) {
  link->changed_ = std::move(changed);
  const auto executor = link->socket_.get_executor();
  asio::co_spawn(executor, read(link), judge);
  asio::co_spawn(executor, write(link), judge);
  asio::co_spawn(executor, watch(link), judge);
}

Task<void> ClientLink::read(std::shared_ptr<ClientLink> link) {
  std::vector<char> room(read_bytes);
  while (link->open_) {
    boost::system::error_code error;
    std::size_t count = 0;
    if (link->tls_) {
      std::tie(error, count) = co_await link->tls_->async_read_some(asio::buffer(room), as_values);
    } else {
      std::tie(error, count) = co_await link->socket_.async_read_some(asio::buffer(room), as_values);
    }
    if (!link->open_) co_return;
    std::optional<Error> broken;
    if (count > 0) {
      link->read_at_ = Clock::now();
      link->has_read_ = true;
      broken = link->protocol_->feed({room.data(), count});
    }
    if (error) {
      link->protocol_->end_of_input(error == asio::error::eof);
      const bool ended = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
      broken = Error{.kind = ErrorKind::unavailable,
                     .where = link->peer_,
                     .what = ended ? "the peer closed the connection" : "the connection failed: " + error.message()};
    }
    if (broken) {
      link->close(*broken);
      co_return;
    }
    link->output_.notify();
    link->close_when_done();
    link->changed_();
  }
}

Task<void> ClientLink::write(std::shared_ptr<ClientLink> link) {
  std::string out;
  while (link->open_) {
    link->protocol_->take_output(out);
    if (out.empty()) {
      co_await link->output_.wait(Deadline::max());
      continue;
    }
    boost::system::error_code error;
    std::size_t count = 0;
    if (link->tls_) {
      std::tie(error, count) = co_await asio::async_write(*link->tls_, asio::buffer(out), as_values);
    } else {
      std::tie(error, count) = co_await asio::async_write(link->socket_, asio::buffer(out), as_values);
    }
    // An answer may have come before our half was refused: reading goes on and finds the end by itself.
    if (error) co_return;
    link->close_when_done();  // a stream that was taken back ends when its reset has left
  }
}

// HTTP/2 alone can ask whether somebody is still there; HTTP/1.1 has TCP's own probes.
Task<void> ClientLink::watch(std::shared_ptr<ClientLink> link) {
  std::optional<Clock::time_point> asked_at;
  while (link->open_) {
    if (asked_at && link->read_at_ > *asked_at) asked_at.reset();
    const Deadline next = asked_at ? *asked_at + link->limits_.pong_time_max : link->read_at_ + link->limits_.quiet_time_max;
    const bool closed = co_await link->closed_.wait(next);
    if (closed || !link->open_) co_return;
    if (Clock::now() < next || (asked_at && link->read_at_ > *asked_at)) continue;
    if (asked_at) {
      link->close({.kind = ErrorKind::unavailable, .where = link->peer_, .what = "the peer answers no more"});
      co_return;
    }
    if (Clock::now() < link->read_at_ + link->limits_.quiet_time_max) continue;
    if (!link->protocol_->ping()) co_return;
    asked_at = Clock::now();
    link->output_.notify();
  }
}

void ClientLink::start(ClientCall& call) {
  protocol_->start(call);
  output_.notify();
}

void ClientLink::stop(ClientCall& call) {
  if (!open_) return;
  protocol_->stop(call);
  output_.notify();
}

void ClientLink::retire() {
  retired_ = true;
  close_when_done();
}

void ClientLink::close_when_done() {
  if (!open_) return;
  if (!protocol_->is_finished() && !(retired_ && protocol_->running() == 0)) return;
  close({.kind = ErrorKind::unavailable, .where = peer_, .what = "the connection has ended"});
}

void ClientLink::close(const Error& why) {
  if (!std::exchange(open_, false)) return;
  protocol_->close(why);
  boost::system::error_code ignored;
  socket_.close(ignored);
  output_.notify();
  closed_.notify();
  if (changed_) changed_();
}

}  // namespace portcullis::net
