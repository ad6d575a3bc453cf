// Puts a door together: sockets bound, certificate loaded, one loop a thread started; and speaks for all loops at once.
#include "net/server.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "net/listen_address.hpp"
#include "net/loop.hpp"
#include "net/tls_context.hpp"
#include "net/waker.hpp"
#include "observe/log.hpp"

namespace portcullis::net {

struct Server::Impl {
  ServerOptions options;
  std::vector<ListenAddress> addresses;
  std::vector<SocketFile> socket_files;
  TlsSource tls;
  std::mutex reload_mutex;  // one reload at a time
  std::atomic<std::uint64_t> reloads{0}, reload_failures{0};
  std::mutex quiet_mutex;
  std::condition_variable quiet;
  std::atomic<bool> draining{false};
  std::vector<std::unique_ptr<Loop>> loops;  // last: they use what stands above

  Result<void> take(Result<std::shared_ptr<const TlsContext>> context) {
    if (!context) {
      reload_failures.fetch_add(1);
      return tl::unexpected(context.error());
    }
    tls.put(*std::move(context));
    reloads.fetch_add(1);
    return {};
  }
  [[nodiscard]] bool is_quiet() const {
    return std::all_of(loops.begin(), loops.end(), [this](const auto& loop) {
      return draining.load() ? loop->is_drained() : loop->counters().connections_open.value() == 0;
    });
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, const HandlerFactory& factory) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  const ServerOptions& wanted = impl->options;
  const unsigned threads = wanted.threads != 0 ? wanted.threads : std::max(1U, std::thread::hardware_concurrency());
  if (wanted.listen.empty()) return fail(ErrorKind::invalid, wanted.door, "no address to listen on");
  for (const ListenAddress& address : wanted.listen) {
    if (!address.path.empty() && threads > 1) return fail(ErrorKind::invalid, address.path, "a socket is served by one loop");
  }
  if (wanted.tls && !wanted.tls->certificate.empty()) {
    auto context = TlsContext::load(*wanted.tls);
    if (!context) return tl::unexpected(context.error());
    impl->tls.put(*std::move(context));
  }

  // All are bound before any loop runs: a start that fails has served nobody. Port 0 becomes a real one with the first loop.
  impl->addresses = wanted.listen;
  for (const ListenAddress& address : impl->addresses) {
    if (auto free = check_free(address); !free) return tl::unexpected(free.error());
  }
  std::vector<std::vector<Descriptor>> listeners(threads);
  for (auto& of_loop : listeners) {
    for (ListenAddress& address : impl->addresses) {
      auto listener = listen_on(address, threads > 1);
      if (!listener) return tl::unexpected(listener.error());
      of_loop.push_back(*std::move(listener));
      if (!address.path.empty()) impl->socket_files.emplace_back(address.path);
    }
  }
  Impl* const shared = impl.get();
  for (unsigned i = 0; i < threads; ++i) {
    auto waker = std::make_shared<Waker>();
    auto handler = factory(i);
    handler->attach(waker);
    auto loop = Loop::start({
        .door = wanted.door,
        .limits = wanted.limits,
        .listeners = std::move(listeners[i]),
        .handler = std::move(handler),
        .waker = std::move(waker),
        .tls = wanted.tls ? &impl->tls : nullptr,
        .on_quiet =
            [shared] {
              const std::lock_guard lock(shared->quiet_mutex);
              shared->quiet.notify_all();
            },
    });
    if (!loop) return tl::unexpected(loop.error());
    impl->loops.push_back(*std::move(loop));
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::vector<ListenAddress>& Server::addresses() const { return impl_->addresses; }

ServerStats Server::stats() const {
  ServerStats sum;
  for (const auto& loop : impl_->loops) {
    const LoopCounters& counters = loop->counters();
    sum.connections_accepted += counters.connections_accepted.value();
    sum.connections_open += counters.connections_open.value();
    sum.connections_refused += counters.connections_refused.value();
    sum.requests_http1 += counters.requests_http1.value();
    sum.requests_http2 += counters.requests_http2.value();
    sum.handshakes_failed += counters.handshakes_failed.value();
    sum.handshakes_resumed += counters.handshakes_resumed.value();
    sum.requests_malformed += counters.requests_malformed.value();
    sum.requests_shed += counters.requests_shed.value();
    sum.requests_failed += counters.requests_failed.value();
  }
  sum.certificate_reloads = impl_->reloads.load();
  sum.certificate_reload_failures = impl_->reload_failures.load();
  if (const auto context = impl_->tls.current()) sum.certificate_not_after = context->not_after();
  return sum;
}

Result<void> Server::reload_certificate() {
  if (!impl_->options.tls || impl_->options.tls->certificate.empty()) return {};
  const std::lock_guard lock(impl_->reload_mutex);
  return impl_->take(TlsContext::load(*impl_->options.tls));
}

bool Server::has_certificate() const { return !impl_->options.tls || impl_->tls.current() != nullptr; }

Result<void> Server::use_certificate(const PemPair& pair) {
  if (!impl_->options.tls) return fail(ErrorKind::invalid, impl_->options.door, "a certificate for a door without TLS");
  const std::lock_guard lock(impl_->reload_mutex);
  return impl_->take(TlsContext::from(pair, *impl_->options.tls));
}

void Server::drain(std::optional<std::chrono::seconds> delay) {
  impl_->draining.store(true);
  for (const auto& loop : impl_->loops) loop->drain(delay);
}

bool Server::wait_until_idle(Deadline deadline) {
  std::unique_lock lock(impl_->quiet_mutex);
  return impl_->quiet.wait_until(lock, deadline, [this] { return impl_->is_quiet(); });
}

}  // namespace portcullis::net
