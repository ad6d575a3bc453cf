#include "guard/redis_script.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace portcullis::guard {
namespace {

constexpr double century_us = 100.0 * 365 * 86'400 * 1e6;
constexpr std::int64_t window_unit = 1000;
constexpr double window_units_max = 9e15;  // below 2^53
constexpr std::int64_t window_ms_max = 400LL * 86'400 * 1000;

std::int64_t divide_up(std::int64_t value, std::int64_t by) { return value / by + (value % by != 0 ? 1 : 0); }

std::int64_t step_of(double cost, std::int64_t unit, std::int64_t tolerance) {
  if (!(cost > 0)) return 0;
  return static_cast<std::int64_t>(std::min(std::ceil(cost * static_cast<double>(unit)), static_cast<double>(tolerance)));
}

std::string_view hexadecimal(std::uint64_t value, char (&room)[16]) {
  for (int i = 15; i >= 0; --i, value >>= 4U) room[i] = "0123456789abcdef"[value & 15U];
  return {room, sizeof room};
}

}  // namespace

RedisLimit redis_limit(const SharedCharge& charge) {
  RedisLimit limit{.fingerprint = charge.fingerprint, .soft = charge.soft};
  if (charge.window_left > 0) {
    limit.unit = window_unit;
    limit.tolerance = static_cast<std::int64_t>(
        std::min(static_cast<double>(std::max<std::int64_t>(charge.limit.tolerance, 1)) * window_unit, window_units_max));
    limit.window_ms = std::min(divide_up(charge.window_left, 1'000'000), window_ms_max);
  } else {
    const std::int64_t interval = std::max<std::int64_t>(charge.limit.interval, 1);
    const std::int64_t burst = std::max<std::int64_t>(charge.limit.tolerance / interval, 1);
    limit.unit = divide_up(interval, 1000);
    limit.tolerance = static_cast<std::int64_t>(std::min(static_cast<double>(burst) * static_cast<double>(limit.unit), century_us));
  }
  limit.step = step_of(charge.cost, limit.unit, limit.tolerance);
  return limit;
}

std::string redis_key(std::string_view prefix, std::uint64_t tenant, const RedisLimit& limit) {
  char tenant_hex[16], fingerprint_hex[16];
  std::string key;
  key.reserve(prefix.size() + 40);
  key.append(prefix).append(":{").append(hexadecimal(tenant, tenant_hex)).append("}:");
  key += hexadecimal(limit.fingerprint, fingerprint_hex);
  if (limit.window_ms > 0) key += ":w";
  return key;
}

// ARGV: keys_max, then for each key: 0 a rate, 1 a window, and 2 more if soft; step; tolerance; milliseconds of the window.
// Answers {1, 0, taken by the first, 0}, {0, which, microseconds, room}, {-1, which, 0, 0} for a value that is none of ours,
// {-2, 0, 0, 0} for too many keys. The first write is the first thing that can fail, so all are written or none.
const std::string_view limits_script = R"lua(local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local values, lives, worst, which, left, new, first = {}, {}, 0, 0, 0, false, 0
for i = 1, #KEYS do
  local flags, step, tolerance = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local window, soft = flags % 2 == 1, flags >= 2
  local held, used = redis.pcall('GET', KEYS[i]), 0
  if held then
    if type(held) ~= 'string' or #held > 16 or not string.find(held, '^%d+$') then return {-1, i - 1, 0, 0} end
    used = tonumber(held)
    if not window then used = math.max(0, math.min(used - now, tolerance)) end
  end
  local room = tolerance - used
  if soft then
    step = math.max(0, math.min(step, room))
  elseif step > room then
    local wait = window and ARGV[4 * i + 1] * 1000 or step - room
    if wait > worst then worst, which, left = wait, i - 1, math.max(0, room) end
  end
  if i == 1 then first = step end
  if step > 0 then
    new = new or not held
    values[i] = string.format('%.0f', used + step + (window and 0 or now))
    lives[i] = window and ARGV[4 * i + 1] or string.format('%.0f', math.ceil((used + step) / 1000))
  end
end
if worst > 0 then return {0, which, worst, left} end
if new and redis.call('DBSIZE') >= tonumber(ARGV[1]) then return {-2, 0, 0, 0} end
for i = 1, #KEYS do
  if values[i] then redis.call('SET', KEYS[i], values[i], 'PX', lives[i]) end
end
return {1, 0, first, 0}
)lua";

// Answers how many there are; 0 when the key is none of ours. ZADD comes first: it is the one that a full or read-only Redis
// refuses. Times that are to come were written by nobody.
const std::string_view replicas_script = R"lua(local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local added = redis.pcall('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
if type(added) == 'table' then return string.find(added.err, 'WRONGTYPE') and 0 or added end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - 5000000))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('%.0f', now + 5000000), '+inf')
redis.call('PEXPIRE', KEYS[1], 5000)
return redis.call('ZCARD', KEYS[1])
)lua";

RedisCommand::RedisCommand(std::string& out, std::size_t words) : out_(out) { out_ += '*' + std::to_string(words) + "\r\n"; }

RedisCommand& RedisCommand::add(std::string_view word) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, word.size()).ptr;
  out_ += '$';
  out_.append(digits, end).append("\r\n").append(word).append("\r\n");
  return *this;
}

RedisCommand& RedisCommand::add(std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return add(std::string_view(digits, end));
}

void append_limits_call(std::string& out, const RedisScripts& scripts, std::string_view prefix, std::uint64_t tenant,
                        std::span<const RedisLimit> limits, std::uint64_t keys_max) {
  RedisCommand command(out, 4 + 5 * limits.size());
  command.add("EVALSHA").add(scripts.limits_sha).add(static_cast<std::int64_t>(limits.size()));
  for (const RedisLimit& limit : limits) command.add(redis_key(prefix, tenant, limit));
  command.add(static_cast<std::int64_t>(keys_max));
  for (const RedisLimit& limit : limits) {
    const std::int64_t flags = (limit.window_ms > 0 ? 1 : 0) + (limit.soft ? 2 : 0);
    command.add(flags).add(limit.step).add(limit.tolerance).add(limit.window_ms);
  }
}

void append_replicas_call(std::string& out, const RedisScripts& scripts, std::string_view prefix, std::string_view replica) {
  RedisCommand(out, 5).add("EVALSHA").add(scripts.replicas_sha).add(1).add(std::string(prefix) + ":replicas").add(replica);
}

bool read_limits_answer(const RedisReply& reply, std::size_t limits, LimitsAnswer& answer) {
  if (reply.kind != RedisReply::Kind::array || reply.items.size() != 4) return false;
  const auto& items = reply.items;
  if (std::any_of(items.begin() + 1, items.end(), [](std::int64_t item) { return item < 0; })) return false;
  if (static_cast<std::uint64_t>(items[1]) >= limits) return false;
  answer = {.which = static_cast<std::size_t>(items[1])};
  switch (items[0]) {
    case 1:
      answer.taken = items[2];
      return true;
    case 0:
      answer.kind = LimitsAnswer::Kind::refused;
      answer.wait_us = std::min(items[2], static_cast<std::int64_t>(century_us));
      answer.room = items[3];
      return answer.wait_us > 0;
    case -1:
      answer.kind = LimitsAnswer::Kind::foreign;
      return true;
    case -2:
      answer.kind = LimitsAnswer::Kind::full;
      return true;
    default:
      return false;
  }
}

}  // namespace portcullis::guard
