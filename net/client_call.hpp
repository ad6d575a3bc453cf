// One call of a Client while it runs: what is asked, what has come of the answer, and how it ended. Lives in the frame of
// Client::call or stream; a protocol that runs it is told when it goes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/background.hpp"
#include "net/client.hpp"
#include "net/inflater.hpp"

namespace portcullis::net {

class ClientCall {
 public:
  enum class State {
    running,
    whole,
    stopped,  // the caller wants no more
    failed,
  };

  ClientCall(const ClientRequest& request, const ClientLimits& limits, std::string_view peer)
      : request_(request), limits_(limits), peer_(peer) {}

  // For Client.
  Client::OnHead on_head;
  Client::OnBytes on_bytes;  // without it the body is gathered
  Event ended;
  void begin_again();  // another attempt

  // For the protocols. What returns false has ended the call: the rest of its answer is not wanted.
  [[nodiscard]] const ClientRequest& request() const { return request_; }
  bool take_status(int status);  // again after an informational one
  bool take_field(std::string_view name, std::string_view value);
  bool take_head();  // its fields are whole
  bool take_body(std::string_view bytes);
  void finish();                              // the body is whole
  void give_up(Error error, bool untouched);  // untouched: the peer has surely not acted on it
  void give_up(ErrorKind kind, std::string what, bool untouched = false);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_running() const { return state_ == State::running; }
  [[nodiscard]] bool is_untouched() const { return untouched_; }
  [[nodiscard]] bool has_head() const { return has_head_; }
  [[nodiscard]] ClientResponse& answer() { return answer_; }
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  bool hand_on(std::string_view bytes);
  void end(State state);

  const ClientRequest& request_;
  const ClientLimits& limits_;
  std::string_view peer_;
  ClientResponse answer_;
  std::optional<Inflater> inflater_;
  std::size_t header_bytes_ = 0;
  State state_ = State::running;
  Error error_;
  bool has_head_ = false, untouched_ = false;
};

}  // namespace portcullis::net
