// One conversation with Redis, without I/O: it is fed bytes and gives bytes. Says who we are, loads the scripts and proves that
// a write is answered within the budget before it is ready; then many calls are on their way at once, and Redis answers them
// in order. A script that Redis has forgotten (SCRIPT FLUSH, a restart) is loaded again and the call repeated, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "guard/redis_reply.hpp"
#include "guard/redis_script.hpp"
#include "guard/shared_store.hpp"
#include "net/waker.hpp"

namespace portcullis::guard {

// Who waits for a verdict.
struct RedisAsker {
  std::shared_ptr<net::Waker> waker;
  std::uint64_t ticket = 0;
  std::shared_ptr<SharedVerdict> verdict;  // null: nobody, or told already

  void tell(const SharedVerdict& what);
};

struct RedisCall {
  enum class Kind : std::uint8_t { authenticate, select, load_limits, load_replicas, replicas, limits };
  enum class Source : std::uint8_t { asked, lease, note };  // of limits
  Kind kind = Kind::limits;
  Source source = Source::asked;
  bool repeated = false;
  std::uint64_t tenant = 0;
  std::vector<RedisLimit> limits;
  Clock::time_point sent{};                               // of limits: asked
  Clock::time_point deadline = Clock::time_point::max();  // of the asker
  RedisAsker asker;
};

class RedisSession {
 public:
  struct Options {
    std::string prefix, replica;
    std::uint64_t keys_max = 0;
    unsigned database = 0;
    Clock::duration budget{};
  };
  struct Fault {
    StoreFault fault = StoreFault::other;
    std::string what;
  };
  struct Answer {
    RedisCall call;  // of kind limits
    LimitsAnswer answer;
  };

  explicit RedisSession(Options options) : options_(std::move(options)) {}

  // A new connection. `password` empty: nobody is named.
  void begin(std::string_view user, std::string_view password);
  [[nodiscard]] bool is_ready() const { return ready_; }
  // For calls of kind limits; asked ones in the order of their deadlines. When ready.
  void call(RedisCall call);
  void heartbeat(Clock::time_point now);
  [[nodiscard]] std::optional<Clock::time_point> heartbeat_since() const { return heartbeat_since_; }  // unanswered
  // As Redis last said; 0 until it has.
  [[nodiscard]] std::uint64_t replicas() const { return replicas_; }

  [[nodiscard]] bool has_output() const { return !output_.empty(); }
  void take_output(std::string& out);

  // A fault ends the conversation.
  std::optional<Fault> feed(std::string_view bytes, Clock::time_point now, std::vector<Answer>& answers);
  // Askers whose deadline has passed; their calls are still on their way.
  void expire(Clock::time_point now, std::vector<RedisAsker>& late);
  [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
  [[nodiscard]] std::size_t waiting() const { return calls_.size(); }
  // What was not answered; all else is as before begin().
  std::deque<RedisCall> end();

 private:
  void send(RedisCall call);
  void load();
  std::optional<Fault> judge(RedisCall& call, const RedisReply& reply, Clock::time_point now, std::vector<Answer>& answers);
  std::optional<Fault> judge_error(RedisCall& call, const RedisReply& reply);

  Options options_;
  RedisScripts scripts_;
  std::unique_ptr<RedisReader> reader_ = std::make_unique<RedisReader>();
  std::deque<RedisCall> calls_;  // on their way, the oldest first
  std::size_t examined_ = 0;     // of calls_: nobody waits for these, or they are before those that are due next
  std::size_t repeated_ = 0;     // of calls_: out of the order of deadlines
  std::string output_;
  std::optional<Clock::time_point> heartbeat_since_;
  std::uint64_t replicas_ = 0;
  bool ready_ = false, loading_ = false;
};

// What an error's code means for the store.
StoreFault fault_of(std::string_view error_code);

}  // namespace portcullis::guard
