// Redis' replies: the same however they arrive, within their bounds, and no call is lost whatever is answered.
#include "guard/redis_session.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using fuzz::must;

namespace {

struct Told {
  std::string what;
  std::size_t calls = 0;
};

Told drive(std::string_view input, std::size_t piece, std::size_t asked) {
  const Clock::time_point now{};
  RedisSession session({.prefix = "p", .replica = "r", .keys_max = 10, .database = 1, .budget = std::chrono::milliseconds(5)});
  session.begin("user", "password");
  std::vector<RedisSession::Answer> answers;
  Told told;
  std::size_t made = 0;
  while (!input.empty() && told.what.empty()) {
    const auto fault = session.feed(input.substr(0, piece), now, answers);
    input.remove_prefix(std::min(piece, input.size()));
    if (fault) told.what = std::string(store_fault_name(fault->fault)) + fault->what;
    if (!fault && session.is_ready() && made == 0) {
      for (; made < asked; ++made)
        session.call({.tenant = made, .limits = {{.fingerprint = made, .step = 1, .tolerance = 2}}, .asker = {}});
    }
  }
  for (const RedisSession::Answer& answer : answers) {
    must(answer.answer.which < answer.call.limits.size(), "an answer is about a limit that was asked about");
    must(answer.answer.wait_us >= 0 && answer.answer.room >= 0, "nothing is negative");
  }
  std::size_t left = 0;
  for (const RedisCall& call : session.end()) left += call.kind == RedisCall::Kind::limits ? 1 : 0;
  must(answers.size() + left <= made, "no call is answered twice");
  told.calls = answers.size();
  return told;
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const std::uint8_t how = fuzz::take(input);
  // The calls are made between two pieces: when all comes at once, none of it answers them.
  const Told parts = drive(input, 1 + how % 61, how % 7), same = drive(input, 1 + how % 61, how % 7);
  must(parts.what == same.what && parts.calls == same.calls, "a conversation depends on nothing else");
  RedisReader whole, slow;
  whole.feed(input);
  RedisReply reply, slow_reply;
  std::string_view rest = input;
  for (;;) {
    const auto next = whole.next(reply);
    auto slow_next = slow.next(slow_reply);
    while (slow_next == RedisReader::Next::more && !rest.empty()) {
      slow.feed(rest.substr(0, 1 + how % 13));
      rest.remove_prefix(std::min<std::size_t>(1 + how % 13, rest.size()));
      slow_next = slow.next(slow_reply);
    }
    must(next == slow_next, "the end does not depend on how it arrives");
    if (next != RedisReader::Next::reply) break;
    must(reply.kind == slow_reply.kind && reply.integer == slow_reply.integer, "nor does a reply");
    must(reply.items.size() <= redis_reply_items_max, "an array has its bound");
    must(reply.text.size() <= redis_reply_bytes_max, "a text has its bound");
  }
}
