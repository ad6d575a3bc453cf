#include "webhook/quota_core.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace portcullis::webhook {
namespace {

void raise_to(Amounts& amounts, const Amounts& other) {
  for (const auto& [dimension, amount] : other) {
    std::int64_t& at = amounts[dimension];
    at = std::max(at, amount);
  }
}

}  // namespace

QuotaCore::QuotaCore(std::string key, QuotaTimes times, Safeguards safeguards) : key_(std::move(key)), times_(times), safe_(safeguards) {}

// --- what comes in ---

void QuotaCore::charge(std::uint64_t ticket, Claim claim, Deadline deadline, Deadline now) {
  if (waiters_.size() >= waiting_claims_max) return answer(ticket, policy::unavailable("too many claims wait"));
  waiters_.push_back({.ticket = ticket, .claim = std::move(claim), .deadline = deadline, .since = now});
}

void QuotaCore::quota(std::optional<TenantQuota> quota) {
  if (quota) return adopt(std::move(*quota));
  quota_.reset();
  ++changes_;
}

void QuotaCore::limits(Amounts hard) {
  if (limits_ == hard) return;
  limits_ = std::move(hard);
  ++changes_;
}

void QuotaCore::observe(UsageView view, const std::vector<SeenObject>& seen) {
  const bool same_usage = view_ && view_->used == view.used;
  view_ = std::move(view);
  bool ended = false;
  for (const SeenObject& object : seen) {
    const std::uint64_t version = safe_.newer_than_found ? object.version : std::numeric_limits<std::uint64_t>::max();
    for (const std::string& dimension : pending_.seen(object.uid, version)) {
      std::int64_t& at = released_at_[dimension];
      at = std::max(at, static_cast<std::int64_t>(object.version));
      ended = true;
    }
  }
  if (!same_usage || ended) ++changes_;
}

void QuotaCore::obstacle(Obstacle why) { obstacle_ = std::move(why); }

void QuotaCore::wrote(WriteResult result, std::optional<TenantQuota> after, Deadline now) {
  if (writing_ != Writing::sent) return;
  if (result == WriteResult::applied && !after) result = WriteResult::unknown;
  switch (result) {
    case WriteResult::applied:
      failures_ = puzzles_ = 0;
      contact_at_ = now;
      adopt(std::move(*after));
      return conclude(true, now);
    case WriteResult::refused:
      must_read_ = true;
      return conclude(false, now);
    case WriteResult::not_applied:
      must_read_ = true;
      backoff(now);
      return conclude(false, now);
    case WriteResult::unknown:
      backoff(now);
      if (!safe_.compare_after_unknown) return conclude(true, now);
      must_read_ = true;
      writing_ = Writing::unknown;
  }
}

void QuotaCore::read(std::optional<TenantQuota> quota, Deadline now) {
  reading_ = false;
  read_failures_ = 0;
  read_at_ = contact_at_ = now;
  const bool will_do = std::exchange(read_will_do_, false) || !must_read_;
  if (quota) {
    adopt(std::move(*quota));
  } else {
    quota_.reset();
    ++changes_;
  }
  if (!will_do || !must_read_) return;  // asked before the write ended: it cannot tell
  must_read_ = false;
  if (writing_ == Writing::unknown) {
    // Counters only grow and only we write them: what was sent is there exactly when ours have come that far.
    const auto reaches = [](const Amounts& ours, const Amounts& sent) {
      return std::all_of(sent.begin(), sent.end(), [&](const auto& entry) { return amount_of(ours, entry.first) >= entry.second; });
    };
    const bool applied = reaches(own_.granted, sent_.hold.granted) && reaches(own_.released, sent_.hold.released);
    return conclude(applied, now);
  }
  puzzles_ = quota_ && quota_->version == sent_from_ ? puzzles_ + 1 : 0;
  if (puzzles_ >= puzzles_max) backoff(now);
}

void QuotaCore::read_failed(Deadline now) {
  reading_ = read_will_do_ = false;
  ++read_failures_;
  read_at_ = now;
}

void QuotaCore::looked(std::string_view uid, std::uint64_t version, Deadline now) {
  if (!looking_) return;
  const ObjectName object = *std::exchange(looking_, std::nullopt);
  const Amounts none;
  for (const std::string& dimension :
       pending_.looked(object, uid, version, looking_since_, view_ ? view_->rv : none, now + times_.look_again)) {
    std::int64_t& at = released_at_[dimension];
    at = std::max(at, static_cast<std::int64_t>(version));
  }
  ++changes_;
}

void QuotaCore::look_failed(Deadline now) {
  looking_.reset();
  look_after_ = now + times_.retry_max;
}

void QuotaCore::listed(Amounts newest) {
  listing_ = false;
  barrier_ = std::move(newest);
}

void QuotaCore::list_failed(Deadline now) {
  listing_ = false;
  list_after_ = now + times_.retry_max;
}

void QuotaCore::dead(Dead dead, std::set<std::string, std::less<>> lapsed) {
  dead_ = std::move(dead);
  lapsed_ = std::move(lapsed);
}

void QuotaCore::stop() { stopping_ = true; }

bool QuotaCore::stopped() const {
  return stopping_ && waiters_.empty() && writing_ == Writing::no && !must_read_ && excess().empty() && !removable();
}

// --- what happens ---

void QuotaCore::adopt(TenantQuota quota) {
  if (const auto own = quota.holds.find(key_); own != quota.holds.end()) {
    raise_to(own_.granted, own->second.granted);
    raise_to(own_.released, own->second.released);
  }
  if (quota_ && quota.version <= quota_->version) return;
  if (!quota_ || quota_->holds != quota.holds || quota_->hard != quota.hard) ++changes_;
  quota_ = std::move(quota);
}

// The write on its way has ended: those it was for are let through, or wait on.
void QuotaCore::conclude(bool applied, Deadline now) {
  writing_ = Writing::no;
  const std::vector<Waiter> batch = std::exchange(batch_, {});
  const QuotaPatch sent = std::exchange(sent_, {});
  batch_grown_.clear();
  if (applied) {
    raise_to(own_.granted, sent.hold.granted);
    raise_to(own_.released, sent.hold.released);
    if (sent.remove) removed_ = true;
    for (const std::string& key : sent.removed)  // who comes back must be found dead anew
      if (quota_ && !quota_->holds.contains(key)) dead_.erase(key);
    const std::string why = safe_.lease_before_answer ? obstacle_ : std::string();
    for (const Waiter& waiter : batch) {
      if (waiter.answered || !why.empty()) {
        pending_.drop(waiter.ticket);
        if (!waiter.answered) answer(waiter.ticket, policy::unavailable(why));
        continue;
      }
      if (safe_.pend_before_answer) {
        pending_.let_through(waiter.ticket, now + times_.storing_max);
      } else {
        pending_.drop(waiter.ticket);
        unpended_.push_back(waiter);
      }
      policy::ChargeOutcome granted;
      granted.status = policy::ChargeStatus::granted;
      answer(waiter.ticket, std::move(granted));
    }
    return;
  }
  for (auto waiter = batch.rbegin(); waiter != batch.rend(); ++waiter) {
    pending_.drop(waiter->ticket);
    if (!waiter->answered) waiters_.push_front(*waiter);
  }
}

Clock::duration QuotaCore::pause_after(unsigned failures) const {
  return std::min(times_.retry_max, times_.retry * (1U << std::min(failures, 10U)));
}

void QuotaCore::backoff(Deadline now) { retry_at_ = now + pause_after(failures_++); }

void QuotaCore::expire_waiters(Deadline now) {
  for (Waiter& waiter : batch_) {
    if (waiter.answered) continue;
    if (waiter.deadline > now) {
      wake(waiter.deadline);
      continue;
    }
    waiter.answered = true;
    answer(waiter.ticket, policy::unavailable("no answer of the API server in time"));
  }
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (waiter.deadline > now) {
      wake(waiter.deadline);
      return false;
    }
    policy::ChargeOutcome outcome = would_grant(waiter.claim);
    const bool known = writing_ == Writing::no && !must_read_ && contact_at_ >= waiter.since;
    if (outcome.status == policy::ChargeStatus::reserved && known) {
      refused_at_ = changes_;
    } else if (outcome.status != policy::ChargeStatus::over && outcome.status != policy::ChargeStatus::unavailable) {
      outcome = policy::unavailable("no answer of the API server in time");
    }
    answer(waiter.ticket, std::move(outcome));
    return true;
  });
}

void QuotaCore::plan(Deadline now, QuotaActions& actions) {
  blocked_ = false;
  if (waiters_.empty() || writing_ != Writing::no) return;
  if (const std::string why = why_not(); !why.empty()) {
    for (const Waiter& waiter : waiters_) answer(waiter.ticket, policy::unavailable(why));
    return waiters_.clear();
  }
  if (must_read_) return;
  if (retry_at_ > now) return wake(retry_at_);
  std::deque<Waiter> waiting;
  Amounts ahead;  // of those who wait before: nobody smaller overtakes them
  for (Waiter& waiter : waiters_) {
    if (std::string why = why_not(waiter.claim); !why.empty()) {
      answer(waiter.ticket, policy::unavailable(std::move(why)));
      continue;
    }
    const Amounts grown = pending_.growth(waiter.claim);
    policy::ChargeOutcome outcome = judge(grown, ahead);
    if (outcome.status == policy::ChargeStatus::granted) {
      pending_.add(waiter.ticket, waiter.claim);
      for (const auto& [dimension, amount] : grown) batch_grown_[dimension] += amount;
      batch_.push_back(std::move(waiter));
    } else if (outcome.status == policy::ChargeStatus::reserved && refused_at_ != changes_) {
      for (const auto& [dimension, amount] : grown) ahead[dimension] += amount;
      waiting.push_back(std::move(waiter));
    } else {
      answer(waiter.ticket, std::move(outcome));
    }
  }
  waiters_ = std::move(waiting);
  blocked_ = !waiters_.empty();
  if (batch_.empty()) return;
  if (batch_grown_.empty()) return conclude(true, now);  // held already, for other attempts at the same objects
  send(next_patch(), now, actions);
}

QuotaPatch QuotaCore::next_patch() const {
  QuotaPatch patch;
  patch.key = key_;
  patch.hold = own_;
  const Amounts freed = excess();
  if (safe_.counters) {
    for (const auto& [dimension, amount] : batch_grown_) patch.hold.granted[dimension] += amount;
    for (const auto& [dimension, amount] : freed)
      (amount > 0 ? patch.hold.released[dimension] : patch.hold.granted[dimension]) += std::abs(amount);
  } else {
    Amounts net = batch_grown_;
    for (const auto& [dimension, amount] : freed) net[dimension] -= amount;
    for (const auto& [dimension, amount] : net)
      (amount > 0 ? patch.hold.granted[dimension] : patch.hold.released[dimension]) += std::abs(amount);
  }
  patch.hold.as_of = released_at_;
  if (safe_.publish_with_release || quota_->holds.find(key_) == quota_->holds.end()) {
    patch.hold.rv = view_->rv;
    patch.hold.used = view_->used;
  }
  return patch;
}

void QuotaCore::send(QuotaPatch patch, Deadline now, QuotaActions& actions) {
  writing_ = Writing::sent;
  sent_ = patch;
  sent_from_ = quota_->version;
  wrote_at_ = now;
  excess_since_.reset();
  news_since_.reset();
  actions.patch = std::move(patch);
}

void QuotaCore::settle(Deadline now, QuotaActions& actions) {
  if (writing_ != Writing::no || must_read_ || !obstacle_.empty() || !quota_ || !view_ || quota_->protocol > quota_protocol) return;
  if (quota_->holds.size() >= quota_holds_max && !quota_->holds.contains(key_)) return;
  if (retry_at_ > now) return wake(retry_at_);
  if (!excess().empty() || must_write_back()) {
    if (!excess_since_) excess_since_ = now;
    const Deadline due =
        blocked_ || stopping_ ? std::max(*excess_since_, wrote_at_ + times_.settle_wanted) : *excess_since_ + settle_delay();
    if (due <= now) return send(next_patch(), now, actions);
    wake(due);
  }
  if (std::vector<std::string> keys = reclaimable(); !keys.empty()) {
    QuotaPatch patch = next_patch();
    patch.removed = std::move(keys);
    patch.if_version = quota_->version;
    return send(std::move(patch), now, actions);
  }
  if (stopping_) {
    if (!excess().empty() || !removable()) return;
    QuotaPatch patch;
    patch.key = key_;
    patch.hold = own_;
    patch.remove = true;
    return send(std::move(patch), now, actions);
  }
  if (view_is_news()) {
    // Not all replicas at once: who comes first publishes for all.
    const auto spread = Clock::duration(static_cast<Clock::rep>(std::hash<std::string>{}(key_) % 1'000) * times_.publish.count() / 1'000);
    if (!news_since_) news_since_ = now;
    const Deadline due = *news_since_ + times_.publish + spread;
    if (due <= now) return send(next_patch(), now, actions);
    wake(due);
  } else {
    news_since_.reset();
  }
}

void QuotaCore::look(Deadline now, QuotaActions& actions) {
  if (looking_) return;
  if (look_after_ > now && !pending_.empty()) return wake(look_after_);
  if (!safe_.look_before_expiry) {
    while (const auto object = pending_.expired(now)) pending_.give_up(*object, now);
  } else if (auto object = pending_.expired(now)) {
    looking_ = object;
    looking_since_ = now;
    actions.look = std::move(object);
    return;
  }
  if (const auto next = pending_.next_expiry()) wake(*next);
}

QuotaActions QuotaCore::act(Deadline now) {
  QuotaActions actions;
  wake_at_.reset();
  expire_waiters(now);
  plan(now, actions);
  settle(now, actions);
  look(now, actions);
  if (quota_ && view_ && !dead_.empty() && !barrier_for_.empty() && !barrier_ && !listing_) {
    if (list_after_ <= now) {
      listing_ = actions.list_versions = true;
    } else {
      wake(list_after_);
    }
  }
  if (!reading_ && (must_read_ || blocked_)) {
    Deadline due = must_read_ ? Deadline{} : read_at_ + times_.read_again;
    if (read_failures_ > 0) due = read_at_ + pause_after(read_failures_);
    if (due <= now) {
      reading_ = actions.read = true;
      read_will_do_ = must_read_;
    } else {
      wake(due);
    }
  }
  for (const Waiter& waiter : std::exchange(unpended_, {})) {
    pending_.add(waiter.ticket, waiter.claim);
    pending_.let_through(waiter.ticket, now + times_.storing_max);
  }
  actions.answers = std::exchange(answers_, {});
  return actions;
}

std::optional<Deadline> QuotaCore::wake_at() const { return wake_at_; }

}  // namespace portcullis::webhook
