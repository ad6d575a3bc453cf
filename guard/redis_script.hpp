// How a limit is counted in Redis: GCRA and quota windows in a script, which Redis runs alone and by its own clock; what is
// sent to it, and what its answer means.
//
// A rate's key holds its theoretical arrival time in microseconds of Redis' clock (guard/limiter.hpp says what that is) and
// lives until then, for a key that has paid says the same as none. A window's key holds what was taken, in thousandths of a
// request, and lives as long as the window. A request's limits are charged all or none; a soft one takes what there is.
//
// Why microseconds: Lua counts in doubles, which hold every integer up to 2^53. Unix time in microseconds is 1.8e15, a century
// (the longest that a limit takes, as in Gcra::make) 3.2e15; their sum is below 9.0e15 until 2155, so every sum and
// difference that the script makes is an integer and exact. Nanoseconds would not fit. An interval is rounded up to whole
// microseconds and the burst is kept, so a shared limit is never wider than asked; a rate above a million a second is counted
// as a million. Redis' clock may be set: forward, a key has its burst again once; backward, a key waits for its burst at most.
//
// Keys: <prefix>:{<tenant>}:<fingerprint>, a window's with :w behind it; both are keyed hashes in hexadecimal, so a name of
// somebody's choice neither leaves its place nor picks a slot of a cluster (the braces are Redis' hash tag).
// The replicas that are there are a sorted set by time, <prefix>:replicas.
//
// What the user needs: ~<prefix>:* +evalsha +script|load +get +set +time +dbsize +zadd +zremrangebyscore +zcard +pexpire
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "guard/redis_reply.hpp"
#include "guard/shared_store.hpp"

namespace portcullis::guard {

// One limit as the script counts it: a rate in microseconds, a window in thousandths of a request.
struct RedisLimit {
  std::uint64_t fingerprint = 0;
  std::int64_t step = 0;       // that is charged
  std::int64_t tolerance = 0;  // that there is room for
  std::int64_t unit = 1;       // one request
  std::int64_t window_ms = 0;  // > 0: a window, and its time left
  bool soft = false;
};
RedisLimit redis_limit(const SharedCharge& charge);

// What names a key of a tenant in the tables of this process; never 0. What goes in are keyed hashes already.
constexpr std::uint64_t key_id(std::uint64_t tenant, const RedisLimit& limit) {
  const std::uint64_t id = limit.fingerprint ^ (tenant * 0x9e3779b97f4a7c15ULL) ^ (limit.window_ms > 0 ? 0xd6e8feb86659fd93ULL : 0);
  return id != 0 ? id : 1;
}

std::string redis_key(std::string_view prefix, std::uint64_t tenant, const RedisLimit& limit);

extern const std::string_view limits_script, replicas_script;

// Appends a command as an array of bulk strings.
class RedisCommand {
 public:
  RedisCommand(std::string& out, std::size_t words);
  RedisCommand& add(std::string_view word);
  RedisCommand& add(std::int64_t number);

 private:
  std::string& out_;
};

struct RedisScripts {
  std::string limits_sha, replicas_sha;  // as SCRIPT LOAD named them
};
void append_limits_call(std::string& out, const RedisScripts& scripts, std::string_view prefix, std::uint64_t tenant,
                        std::span<const RedisLimit> limits, std::uint64_t keys_max);
void append_replicas_call(std::string& out, const RedisScripts& scripts, std::string_view prefix, std::string_view replica);

struct LimitsAnswer {
  enum class Kind : std::uint8_t { admitted, refused, foreign, full } kind = Kind::admitted;
  std::size_t which = 0;
  std::int64_t wait_us = 0;  // refused
  std::int64_t taken = 0;    // admitted: by the first limit, which may be less than its step if it is soft
  std::int64_t room = 0;     // refused: that `which` has left
};
// False when it is no answer to a call with so many limits.
bool read_limits_answer(const RedisReply& reply, std::size_t limits, LimitsAnswer& answer);

}  // namespace portcullis::guard
