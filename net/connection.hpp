// One socket from accept to close: handshake, requests, a short linger. Driven by readiness: the loop calls run() when
// the socket can be read or written (whichever wanted() asked for) and tick() a few times a second.
//
// Per request, when warm: one read, one write, no allocation, no timer call. Deadlines are points in time that tick()
// compares; nothing is set or cancelled.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "net/session.hpp"
#include "net/transport.hpp"

namespace portcullis::net {

class Connection {
 public:
  enum class After {
    wait,   // until wanted() is possible
    again,  // more can be done now; others first
    gone,   // delete it
  };
  enum class Wanted { read, write, nothing };  // nothing: but to be told when the peer leaves

  // `context`: null for plain. `retire_at`: its greatest age.
  Connection(LoopState& loop, Descriptor socket, SSL_CTX* context, const Peer& peer, Deadline retire_at);
  ~Connection();

  After run();
  After tick();
  After last_call();                   // the drain delay is over
  After finish(std::uint64_t ticket);  // an answer that was waited for is ready

  [[nodiscard]] Wanted wanted() const { return wanted_; }
  [[nodiscard]] int descriptor() const { return transport_.descriptor(); }
  [[nodiscard]] bool is_idle() const { return phase_ == Phase::open && unsent_.empty() && session_->is_idle(); }
  [[nodiscard]] bool is_handshaking() const { return phase_ == Phase::handshake; }

  // The loop's own notes on it.
  struct Notes {
    std::list<std::unique_ptr<Connection>>::iterator place;
    bool idle = false, handshaking = false, dead = false, again = false;
    Wanted watched = Wanted::read;
  } notes;

 private:
  enum class Phase { handshake, open, linger };

  After shake_hands();
  After serve();
  After perform(Step step, std::string& out);
  After end();
  bool send(std::string& out);  // false when the socket failed
  bool send_unsent();
  [[nodiscard]] Deadline deadline() const;

  LoopState& loop_;
  Transport transport_;
  ConnectionFacts facts_;
  std::unique_ptr<Session> session_;  // once open
  Buffer in_;
  std::string unsent_;  // what a full socket did not take
  std::size_t unsent_begin_ = 0;
  Phase phase_ = Phase::handshake;
  Wanted wanted_ = Wanted::read;
  Clock::time_point since_;  // of the handshake, the linger, or the blocked write
  Deadline retire_at_;
  bool input_left_ = false;  // the session paused with input in hand
  bool ending_ = false;      // close once unsent_ has left
  bool retired_ = false;
  bool held_ = false;  // nothing is read until finish()
};

}  // namespace portcullis::net
