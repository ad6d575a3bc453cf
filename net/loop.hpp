// One thread, one epoll set, its own listeners and connections; nothing of it is shared but counters and flags.
//
// The epoll set is ours rather than Asio's: asio::async_wait re-arms the descriptor with an epoll_ctl call for every wait
// (epoll_reactor::start_op, Boost 1.81), a third more system calls for a request than its read, write and epoll_wait.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "net/connection.hpp"
#include "net/tls_context.hpp"
#include "net/waker.hpp"

namespace portcullis::net {

// The certificate in use. Loops look at the version, and take the mutex only when it moved.
class TlsSource {
 public:
  void put(std::shared_ptr<const TlsContext> context);
  void renew_ticket_keys(Clock::time_point now);  // when they are too old
  [[nodiscard]] std::shared_ptr<const TlsContext> current() const;
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsContext> current_;
  std::atomic<std::uint64_t> version_{0};
};

class Loop {
 public:
  struct Parts {
    std::string door;
    Limits limits;
    std::vector<Descriptor> listeners;
    std::unique_ptr<Handler> handler;
    std::shared_ptr<Waker> waker;    // the handler has it too
    TlsSource* tls = nullptr;        // null: plain
    std::function<void()> on_quiet;  // on the loop's thread, when its last connection or listener has gone
  };
  static Result<std::unique_ptr<Loop>> start(Parts parts);
  ~Loop();  // stops it and joins; every connection ends

  void drain(std::optional<std::chrono::seconds> delay);  // from any thread; the limits say how long without one
  [[nodiscard]] const LoopCounters& counters() const { return state_.counters; }
  [[nodiscard]] bool is_drained() const { return drained_.load(std::memory_order_acquire); }  // no listener, no connection

 private:
  using Connections = std::list<std::unique_ptr<Connection>>;

  explicit Loop(Parts parts);
  Result<void> prepare();
  void run();
  void turn(int timeout_milliseconds);
  void accept_from(int listener);
  void admit(Descriptor socket, const Peer& peer);
  bool close_oldest_idle();
  template <class... Arguments>
  Connection::After safely(Connection& connection, Connection::After (Connection::*act)(Arguments...), Arguments... arguments);
  void after(Connection& connection, Connection::After what);
  void file(Connection& connection);  // moves it to the list it belongs to
  void bury(Connection& connection);
  void finish_woken();
  void watch_listeners(bool on);
  void tick();
  void tick_drain();
  template <class Visit>
  void for_each(Visit visit);

  Parts parts_;
  LoopState state_;
  Descriptor epoll_;
  // INVARIANT: idle_ is in the order in which its connections became idle, the oldest first.
  Connections idle_, busy_, dead_;
  std::vector<Connection*> again_;
  std::vector<std::uint64_t> woken_;  // keeps its memory
  std::size_t handshaking_ = 0;
  std::shared_ptr<const TlsContext> tls_;
  std::uint64_t tls_version_ = 0;
  std::minstd_rand random_;
  Clock::time_point next_tick_{}, drain_began_{};
  bool listeners_watched_ = false, last_called_ = false;
  std::atomic<std::chrono::seconds> drain_delay_{};  // written before drain_ is set
  std::atomic<bool> stop_{false}, drain_{false}, drained_{false};
  std::thread thread_;
};

}  // namespace portcullis::net
