#include "net/loop.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "net/listen_address.hpp"
#include "observe/log.hpp"

namespace portcullis::net {
namespace {

constexpr int events_per_turn = 128;
constexpr int accepts_per_turn = 256;                    // then the open connections have their turn
constexpr int closed_for_room = 32;                      // idle connections ended at once when descriptors have run out
constexpr std::chrono::milliseconds tick_interval{250};  // how late a deadline may be noticed

// What an event is about: 0 wakes the loop, a small number is a listener, anything else a Connection's address.
constexpr std::uint64_t wake_mark = 0;
constexpr std::uint64_t listener_marks = 4096;

bool watch(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t mark) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = mark;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

// OpenSSL writes with write(2), which raises SIGPIPE when the peer has gone; here it shall be an error like others.
void block_sigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

void TlsSource::put(std::shared_ptr<const TlsContext> context) {
  const std::lock_guard lock(mutex_);
  current_ = std::move(context);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const TlsContext> TlsSource::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void TlsSource::renew_ticket_keys(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (!current_ || now - current_->made() < ticket_keys_age_max) return;
  auto renewed = current_->renewed();
  if (!renewed) {
    observe::log_limited(observe::Level::error, "ticket_keys_not_renewed", {{"reason", renewed.error().message()}}, 1);
    return;
  }
  current_ = *std::move(renewed);
  version_.fetch_add(1, std::memory_order_release);
}

Loop::Loop(Parts parts) : parts_(std::move(parts)), random_(std::random_device{}()) {
  state_.door = parts_.door;
  state_.limits = parts_.limits;
  state_.handler = parts_.handler.get();
  state_.now = Clock::now();
}

Loop::~Loop() {
  stop_.store(true, std::memory_order_release);
  if (thread_.joinable()) {
    parts_.waker->ring();
    thread_.join();
  }
  idle_.clear();  // while state_ still is
  busy_.clear();
  dead_.clear();
}

Result<std::unique_ptr<Loop>> Loop::start(Parts parts) {
  std::unique_ptr<Loop> loop(new Loop(std::move(parts)));
  if (auto prepared = loop->prepare(); !prepared) return tl::unexpected(prepared.error());
  loop->thread_ = std::thread([self = loop.get()] { self->run(); });
  return loop;
}

Result<void> Loop::prepare() {
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open() || !watch(epoll_.get(), EPOLL_CTL_ADD, parts_.waker->descriptor(), EPOLLIN, wake_mark)) {
    return fail(ErrorKind::unavailable, parts_.door, std::string("cannot make a loop: ") + std::strerror(errno));
  }
  for (std::size_t i = 0; i < parts_.listeners.size(); ++i) {
    if (!watch(epoll_.get(), EPOLL_CTL_ADD, parts_.listeners[i].get(), EPOLLIN, i + 1)) {
      return fail(ErrorKind::unavailable, parts_.door, std::string("cannot watch a listener: ") + std::strerror(errno));
    }
  }
  listeners_watched_ = true;
  return {};
}

void Loop::drain(std::optional<std::chrono::seconds> delay) {
  drain_delay_.store(delay.value_or(state_.limits.drain_delay), std::memory_order_relaxed);
  drain_.store(true, std::memory_order_release);
  parts_.waker->ring();
}

void Loop::run() {
  block_sigpipe();
  next_tick_ = Clock::now() + tick_interval;
  while (!stop_.load(std::memory_order_acquire)) {
    const bool has_time_to_watch = !idle_.empty() || !busy_.empty() || !listeners_watched_ || state_.draining;
    int timeout = -1;
    if (!again_.empty()) {
      timeout = 0;
    } else if (has_time_to_watch) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - Clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, tick_interval.count()));
    }
    turn(timeout);
  }
}

void Loop::turn(int timeout_milliseconds) {
  std::array<epoll_event, events_per_turn> events;  // not zeroed: the kernel fills what is read
  const int count = ::epoll_wait(epoll_.get(), events.data(), events_per_turn, timeout_milliseconds);
  state_.now = Clock::now();
  // Those that were left off in the last turn come after the ones that became ready in this one.
  std::vector<Connection*> again = std::exchange(again_, {});
  for (int i = 0; i < count; ++i) {
    const std::uint64_t mark = events[static_cast<std::size_t>(i)].data.u64;
    if (mark == wake_mark) {
      finish_woken();
      if (drain_.load(std::memory_order_acquire) && !state_.draining) {
        state_.draining = true;
        drain_began_ = state_.now;
        tick();
      }
    } else if (mark < listener_marks) {
      accept_from(static_cast<int>(mark - 1));
    } else {
      auto& connection = *reinterpret_cast<Connection*>(mark);  // NOLINT(performance-no-int-to-ptr): we put it there
      if (!connection.notes.dead && !connection.notes.again) after(connection, safely(connection, &Connection::run));
    }
  }
  for (Connection* connection : again) {
    connection->notes.again = false;
    if (!connection->notes.dead) after(*connection, safely(*connection, &Connection::run));
  }
  if (state_.now >= next_tick_) {
    next_tick_ = state_.now + tick_interval;
    tick();
  }
  if (!dead_.empty()) {
    dead_.clear();  // only now: an event of this turn may have named one of them
    if (idle_.empty() && busy_.empty()) {
      if (parts_.listeners.empty()) drained_.store(true, std::memory_order_release);
      parts_.on_quiet();
    }
  }
}

// No memory left, or a bug of ours, ends this connection and no other.
template <class... Arguments>
Connection::After Loop::safely(Connection& connection, Connection::After (Connection::*act)(Arguments...), Arguments... arguments) {
  try {
    return (connection.*act)(arguments...);
  } catch (const std::exception& error) {
    observe::log_limited(observe::Level::error, "connection_failed", {{"door", state_.door}, {"error", error.what()}});
    state_.output.clear();
    return Connection::After::gone;
  }
}

void Loop::after(Connection& connection, Connection::After what) {
  switch (what) {
    case Connection::After::gone:
      return bury(connection);
    case Connection::After::again:
      connection.notes.again = true;
      again_.push_back(&connection);
      break;
    case Connection::After::wait:
      break;
  }
  file(connection);
  if (connection.wanted() != connection.notes.watched) {
    connection.notes.watched = connection.wanted();
    const std::uint32_t events = connection.wanted() == Connection::Wanted::read    ? EPOLLIN
                                 : connection.wanted() == Connection::Wanted::write ? EPOLLOUT
                                                                                    : EPOLLRDHUP;
    watch(epoll_.get(), EPOLL_CTL_MOD, connection.descriptor(), events, reinterpret_cast<std::uintptr_t>(&connection));
  }
}

void Loop::finish_woken() {
  parts_.waker->take(woken_);
  for (const std::uint64_t ticket : woken_) {
    const auto found = state_.waiting.find(ticket);
    if (found == state_.waiting.end()) continue;  // it waits no longer
    Connection& connection = *found->second;
    if (connection.notes.dead) continue;
    Connection::After what = safely(connection, &Connection::finish, ticket);
    if (what == Connection::After::again && connection.notes.again) what = Connection::After::wait;  // it will run anyhow
    after(connection, what);
  }
}

void Loop::file(Connection& connection) {
  Connection::Notes& notes = connection.notes;
  if (notes.handshaking && !connection.is_handshaking()) {
    notes.handshaking = false;
    --handshaking_;
  }
  Connections& from = notes.idle ? idle_ : busy_;
  notes.idle = connection.is_idle();
  Connections& to = notes.idle ? idle_ : busy_;
  to.splice(to.end(), from, notes.place);
}

void Loop::bury(Connection& connection) {
  Connection::Notes& notes = connection.notes;
  if (notes.dead) return;
  if (notes.handshaking) --handshaking_;
  notes.dead = true;
  if (notes.again) std::erase(again_, &connection);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.descriptor(), nullptr);
  dead_.splice(dead_.end(), notes.idle ? idle_ : busy_, notes.place);
}

void Loop::accept_from(int listener) {
  const auto index = static_cast<std::size_t>(listener);
  for (int i = 0; i < accepts_per_turn && index < parts_.listeners.size(); ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    Descriptor socket(::accept4(parts_.listeners[index].get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.is_open()) {
      try {
        const Peer peer = peer_of(from, socket.get());
        admit(std::move(socket), peer);
      } catch (const std::bad_alloc&) {
        state_.counters.connections_refused.add();
      }
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;  // the peer left in the queue
    // Out of descriptors. The connection stays in the kernel's queue, so the listener would stay ready: it is left alone
    // until the next tick, when the oldest idle connection has made room.
    observe::log_limited(observe::Level::warn, "accept_failed", {{"door", state_.door}, {"reason", std::strerror(errno)}}, 1);
    for (int closed = 0; closed < closed_for_room && close_oldest_idle(); ++closed) {
    }
    watch_listeners(false);
    return;
  }
}

void Loop::admit(Descriptor socket, const Peer& peer) {
  state_.counters.connections_accepted.add();
  const bool full = idle_.size() + busy_.size() >= state_.limits.connections_max;
  if ((full && !close_oldest_idle()) || (parts_.tls && handshaking_ >= state_.limits.handshakes_max)) {
    state_.counters.connections_refused.add();
    observe::log_limited(observe::Level::warn, "connection_refused", {{"door", state_.door}, {"peer", peer.text()}}, 1);
    return;
  }
  if (parts_.tls && tls_version_ != parts_.tls->version()) {
    tls_version_ = parts_.tls->version();
    tls_ = parts_.tls->current();
  }
  if (parts_.tls && !tls_) {  // no certificate has come yet, and nothing of ours is said in the clear
    state_.counters.connections_refused.add();
    return;
  }
  // +-20 %: connections that began together (a restart of the other side) do not end together.
  const std::chrono::duration<double> age =
      std::chrono::duration<double>(state_.limits.connection_age_max) * std::uniform_real_distribution<double>(0.8, 1.2)(random_);
  const Deadline retire_at = state_.now + std::chrono::duration_cast<Clock::duration>(age);
  auto connection = std::make_unique<Connection>(state_, std::move(socket), tls_ ? tls_->get() : nullptr, peer, retire_at);
  Connection& admitted = *connection;
  if (!watch(epoll_.get(), EPOLL_CTL_ADD, admitted.descriptor(), EPOLLIN, reinterpret_cast<std::uintptr_t>(&admitted))) {
    state_.counters.connections_refused.add();
    return;
  }
  busy_.push_back(std::move(connection));
  admitted.notes.place = std::prev(busy_.end());
  admitted.notes.handshaking = admitted.is_handshaking();
  if (admitted.notes.handshaking) ++handshaking_;
  file(admitted);
}

bool Loop::close_oldest_idle() {
  if (idle_.empty()) return false;
  bury(*idle_.front());
  return true;
}

void Loop::watch_listeners(bool on) {
  if (listeners_watched_ == on) return;
  listeners_watched_ = on;
  for (std::size_t i = 0; i < parts_.listeners.size(); ++i) {
    watch(epoll_.get(), EPOLL_CTL_MOD, parts_.listeners[i].get(), on ? EPOLLIN : 0U, i + 1);
  }
}

// Calls `visit` with every connection, which may move to another list or die meanwhile.
template <class Visit>
void Loop::for_each(Visit visit) {
  for (Connections* list : {&busy_, &idle_}) {
    std::size_t left = list->size();  // those that are moved to its end have been visited
    for (auto place = list->begin(); left > 0 && place != list->end(); --left) {
      Connection& connection = **place++;
      visit(connection);
    }
  }
}

void Loop::tick() {
  watch_listeners(true);
  if (parts_.tls) parts_.tls->renew_ticket_keys(state_.now);
  for_each([this](Connection& connection) {
    if (connection.notes.again) return;  // it runs in the next turn anyhow
    const Connection::After what = safely(connection, &Connection::tick);
    if (what == Connection::After::gone) return bury(connection);
    // Filing would make an idle connection the youngest.
    if (what == Connection::After::again || connection.is_idle() != connection.notes.idle ||
        connection.wanted() != connection.notes.watched)
      after(connection, what);
  });
  if (state_.draining) tick_drain();
}

void Loop::tick_drain() {
  const auto drained_for = state_.now - drain_began_;
  if (drained_for < drain_delay_.load(std::memory_order_relaxed)) return;
  if (!last_called_) {
    last_called_ = true;
    for (std::size_t i = 0; i < parts_.listeners.size(); ++i) accept_from(static_cast<int>(i));  // who waits in the queue is served
    parts_.listeners.clear();
  }
  const bool over = drained_for >= state_.limits.drain_time_max;
  for_each([&](Connection& connection) {
    if (over) return bury(connection);
    if (!connection.notes.again) after(connection, safely(connection, &Connection::last_call));
  });
  if (idle_.empty() && busy_.empty() && dead_.empty() && !drained_.exchange(true)) parts_.on_quiet();
}

}  // namespace portcullis::net
