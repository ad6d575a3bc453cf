#include "guard/decide.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "guard/charges.hpp"

namespace portcullis::guard {
namespace {

constexpr std::int64_t second = 1'000'000'000;
// A place is mostly given back long before its time to live has passed, so nobody is sent away for all of it.
constexpr std::int64_t place_wait_max = 10 * second, store_wait = 10 * second;

const ClassRules& rules_of(const GuardSubject& subject) {
  return subject.own != nullptr ? *subject.own->rules : *(*subject.tenant.classes)[index_of(subject.route_class)];
}

bool is_admitted(const GuardSubject& subject) {
  const auto admits = [&](const auto& rule) { return rule->admits(subject.client); };
  const auto& rules = (*subject.tenant.access)[index_of(subject.route_class)];
  return std::all_of(rules.begin(), rules.end(), admits) &&
         (subject.own == nullptr || std::all_of(subject.own->access.begin(), subject.own->access.end(), admits));
}

Outcome stopped(const GuardSubject& subject, Verdict verdict, Reason reason) {
  const policy::GuardMode mode = subject.own != nullptr ? subject.own->mode : (*subject.tenant.modes)[index_of(subject.route_class)];
  Outcome outcome;
  outcome.reason = reason;
  outcome.shadow = mode == policy::GuardMode::shadow;
  outcome.verdict = outcome.shadow ? Verdict::pass : verdict;
  return outcome;
}

Outcome slowed(const GuardSubject& subject, Reason reason, std::int64_t wait) {
  Outcome outcome = stopped(subject, Verdict::slow, reason);
  outcome.limit = {.key = KeyKind::address, .wait = wait};
  return outcome;
}

// What needs no counting; Reason::none where nothing stands in the way.
Outcome judge_uncounted(const Adjustment* adjustment, const DecideParts& parts, const GuardSubject& subject) {
  if (subject.ban && (subject.ban->known_sessions_too || !subject.known_session)) return slowed(subject, Reason::banned, subject.ban->wait);
  if (adjustment != nullptr && subject.route_class != RouteClass::health) {
    if (adjustment->maintenance && (adjustment->let_through == nullptr || !adjustment->let_through->admits(subject.client)))
      return stopped(subject, Verdict::refuse, Reason::maintenance);
    if (adjustment->denied.test(index_of(subject.route_class))) return stopped(subject, Verdict::refuse, Reason::profile);
  }
  if (!is_admitted(subject)) return stopped(subject, Verdict::refuse, Reason::access);
  if (parts.store_away_long && rules_of(subject).on_store_loss == policy::StoreLoss::closed)
    return slowed(subject, Reason::store_lost, store_wait);
  return {};
}

PassedLimit passed(const Charge& charge, std::int64_t now) {
  PassedLimit limit;
  limit.key = static_cast<KeyKind>(charge.tag);
  limit.quota = charge.limit.tolerance / charge.limit.interval;
  limit.window = charge.window_end != 0 ? charge.window_end - now : charge.limit.tolerance;
  limit.wait = charge.wait;
  limit.remaining = charge.remaining;
  return limit;
}

const Charge& longest(std::span<const Charge> charges) {
  return *std::max_element(charges.begin(), charges.end(), [](const Charge& a, const Charge& b) { return a.wait < b.wait; });
}

// All or none. A tenant that has had its part of the pool may have what the others leave: then the pool's own bucket decides.
bool settle(bool (Limiter::*act)(std::span<Charge>, std::int64_t), Limiter& limiter, std::vector<Charge>& charges, bool pooled,
            std::int64_t now) {
  if ((limiter.*act)(charges, now)) return true;
  if (!pooled) return false;
  for (const Charge& charge : charges) {
    if (charge.wait > 0 && static_cast<KeyKind>(charge.tag) != KeyKind::pool_part) return false;
  }
  for (Charge& charge : charges) {
    const auto kind = static_cast<KeyKind>(charge.tag);
    if (kind == KeyKind::pool_part) charge.soft = true;
    if (kind == KeyKind::pool) charge.soft = false;
  }
  return (limiter.*act)(charges, now);
}

Outcome passed_limit(const GuardSubject& subject, std::span<const Charge> charges, std::int64_t now) {
  const Charge& charge = longest(charges);
  Outcome outcome = stopped(subject, Verdict::slow, limit_reason(static_cast<KeyKind>(charge.tag)));
  outcome.limit = passed(charge, now);
  return outcome;
}

}  // namespace

std::string_view key_kind_name(KeyKind key) {
  switch (key) {
    case KeyKind::address:
      return "address";
    case KeyKind::session:
      return "session";
    case KeyKind::api_key:
      return "api-key";
    case KeyKind::login:
      return "login";
    case KeyKind::tenant:
      return "all";
    case KeyKind::plan:
      return "plan";
    case KeyKind::pool_part:
    case KeyKind::pool:
      return "pool";
    case KeyKind::quota:
      return "quota";
    case KeyKind::place:
      return "concurrency";
  }
  return "";
}

Reason limit_reason(KeyKind kind) {
  switch (kind) {
    case KeyKind::address:
      return Reason::limit_address;
    case KeyKind::session:
      return Reason::limit_session;
    case KeyKind::api_key:
      return Reason::limit_api_key;
    case KeyKind::login:
      return Reason::limit_login;
    case KeyKind::tenant:
      return Reason::limit_tenant;
    case KeyKind::plan:
      return Reason::limit_plan;
    case KeyKind::pool_part:
    case KeyKind::pool:
      return Reason::limit_pool;
    case KeyKind::quota:
      return Reason::quota;
    case KeyKind::place:
      return Reason::concurrency;
  }
  return Reason::limit_address;
}

Outcome decide(const Moment& moment, const DecideParts& parts, const GuardSubject& subject, std::int64_t now, DecideScratch& scratch) {
  const Adjustment* const adjustment = moment.adjustment(subject.tenant);
  scratch.charges.clear();
  if (Outcome outcome = judge_uncounted(adjustment, parts, subject); outcome.reason != Reason::none) return outcome;
  const ClassRules& rules = rules_of(subject);
  Charges charges(moment, parts, subject, rules, adjustment, now, scratch.charges);
  charges.add_all();
  Outcome outcome;
  if (parts.leases != nullptr && !rules.concurrency.empty()) {
    const std::int64_t wait = charges.take_places(*parts.leases, outcome);
    if (wait > 0) return slowed(subject, Reason::concurrency, std::min(wait, place_wait_max));
  }
  if (settle(&Limiter::charge, parts.limiter, scratch.charges, subject.tenant.pool != nullptr, now)) return outcome;
  for (std::size_t i = 0; i < outcome.lease_count; ++i) parts.leases->give_back(outcome.leases[i]);
  return passed_limit(subject, scratch.charges, now);
}

Outcome foresee(const Moment& moment, const DecideParts& parts, const GuardSubject& subject, std::int64_t now, DecideScratch& scratch) {
  const Adjustment* const adjustment = moment.adjustment(subject.tenant);
  scratch.charges.clear();
  Charges(moment, parts, subject, rules_of(subject), adjustment, now, scratch.charges).add_all();
  const bool admitted = settle(&Limiter::look, parts.limiter, scratch.charges, subject.tenant.pool != nullptr, now);
  if (Outcome outcome = judge_uncounted(adjustment, parts, subject); outcome.reason != Reason::none) return outcome;
  return admitted ? Outcome{} : passed_limit(subject, scratch.charges, now);
}

}  // namespace portcullis::guard
