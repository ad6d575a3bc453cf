#include "net/connection.hpp"

#include <utility>

#include "net/http1.hpp"
#include "net/http2.hpp"
#include "observe/log.hpp"

namespace portcullis::net {
namespace {

// Reads in a row before the loop's other connections have their turn: 512 KiB.
constexpr int reads_per_turn = 16;

}  // namespace

Connection::Connection(LoopState& loop, Descriptor socket, SSL_CTX* context, const Peer& peer, Deadline retire_at)
    : loop_(loop),
      transport_(std::move(socket), context),
      facts_{.connection = this, .peer = peer, .client_name = {}, .tls = context != nullptr},
      since_(loop.now),
      retire_at_(retire_at) {
  loop_.counters.connections_open.add();
  if (!facts_.tls) {
    session_ = std::make_unique<Http1>(loop_, facts_);
    phase_ = Phase::open;
  }
}

Connection::~Connection() {
  loop_.counters.connections_open.add(-1);
  if (in_.allocated()) loop_.buffers.give_back(std::move(in_));
}

Connection::After Connection::run() {
  switch (phase_) {
    case Phase::handshake:
      return shake_hands();
    case Phase::open:
      return serve();
    case Phase::linger:
      return transport_.discard().state == IoState::closed ? After::gone : After::wait;
  }
  return After::gone;
}

Connection::After Connection::shake_hands() {
  switch (transport_.handshake().state) {
    case IoState::want_read:
      wanted_ = Wanted::read;
      return After::wait;
    case IoState::want_write:
      wanted_ = Wanted::write;
      return After::wait;
    case IoState::closed:
      loop_.counters.handshakes_failed.add();
      observe::log_limited(observe::Level::info, "handshake_failed",
                           {{"door", loop_.door}, {"peer", facts_.peer.text()}, {"reason", transport_.failure()}});
      return After::gone;
    case IoState::done:
      break;
  }
  if (transport_.is_resumed()) loop_.counters.handshakes_resumed.add();
  facts_.client_name = transport_.client_name();
  if (transport_.is_http2()) {
    session_ = std::make_unique<Http2>(loop_, facts_);
  } else {
    session_ = std::make_unique<Http1>(loop_, facts_);
  }
  phase_ = Phase::open;
  wanted_ = Wanted::read;
  // The first request may have come with the client's last handshake message, and then readiness will not tell of it.
  return transport_.has_pending() ? serve() : After::wait;
}

Connection::After Connection::serve() {
  if (!unsent_.empty()) {
    if (!send_unsent()) return After::gone;
    if (!unsent_.empty()) return After::wait;
    if (ending_) return end();
    if (held_) wanted_ = Wanted::nothing;
  } else if (held_ && transport_.peer_has_left()) {
    return After::gone;
  }
  if (held_) return After::wait;
  wanted_ = Wanted::read;
  for (int turn = 0; turn < reads_per_turn; ++turn) {
    bool filled = false;
    if (!std::exchange(input_left_, false)) {
      if (!in_.allocated()) in_ = loop_.buffers.take();
      const std::size_t room = in_.room_bytes();
      const Io io = transport_.read(in_.room(), room);
      if (io.state == IoState::closed) return After::gone;
      if (io.state != IoState::done) {
        wanted_ = io.state == IoState::want_write ? Wanted::write : Wanted::read;
        if (in_.empty()) loop_.buffers.give_back(std::move(in_));
        return After::wait;
      }
      in_.added(io.bytes);
      filled = io.bytes == room;
    }
    const After after = perform(session_->advance(in_, loop_.output), loop_.output);
    if (after == After::gone || phase_ != Phase::open) return after;
    if (in_.empty()) loop_.buffers.give_back(std::move(in_));
    if (!unsent_.empty() || held_) return After::wait;
    // A plain read that did not fill the room took all there was; asking again would cost a call to learn it.
    if (!input_left_ && !filled && !transport_.has_pending()) return After::wait;
  }
  return After::again;
}

Connection::After Connection::perform(Step step, std::string& out) {
  if (!send(out)) return After::gone;
  switch (step) {
    case Step::read:
      return After::wait;
    case Step::again:
      input_left_ = true;
      return After::wait;
    case Step::hold:
      held_ = true;
      if (unsent_.empty()) wanted_ = Wanted::nothing;
      return After::wait;
    case Step::drop:
      return After::gone;
    case Step::finish:
      break;
  }
  ending_ = true;
  return unsent_.empty() ? end() : After::wait;
}

// Our half is closed; theirs is read away for a moment. A close() with bytes unread would send a reset, which can overtake
// the answer (RFC 9112 9.6).
Connection::After Connection::end() {
  transport_.shut_down();
  phase_ = Phase::linger;
  since_ = loop_.now;
  wanted_ = Wanted::read;
  if (in_.allocated()) {
    in_.clear();
    loop_.buffers.give_back(std::move(in_));
  }
  return transport_.discard().state == IoState::closed ? After::gone : After::wait;
}

// Empties `out`: into the socket, and what that does not take into unsent_.
bool Connection::send(std::string& out) {
  if (out.empty()) return true;
  if (!unsent_.empty()) {
    unsent_.append(out);
    out.clear();
    return true;
  }
  std::string_view left = out;
  while (!left.empty()) {
    const Io io = transport_.write(left);
    if (io.state == IoState::closed) {
      out.clear();
      return false;
    }
    if (io.state != IoState::done) {
      unsent_.assign(left);
      unsent_begin_ = 0;
      since_ = loop_.now;
      wanted_ = io.state == IoState::want_read ? Wanted::read : Wanted::write;
      break;
    }
    left.remove_prefix(io.bytes);
  }
  out.clear();
  return true;
}

bool Connection::send_unsent() {
  while (unsent_begin_ < unsent_.size()) {
    const Io io = transport_.write(std::string_view(unsent_).substr(unsent_begin_));
    if (io.state == IoState::closed) return false;
    if (io.state != IoState::done) {
      wanted_ = io.state == IoState::want_read ? Wanted::read : Wanted::write;
      return true;
    }
    unsent_begin_ += io.bytes;
  }
  unsent_ = {};
  unsent_begin_ = 0;
  return true;
}

Deadline Connection::deadline() const {
  switch (phase_) {
    case Phase::handshake:
      return since_ + loop_.limits.handshake_time_max;
    case Phase::linger:
      return since_ + loop_.limits.linger_time_max;
    case Phase::open:
      break;
  }
  return unsent_.empty() ? session_->deadline() : since_ + loop_.limits.write_time_max;
}

Connection::After Connection::tick() {
  if (phase_ == Phase::open && !ending_) {
    if (!retired_ && (loop_.draining || loop_.now >= retire_at_)) {
      retired_ = true;
      if (perform(session_->retire(loop_.output), loop_.output) == After::gone) return After::gone;
    }
    if (phase_ == Phase::open && perform(session_->tick(loop_.output), loop_.output) == After::gone) return After::gone;
  }
  if (input_left_ && unsent_.empty()) return After::again;
  if (loop_.now < deadline()) return After::wait;
  const std::string_view what = phase_ == Phase::handshake ? "handshake"
                                : phase_ == Phase::linger  ? "goodbye"
                                : !unsent_.empty()         ? "write"
                                                           : session_->waiting_for();
  observe::log_limited(observe::Level::debug, "deadline_passed",
                       {{"door", loop_.door}, {"peer", facts_.peer.text()}, {"waiting_for", what}});
  if (phase_ == Phase::handshake) loop_.counters.handshakes_failed.add();
  if (phase_ != Phase::open || !unsent_.empty()) return After::gone;
  session_->time_out(loop_.output);
  return perform(Step::finish, loop_.output);
}

Connection::After Connection::finish(std::uint64_t ticket) {
  const bool was_held = std::exchange(held_, false);
  if (was_held && unsent_.empty()) wanted_ = Wanted::read;
  const After after = perform(session_->finish(ticket, loop_.output), loop_.output);
  if (after == After::gone || phase_ != Phase::open || ending_ || held_) return after;
  // Requests that came behind the one that waited; readiness will not tell of them.
  if (was_held) input_left_ = !in_.empty();
  if (!unsent_.empty()) return After::wait;
  return input_left_ || (was_held && transport_.has_pending()) ? After::again : After::wait;
}

Connection::After Connection::last_call() {
  if (phase_ != Phase::open || ending_) return After::wait;
  return perform(session_->last_call(loop_.output), loop_.output);
}

}  // namespace portcullis::net
