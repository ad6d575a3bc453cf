#include "guard/redis_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace portcullis::guard {
namespace {

bool is_sha(std::string_view text) {
  return text.size() == 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

RedisSession::Fault garbage(const char* what) { return {StoreFault::garbage, what}; }

}  // namespace

void RedisAsker::tell(const SharedVerdict& what) {
  if (!verdict) return;
  *verdict = what;
  verdict.reset();  // from here on it is the asker's alone
  waker->wake(ticket);
  waker.reset();
}

StoreFault fault_of(std::string_view code) {
  struct Row {
    std::string_view code;
    StoreFault fault;
  };
  static constexpr std::array rows{
      Row{"NOAUTH", StoreFault::authentication},
      Row{"WRONGPASS", StoreFault::authentication},
      Row{"NOPERM", StoreFault::authentication},
      Row{"READONLY", StoreFault::read_only},
      Row{"OOM", StoreFault::memory},
      Row{"LOADING", StoreFault::loading},
      Row{"BUSY", StoreFault::loading},
      Row{"MASTERDOWN", StoreFault::loading},
      Row{"MISCONF", StoreFault::loading},
      Row{"NOREPLICAS", StoreFault::loading},
      Row{"MOVED", StoreFault::cluster},
      Row{"ASK", StoreFault::cluster},
      Row{"CROSSSLOT", StoreFault::cluster},
      Row{"CLUSTERDOWN", StoreFault::cluster},
      Row{"TRYAGAIN", StoreFault::cluster},
  };
  const auto* const found = std::find_if(rows.begin(), rows.end(), [code](const Row& row) { return row.code == code; });
  return found == rows.end() ? StoreFault::other : found->fault;
}

void RedisSession::begin(std::string_view user, std::string_view password) {
  if (!password.empty()) {
    RedisCommand command(output_, user.empty() ? 2 : 3);
    command.add("AUTH");
    if (!user.empty()) command.add(user);
    command.add(password);
    calls_.push_back({.kind = RedisCall::Kind::authenticate, .limits = {}, .asker = {}});
  }
  if (options_.database != 0) {
    RedisCommand(output_, 2).add("SELECT").add(static_cast<std::int64_t>(options_.database));
    calls_.push_back({.kind = RedisCall::Kind::select, .limits = {}, .asker = {}});
  }
  load();
}

void RedisSession::load() {
  loading_ = true;
  RedisCommand(output_, 3).add("SCRIPT").add("LOAD").add(limits_script);
  calls_.push_back({.kind = RedisCall::Kind::load_limits, .limits = {}, .asker = {}});
  RedisCommand(output_, 3).add("SCRIPT").add("LOAD").add(replicas_script);
  calls_.push_back({.kind = RedisCall::Kind::load_replicas, .limits = {}, .asker = {}});
}

void RedisSession::send(RedisCall call) {
  if (call.kind == RedisCall::Kind::replicas) {
    append_replicas_call(output_, scripts_, options_.prefix, options_.replica);
  } else {
    append_limits_call(output_, scripts_, options_.prefix, call.tenant, call.limits, options_.keys_max);
  }
  if (call.repeated) ++repeated_;
  calls_.push_back(std::move(call));
}

void RedisSession::call(RedisCall call) { send(std::move(call)); }

void RedisSession::heartbeat(Clock::time_point now) {
  heartbeat_since_ = now;
  send({.kind = RedisCall::Kind::replicas, .limits = {}, .sent = now, .asker = {}});
}

void RedisSession::take_output(std::string& out) {
  out.clear();
  out.swap(output_);
}

std::optional<RedisSession::Fault> RedisSession::feed(std::string_view bytes, Clock::time_point now, std::vector<Answer>& answers) {
  reader_->feed(bytes);
  RedisReply reply;
  for (;;) {
    switch (reader_->next(reply)) {
      case RedisReader::Next::more:
        return std::nullopt;
      case RedisReader::Next::broken:
        return garbage("what came is no reply of Redis, or one that is too large");
      case RedisReader::Next::reply:
        break;
    }
    if (calls_.empty()) return garbage("a reply to nothing");
    RedisCall call = std::move(calls_.front());
    calls_.pop_front();
    if (examined_ > 0) --examined_;
    if (call.repeated) --repeated_;
    if (auto fault = judge(call, reply, now, answers)) {
      calls_.push_front(std::move(call));  // who asked is told with the others
      return fault;
    }
  }
}

std::optional<RedisSession::Fault> RedisSession::judge(RedisCall& call, const RedisReply& reply, Clock::time_point now,
                                                       std::vector<Answer>& answers) {
  if (reply.kind == RedisReply::Kind::error) return judge_error(call, reply);
  switch (call.kind) {
    case RedisCall::Kind::authenticate:
    case RedisCall::Kind::select:
      if (reply.kind != RedisReply::Kind::status) return garbage("want +OK to AUTH and SELECT");
      return std::nullopt;
    case RedisCall::Kind::load_limits:
    case RedisCall::Kind::load_replicas: {
      if (reply.kind != RedisReply::Kind::text || !is_sha(reply.text)) return garbage("want a digest to SCRIPT LOAD");
      const bool last = call.kind == RedisCall::Kind::load_replicas;
      (last ? scripts_.replicas_sha : scripts_.limits_sha) = reply.text;
      if (!last) return std::nullopt;
      loading_ = false;
      if (!ready_) heartbeat(now);
      return std::nullopt;
    }
    case RedisCall::Kind::replicas:
      if (reply.kind != RedisReply::Kind::integer || reply.integer < 0) return garbage("want a number of replicas");
      heartbeat_since_.reset();
      if (reply.integer > 0) replicas_ = static_cast<std::uint64_t>(reply.integer);
      if (ready_) return std::nullopt;
      ready_ = now - call.sent <= options_.budget;
      if (!ready_) heartbeat(now);  // one that was late proves nothing; another try until the setup's own deadline
      return std::nullopt;
    case RedisCall::Kind::limits: {
      LimitsAnswer answer;
      if (!read_limits_answer(reply, call.limits.size(), answer)) return garbage("want four integers of the script");
      answers.push_back({std::move(call), answer});
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<RedisSession::Fault> RedisSession::judge_error(RedisCall& call, const RedisReply& reply) {
  const std::string_view code = reply.error_code();
  const bool script = call.kind == RedisCall::Kind::limits || call.kind == RedisCall::Kind::replicas;
  if (script && code == "NOSCRIPT" && !call.repeated) {
    if (!loading_) load();
    call.repeated = true;
    send(std::move(call));
    return std::nullopt;
  }
  if (call.kind == RedisCall::Kind::authenticate) {
    return Fault{StoreFault::authentication, std::string(code)};  // its text may repeat what was said
  }
  return Fault{fault_of(code), printable(reply.text)};
}

void RedisSession::expire(Clock::time_point now, std::vector<RedisAsker>& late) {
  const std::size_t first = repeated_ > 0 ? 0 : examined_;
  for (std::size_t i = first; i < calls_.size(); ++i) {
    RedisCall& call = calls_[i];
    if (call.asker.verdict && call.deadline > now) {
      if (repeated_ > 0) continue;
      return;
    }
    if (call.asker.verdict) late.push_back(std::exchange(call.asker, {}));
    if (i == examined_) ++examined_;
  }
}

std::optional<Clock::time_point> RedisSession::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (std::size_t i = repeated_ > 0 ? 0 : examined_; i < calls_.size(); ++i) {
    const RedisCall& call = calls_[i];
    if (!call.asker.verdict) continue;
    if (!next || call.deadline < *next) next = call.deadline;
    if (repeated_ == 0) break;
  }
  return next;
}

std::deque<RedisCall> RedisSession::end() {
  std::deque<RedisCall> unanswered;
  unanswered.swap(calls_);
  reader_ = std::make_unique<RedisReader>();
  output_.clear();
  examined_ = repeated_ = 0;
  heartbeat_since_.reset();
  ready_ = loading_ = false;
  return unanswered;
}

}  // namespace portcullis::guard
