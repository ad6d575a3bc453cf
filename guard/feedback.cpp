#include "guard/feedback.hpp"

namespace portcullis::guard {

Feedback::Feedback(Parts parts)
    : parts_(std::move(parts)),
      ids_(
          [this](const Planted& lost) {
            for (std::size_t i = 0; i < lost.lease_count; ++i) parts_.leases.give_back(lost.leases[i]);
          },
          planted_slots_default, longest_request) {}

bool Feedback::is_alive(Clock::time_point now) const {
  const Clock::time_point last{Clock::duration{last_line_.load(std::memory_order_relaxed)}};
  return last != Clock::time_point{} && now - last < feedback_alive_for;
}

FeedbackStats Feedback::stats() const {
  return {succeeded_.load(std::memory_order_relaxed), failed_.load(std::memory_order_relaxed), unmatched_.load(std::memory_order_relaxed)};
}

void Feedback::finished(const FinishedRequest& request) {
  const Clock::time_point now = parts_.now();
  const std::optional<Planted> planted = ids_.take(request.id, now);
  if (!planted) {
    unmatched_.fetch_add(1, std::memory_order_relaxed);  // another guard's, or too old
    return;
  }
  for (std::size_t i = 0; i < planted->lease_count; ++i) parts_.leases.give_back(planted->leases[i]);
  if (planted->session && request.downstream_status == 200)
    parts_.sessions.learn(planted->tenant, *planted->session, planted->client, steady_nanoseconds(now));
  if (planted->sign != OutcomeSign::none) judge_login(*planted, request.downstream_status, now);
}

void Feedback::judge_login(const Planted& planted, int status, Clock::time_point now) {
  const bool form = planted.sign == OutcomeSign::form;
  const bool succeeded = form ? status == 303 || status == 302 : status >= 200 && status < 300;
  const bool failed = form ? status == 200 : status == 401 || status == 403;
  if (!succeeded && !failed) return;  // an error of Odoo's own says nothing about the credentials
  const std::shared_ptr<const Moment> moment = parts_.moment();
  const GuardTenant* const tenant = moment == nullptr ? nullptr : moment->documents().tenant_with_id(planted.tenant);
  if (tenant == nullptr) return;
  const BanTenant who{tenant->id, tenant->name};
  const policy::Bans& rules = moment->documents().bans();
  if (failed) {
    failed_.fetch_add(1, std::memory_order_relaxed);
    parts_.bans.failed(who, planted.client, planted.login, rules, now);
    return;
  }
  succeeded_.fetch_add(1, std::memory_order_relaxed);
  parts_.bans.succeeded(who, planted.client, planted.login, rules, now);
  for (std::size_t i = 0; i < planted.refund_count; ++i) {
    const Planted::Refund& refund = planted.refunds[i];
    Charge charge;
    charge.fingerprint = refund.fingerprint;
    charge.limit = refund.limit;
    charge.cost = refund.cost;
    parts_.limiter.refund(charge);
  }
}

}  // namespace portcullis::guard
