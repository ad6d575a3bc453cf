// A protocol on one connection, without its socket: bytes in, bytes out. Http1 and Http2 are the two; the connection
// around them reads, writes and watches the clock.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "net/buffer.hpp"
#include "net/limits.hpp"
#include "net/request.hpp"
#include "net/server.hpp"

namespace portcullis::net {

// Written by one loop, read by whoever asks for stats: no read-modify-write is needed, so none is paid for.
class LoopCounter {
 public:
  void add(std::int64_t amount = 1) { value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return static_cast<std::uint64_t>(value_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<std::int64_t> value_{0};
};

struct LoopCounters {
  LoopCounter connections_accepted, connections_open, connections_refused;
  LoopCounter requests_http1, requests_http2;
  LoopCounter handshakes_failed, handshakes_resumed;
  LoopCounter requests_malformed, requests_shed, requests_failed;
};

// "date: Mon, 23 Nov 2026 17:16:08 GMT\r\n", made anew once a second.
class DateLine {
 public:
  std::string_view line(Clock::time_point now);
  std::string_view value(Clock::time_point now) { return line(now).substr(6, 29); }

 private:
  Clock::time_point made_{};
  std::string line_;
};

class Connection;

// What a loop's sessions share. One thread.
struct LoopState {
  std::string door;
  Limits limits;
  Handler* handler = nullptr;
  Response response;  // reused by every request of the loop
  LoopCounters counters;
  DateLine date;
  Clock::time_point now{};  // renewed on every turn of the loop
  bool draining = false;
  BufferPool buffers;
  std::string output;                                      // of the session that runs now; empty between two
  std::size_t pending_bytes = 0;                           // of request bodies being received, beyond the base buffers
  std::unordered_map<std::uint64_t, Connection*> waiting;  // by ticket
};

// Who is at the other end; fixed for a connection's life.
struct ConnectionFacts {
  Connection* connection = nullptr;  // whom the loop tells of an answer that was waited for
  Peer peer;
  std::string client_name;
  bool tls = false;
};

enum class Step {
  read,    // wait for more bytes
  again,   // input is left, the output is large: write it, then call again
  hold,    // read nothing more until finish(): an answer is waited for
  finish,  // write the output, then close
  drop,    // close at once
};

class Session {
 public:
  virtual ~Session() = default;
  // Takes what it can from `in`, appends what is to be written to `out`.
  virtual Step advance(Buffer& in, std::string& out) = 0;
  // Called about four times a second.
  virtual Step tick(std::string& out) = 0;
  // The loop retires this connection (drained or too old): no further request should come.
  virtual Step retire(std::string& out) = 0;
  // The drain delay is over: what is idle ends now.
  virtual Step last_call(std::string& out) = 0;
  // The answer that `ticket` stands for is ready.
  virtual Step finish(std::uint64_t ticket, std::string& out) = 0;
  // When the present wait ends; what it is about, for the log.
  [[nodiscard]] virtual Deadline deadline() const = 0;
  [[nodiscard]] virtual std::string_view waiting_for() const = 0;
  [[nodiscard]] virtual bool is_idle() const = 0;  // between requests
  // The answer, if any, to a deadline that passed (408 while a request is incomplete).
  virtual void time_out(std::string& out) = 0;
  [[nodiscard]] virtual std::uint64_t requests() const = 0;
};

// A refusal of the wire's own.
struct Refusal {
  int status = 400;
  std::string_view why;  // static storage; for the stranger and the log
};

// Asks the handler; an exception that escapes becomes a logged 500 that closes the connection. The answer may be to wait:
// then the loop knows the ticket.
void answer_safely(LoopState& loop, const ConnectionFacts& connection, const Request& request);
void finish_safely(LoopState& loop, const ConnectionFacts& connection, std::uint64_t ticket);
// The request that waited with `ticket` has ended without its answer.
void abandon(LoopState& loop, std::uint64_t ticket);
// The refusal for an answer that was owed for too long.
Refusal give_up_waiting(LoopState& loop, const Peer& peer, std::uint64_t ticket);

void log_refusal(LoopState& loop, const Peer& peer, const Refusal& refusal);

std::string_view reason_phrase(int status);

}  // namespace portcullis::net
