#include "webhook/waiting_charges.hpp"

#include <utility>

namespace portcullis::webhook {

std::uint64_t WaitingCharges::add(const std::string& tenant, const std::string& uid, Clock::time_point since, Ledger::Done done) {
  Expected& expected = expected_[uid];
  expected.tenant = tenant;
  ++expected.waiting;
  waiting_.emplace(++last_ticket_, Waiting{std::move(done), since, uid});
  return last_ticket_;
}

void WaitingCharges::answer(std::uint64_t ticket, policy::ChargeOutcome outcome) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  const Waiting waiter = std::move(found->second);
  waiting_.erase(found);
  if (const auto expected = expected_.find(waiter.uid); expected != expected_.end() && expected->second.waiting > 0)
    --expected->second.waiting;
  metrics_.answered(outcome.status, std::chrono::duration<double>(Clock::now() - waiter.since).count());
  waiter.done(std::move(outcome));
}

void WaitingCharges::refuse_all(const std::string& why) {
  for (auto& [ticket, waiter] : std::exchange(waiting_, {})) waiter.done(policy::unavailable(why));
}

std::string_view WaitingCharges::tenant_of(std::string_view uid) const {
  const auto found = expected_.find(std::string(uid));
  return found == expected_.end() ? std::string_view() : found->second.tenant;
}

bool WaitingCharges::waits_for(std::string_view uid) const {
  const auto found = expected_.find(std::string(uid));
  return found != expected_.end() && found->second.waiting > 0;
}

void WaitingCharges::forget_if(const std::function<bool(const std::string& tenant, const std::string& uid)>& is_over) {
  std::erase_if(expected_, [&](const auto& each) { return is_over(each.second.tenant, each.first); });
}

}  // namespace portcullis::webhook
