// What a QuotaCore knows, and what it concludes from that; quota_core.cpp is what it does.
#include <algorithm>

#include "webhook/quota_core.hpp"

namespace portcullis::webhook {
namespace {

constexpr double far_ratio = 0.75;  // of hard: below, nobody will miss what is released late

}  // namespace

std::string QuotaCore::why_not() const {
  if (stopping_) return "shutting down";
  if (!obstacle_.empty()) return obstacle_;
  if (!quota_) return "no TenantQuota";
  if (quota_->protocol > quota_protocol) return "TenantQuota of a newer protocol";
  if (!view_) return "usage is not known yet";
  if (puzzles_ >= puzzles_max) return "the API server refuses the ledger's writes";
  if (pending_.size() >= pending_claims_max) return "too many objects were let through and not seen yet";
  if (quota_->holds.size() >= quota_holds_max && !quota_->holds.contains(key_)) return "too many replicas hold the TenantQuota";
  return {};
}

std::string QuotaCore::why_not(const Claim& claim) const {
  for (const Need& need : claim.needs) {
    if (!quota_->hard.contains(need.dimension)) return "the TenantQuota lacks " + need.dimension;
    if (!view_->rv.contains(need.dimension)) return "usage of " + need.dimension + " is not known yet";
  }
  return {};
}

std::int64_t QuotaCore::hard(std::string_view dimension) const {
  const std::int64_t hard = quota_ ? amount_of(quota_->hard, dimension) : 0;
  const auto limit = limits_.find(dimension);
  return limit == limits_.end() ? hard : std::min(hard, limit->second);
}

// Of the views that were published and our own, which goes with every write.
PublishedView QuotaCore::best_view(std::string_view dimension) const {
  PublishedView best = quota_ ? newest_view(quota_->holds, dimension) : PublishedView{};
  if (!view_) return best;
  const std::int64_t rv = amount_of(view_->rv, dimension);
  const std::int64_t used = amount_of(view_->used, dimension);
  if (rv > best.rv) return {rv, used};
  if (rv == best.rv) best.used = std::max(best.used, used);
  return best;
}

// `ahead`: what others who wait have a right to first.
policy::ChargeOutcome QuotaCore::judge(const Amounts& grown, const Amounts& ahead) const {
  policy::ChargeOutcome outcome;
  outcome.status = policy::ChargeStatus::granted;
  for (const auto& [dimension, added] : grown) {
    const std::int64_t most = hard(dimension);
    const std::int64_t used = best_view(dimension).used;
    const std::int64_t reserved = held(quota_->holds, dimension, key_) + amount_of(pending_.sum(), dimension);
    const bool over = used + added > most;
    const bool full = used + reserved + amount_of(ahead, dimension) + added > most;
    if (!over && (!full || outcome.status != policy::ChargeStatus::granted)) continue;
    outcome.status = over ? policy::ChargeStatus::over : policy::ChargeStatus::reserved;
    outcome.resource = dimension;
    outcome.hard = most;
    outcome.used = used;
    outcome.reserved = reserved;
    outcome.added = added;
    if (over) break;  // a denial for real usage is the stronger word
  }
  return outcome;
}

policy::ChargeOutcome QuotaCore::would_grant(const Claim& claim) const {
  if (std::string why = why_not(); !why.empty()) return policy::unavailable(std::move(why));
  if (std::string why = why_not(claim); !why.empty()) return policy::unavailable(std::move(why));
  return judge(pending_.growth(claim), {});
}

QuotaCore::Standing QuotaCore::standing(std::string_view dimension) const {
  const std::int64_t reserved = (quota_ ? held(quota_->holds, dimension, key_) : 0) + amount_of(pending_.sum(), dimension);
  return {.hard = hard(dimension), .used = best_view(dimension).used, .reserved = reserved};
}

// What is held for nothing any more. Negative amounts are what was lost: our key was removed by hand.
Amounts QuotaCore::excess() const {
  Amounts excess;
  const auto consider = [&](const std::string& dimension) {
    const std::int64_t let_through = amount_of(pending_.sum(), dimension) - amount_of(batch_grown_, dimension);
    const std::int64_t amount = amount_of(own_.granted, dimension) - amount_of(own_.released, dimension) - let_through;
    if (amount != 0) excess[dimension] = amount;
  };
  for (const auto& [dimension, amount] : own_.granted) consider(dimension);
  for (const auto& [dimension, amount] : pending_.sum()) consider(dimension);
  return excess;
}

// Somebody removed our key while we still hold something: it must stand there again.
bool QuotaCore::must_write_back() const { return quota_ && !pending_.empty() && batch_.empty() && !quota_->holds.contains(key_); }

bool QuotaCore::view_is_news() const {
  return std::any_of(quota_->hard.begin(), quota_->hard.end(), [&](const auto& entry) {
    const auto rv = view_->rv.find(entry.first);
    if (rv == view_->rv.end()) return false;
    const PublishedView published = newest_view(quota_->holds, entry.first);
    return rv->second > published.rv && (published.rv == 0 || amount_of(view_->used, entry.first) != published.used);
  });
}

bool QuotaCore::view_reaches(const Amounts& versions) const {
  return std::all_of(quota_->hard.begin(), quota_->hard.end(),
                     [&](const auto& entry) { return amount_of(view_->rv, entry.first) >= amount_of(versions, entry.first); });
}

// Without our key the others' newest views must be as new as ours.
bool QuotaCore::removable() const {
  if (removed_ || !quota_ || !pending_.empty()) return false;
  const auto own = quota_->holds.find(key_);
  if (own == quota_->holds.end()) return false;
  Holds others = quota_->holds;
  others.erase(key_);
  return std::all_of(quota_->hard.begin(), quota_->hard.end(),
                     [&](const auto& entry) { return newest_view(others, entry.first).rv >= amount_of(own->second.rv, entry.first); });
}

// Keys that may go with our next view: of the dead, once it contains all they granted; of the lapsed, where they hold nothing.
std::vector<std::string> QuotaCore::reclaimable() {
  std::vector<std::string> keys;
  bool wants_barrier = false;
  for (const auto& [key, hold] : quota_->holds) {
    if (key == key_ || (!dead_.contains(key) && !lapsed_.contains(key))) continue;
    const bool holds_nothing = std::all_of(hold.granted.begin(), hold.granted.end(), [&, of = &hold](const auto& entry) {
      return entry.second == amount_of(of->released, entry.first);
    });
    if (!view_reaches(hold.rv)) continue;
    if (holds_nothing) {
      keys.push_back(key);
    } else if (const auto found = dead_.find(key);
               found != dead_.end() && (found->second == hold.granted || !safe_.unchanged_before_reclaim)) {
      const auto listed_for = barrier_for_.find(key);
      const bool listed = listed_for != barrier_for_.end() && listed_for->second == found->second;
      if (!safe_.barrier_before_reclaim || (listed && barrier_ && view_reaches(*barrier_))) {
        keys.push_back(key);
      } else if (!listed) {
        wants_barrier = true;
      }
    }
  }
  if (wants_barrier && !listing_) {
    barrier_for_ = dead_;
    barrier_.reset();
  }
  return keys;
}

Clock::duration QuotaCore::settle_delay() const {
  for (const auto& [dimension, most] : quota_->hard) {
    const std::int64_t taken = best_view(dimension).used + held(quota_->holds, dimension);
    if (static_cast<double>(taken) > static_cast<double>(most) * far_ratio) return times_.settle;
  }
  return times_.settle_far;
}

std::string QuotaCore::text(Deadline now) const {
  std::string text = "key " + key_;
  const auto put = [&text](std::string_view name, const Amounts& amounts) {
    text.append(" ").append(name) += "{";
    for (const auto& [dimension, amount] : amounts) text += dimension + "=" + std::to_string(amount) + " ";
    text += "}";
  };
  const auto put_hold = [&](std::string_view name, const Hold& hold) {
    text.append("\n ") += name;
    put("granted", hold.granted);
    put("released", hold.released);
    put("as_of", hold.as_of);
    put("rv", hold.rv);
    put("used", hold.used);
  };
  const auto put_due = [&](std::string_view name, Deadline at) {
    if (at > now) text.append(" ").append(name).append("+") += std::to_string((at - now).count());
  };
  text += " obstacle '" + obstacle_ + "'";
  if (quota_) {
    text += " quota " + std::to_string(quota_->version);
    put("hard", quota_->hard);
    for (const auto& [key, hold] : quota_->holds) put_hold(key, hold);
  }
  text += "\n";
  if (view_) {
    put("view_rv", view_->rv);
    put("view_used", view_->used);
  }
  put_hold("own", own_);
  put("released_at", released_at_);
  text += "\n pending " + pending_.text(now);
  const auto put_waiter = [&](const Waiter& waiter) {
    text += " " + std::to_string(waiter.ticket) + (waiter.answered ? "!" : "") + (contact_at_ >= waiter.since ? "c" : "");
    put_due("", waiter.deadline);
  };
  text += "\n waiting";
  for (const Waiter& waiter : waiters_) put_waiter(waiter);
  text += " batch";
  for (const Waiter& waiter : batch_) put_waiter(waiter);
  put("grown", batch_grown_);
  if (writing_ != Writing::no) put_hold(writing_ == Writing::sent ? "sent" : "unknown", sent_.hold);
  for (const std::string& key : sent_.removed) text += " -" + key;
  const bool flags[] = {blocked_, refused_at_ == changes_, reading_, must_read_, read_will_do_, listing_, stopping_,
                        removed_, looking_.has_value()};
  text += " flags ";
  for (const bool flag : flags) text += flag ? '1' : '0';
  text += " from " + std::to_string(sent_from_) + " puzzles " + std::to_string(std::min(puzzles_, puzzles_max)) + " failures " +
          std::to_string(std::min(failures_, 2U)) + "," + std::to_string(std::min(read_failures_, 2U));
  if (barrier_) put("barrier", *barrier_);
  for (const auto& [name, dead] : {std::pair{" dead ", &dead_}, std::pair{" barrier_for ", &barrier_for_}}) {
    text += name;
    for (const auto& [key, granted] : *dead) put(key, granted);
  }
  for (const std::string& key : lapsed_) text += " lapsed " + key;
  put_due("retry", retry_at_);
  put_due("read", read_at_ + times_.read_again);
  put_due("look", look_after_);
  put_due("list", list_after_);
  if (looking_ && looking_since_ != now) text += " looking-" + std::to_string((now - looking_since_).count());
  if (excess_since_) text += " excess-" + std::to_string((now - *excess_since_).count());
  if (news_since_) text += " news-" + std::to_string((now - *news_since_).count());
  return text;
}

}  // namespace portcullis::webhook
