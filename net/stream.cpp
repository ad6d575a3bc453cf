#include "net/stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

#include "net/as_values.hpp"
#include "net/client_tls.hpp"

namespace portcullis::net {
namespace asio = boost::asio;
namespace {

using Socket = asio::generic::stream_protocol::socket;
using Endpoint = asio::generic::stream_protocol::endpoint;

void set(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

void tune(int fd, std::chrono::seconds unacknowledged) {
  const auto seconds = std::max(1, static_cast<int>(unacknowledged.count()));
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

}  // namespace

struct Stream::Impl {
  Impl(const asio::any_io_executor& executor, StreamOptions wanted) : options(std::move(wanted)), resolver(executor), socket(executor) {}

  StreamOptions options;
  ClientContext context;  // outlives tls
  asio::ip::tcp::resolver resolver;
  Socket socket;
  std::optional<asio::ssl::stream<Socket&>> tls;

  [[nodiscard]] tl::unexpected<Error> failed(std::string what) const { return fail(ErrorKind::unavailable, options.peer, std::move(what)); }

  void close() {
    resolver.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  Task<Result<void>> connect() {
    std::vector<Endpoint> endpoints;
    if (!options.path.empty()) {
      // sun_path holds 108 bytes with the NUL; Asio throws over a longer one.
      if (options.path.size() > 107) co_return failed("the path of the socket is longer than 107 bytes");
      endpoints.emplace_back(asio::local::stream_protocol::endpoint(options.path));
    } else {
      const auto [error, found] = co_await resolver.async_resolve(options.host, std::to_string(options.port), as_values);
      if (error) co_return failed("the name is not resolved: " + error.message());
      for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
    }
    boost::system::error_code last = asio::error::host_not_found;
    for (const Endpoint& endpoint : endpoints) {
      boost::system::error_code ignored;
      socket.close(ignored);
      const auto [error] = co_await socket.async_connect(endpoint, as_values);
      last = error;
      if (!error) break;
      if (error == asio::error::operation_aborted) break;
    }
    if (last) co_return failed("not connected: " + last.message());
    if (options.path.empty()) tune(socket.native_handle(), options.unacknowledged_time_max);
    co_return Result<void>{};
  }

  Task<Result<void>> shake_hands() {
    if (!options.tls) co_return Result<void>{};
    auto made = make_client_context(*options.tls);
    if (!made) co_return tl::unexpected(std::move(made.error()).within(options.peer));
    context = *std::move(made);
    tls.emplace(socket, *context);
    SSL* ssl = tls->native_handle();
    if (!prepare_name(ssl, options.server_name.empty() ? options.host : options.server_name)) throw std::bad_alloc();
    const auto [error] = co_await tls->async_handshake(asio::ssl::stream_base::client, as_values);
    if (error) co_return failed(handshake_failure(ssl, error.message()));
    co_return Result<void>{};
  }
};

Stream::Stream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::~Stream() { impl_->close(); }
void Stream::close() { impl_->close(); }

Task<Result<std::shared_ptr<Stream>>> Stream::dial(StreamOptions options, Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  std::shared_ptr<Stream> stream(new Stream(std::make_unique<Impl>(executor, std::move(options))));
  Impl& impl = *stream->impl_;
  // Whatever of the dial waits at the deadline is ended by taking its socket away.
  const auto timed_out = std::make_shared<bool>(false);
  asio::steady_timer alarm(executor, deadline);
  alarm.async_wait([weak = std::weak_ptr<Stream>(stream), timed_out](const boost::system::error_code& error) {
    const auto still = weak.lock();
    if (error || !still) return;
    *timed_out = true;
    still->close();
  });
  Result<void> done = co_await impl.connect();
  if (done && !*timed_out) done = co_await impl.shake_hands();
  alarm.cancel();
  if (*timed_out) co_return impl.failed("not connected in time");
  if (!done) co_return tl::unexpected(done.error());
  co_return stream;
}

Task<Result<std::size_t>> Stream::read_some(std::span<char> room) {
  boost::system::error_code error;
  std::size_t count = 0;
  const auto buffer = asio::buffer(room.data(), room.size());
  if (impl_->tls) {
    std::tie(error, count) = co_await impl_->tls->async_read_some(buffer, as_values);
  } else {
    std::tie(error, count) = co_await impl_->socket.async_read_some(buffer, as_values);
  }
  if (count > 0) co_return count;
  const bool ended = !error || error == asio::error::eof || error == asio::ssl::error::stream_truncated;
  co_return impl_->failed(ended ? "the peer closed the connection" : "the connection failed: " + error.message());
}

Task<Result<void>> Stream::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    boost::system::error_code error;
    std::size_t count = 0;
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    if (impl_->tls) {
      std::tie(error, count) = co_await impl_->tls->async_write_some(buffer, as_values);
    } else {
      std::tie(error, count) = co_await impl_->socket.async_write_some(buffer, as_values);
    }
    if (error) co_return impl_->failed("the connection failed: " + error.message());
    bytes.remove_prefix(count);
  }
  co_return Result<void>{};
}

}  // namespace portcullis::net
