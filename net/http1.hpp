// HTTP/1.1 on one connection: requests in order, each answered before the next is looked at. Views into the connection's
// buffer reach the handler; nothing is copied and, once warm, nothing allocated.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/http1_chunks.hpp"
#include "net/http1_head.hpp"
#include "net/session.hpp"

namespace portcullis::net {

class Http1 final : public Session {
 public:
  Http1(LoopState& loop, const ConnectionFacts& connection);
  ~Http1() override;

  Step advance(Buffer& in, std::string& out) override;
  Step tick(std::string&) override { return Step::read; }
  Step retire(std::string&) override;
  Step last_call(std::string&) override { return state_ == State::idle ? Step::finish : Step::read; }
  Step finish(std::uint64_t ticket, std::string& out) override;
  [[nodiscard]] Deadline deadline() const override;
  [[nodiscard]] std::string_view waiting_for() const override;
  [[nodiscard]] bool is_idle() const override { return state_ == State::idle; }
  void time_out(std::string& out) override;
  [[nodiscard]] std::uint64_t requests() const override { return requests_; }

 private:
  enum class State { idle, head, body, waiting, over };

  bool read_head(Buffer& in, std::string& out);
  bool read_body(Buffer& in, std::string& out);
  bool make_room(Buffer& in, std::size_t wanted, std::string& out);
  void answer(Buffer& in, std::string& out);
  void give(std::string& out);  // loop_.response, which may be to wait
  void refuse(const Refusal& refusal, std::string& out);
  void hold(std::size_t bytes);  // counts them against the loop's pending bound

  LoopState& loop_;
  const ConnectionFacts& connection_;
  State state_ = State::idle;
  Clock::time_point since_;     // when this state began
  Clock::time_point received_;  // the first byte of the request
  HeadScan scan_;
  Http1Head head_;
  std::size_t head_bytes_ = 0;
  const char* base_ = nullptr;  // where the head's views point into
  std::optional<ChunkDecoder> chunks_;
  std::size_t content_bytes_ = 0;  // decoded so far, right behind the head
  std::size_t raw_bytes_ = 0;      // of the buffer that belong to this request, when chunked and whole
  std::size_t held_bytes_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t ticket_ = 0;  // while waiting
  bool retired_ = false;
  bool continue_sent_ = false, wants_head_only_ = false;
};

}  // namespace portcullis::net
