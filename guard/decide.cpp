#include "guard/decide.hpp"

#include <algorithm>
#include <cstring>

namespace portcullis::guard {
namespace {

// What a limiter key is a hash of. Counts are apart by tenant, class and limit; the tenant's bucket is one for all classes.
struct KeyText {
  std::uint64_t tenant = 0;
  std::uint32_t limit = 0;
  std::uint16_t route_class = 0;
  std::uint16_t kind = 0;
  std::array<std::uint64_t, 2> identity{};
};
static_assert(sizeof(KeyText) == 32);  // no padding: all of it is hashed

constexpr Reason reason_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::address:
      return Reason::limit_address;
    case KeyKind::session:
      return Reason::limit_session;
    case KeyKind::api_key:
      return Reason::limit_api_key;
    case KeyKind::tenant:
      return Reason::limit_tenant;
    case KeyKind::plan:
      return Reason::limit_plan;
  }
  return Reason::limit_address;
}

bool is_admitted(const GuardSubject& subject) {
  const auto& rules = (*subject.tenant.access)[index_of(subject.route_class)];
  return std::all_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule->admits(subject.client); });
}

class Charges {
 public:
  Charges(const GuardSnapshot& snapshot, const SipKey& seed, const GuardSubject& subject, Limiter& limiter, std::vector<Charge>& charges)
      : snapshot_(snapshot), seed_(seed), subject_(subject), limiter_(limiter), charges_(charges) {
    charges_.clear();
    const Address client = client_key(subject.client);
    std::memcpy(client_.data(), client.data(), client.size());
  }

  void add_class_limits(const ClassRules& rules) {
    for (std::size_t i = 0; i < rules.limits.size(); ++i) add(rules.limits[i], static_cast<std::uint32_t>(i));
  }

  void add_bucket(const ClassLimit& bucket, double cost) {
    add_one(KeyKind::plan, {.tenant = subject_.tenant.id, .kind = static_cast<std::uint16_t>(KeyKind::plan)}, bucket.gcra, cost);
  }

 private:
  void add(const ClassLimit& limit, std::uint32_t index) {
    KeyText key{.tenant = subject_.tenant.id, .limit = index, .route_class = static_cast<std::uint16_t>(subject_.route_class)};
    switch (limit.limit.key) {
      case policy::LimitKey::tenant:
        key.kind = static_cast<std::uint16_t>(KeyKind::tenant);
        return add_one(KeyKind::tenant, key, widened(limit, subject_.tenant.plan_factor), 1);
      case policy::LimitKey::session:
        if (subject_.sessions.count == 0) break;
        key.kind = static_cast<std::uint16_t>(KeyKind::session);
        for (const std::uint64_t session : subject_.sessions.all()) {
          key.identity = {session, 0};
          add_one(KeyKind::session, key, limit.gcra, 1);
        }
        return;
      case policy::LimitKey::api_key:
        if (!subject_.api_key) break;
        key.kind = static_cast<std::uint16_t>(KeyKind::api_key);
        key.identity = {*subject_.api_key, 0};
        return add_one(KeyKind::api_key, key, limit.gcra, 1);
      case policy::LimitKey::login:
        return;
      case policy::LimitKey::address:
        break;
    }
    key.kind = static_cast<std::uint16_t>(KeyKind::address);
    key.identity = client_;
    if (factor_ == 0) factor_ = snapshot_.widening(subject_.tenant, subject_.client);
    add_one(KeyKind::address, key, widened(limit, factor_), 1);
  }

  static Gcra widened(const ClassLimit& limit, double factor) {
    if (factor == 1) return limit.gcra;
    return Gcra::make(limit.limit.rate.count, static_cast<double>(limit.limit.rate.per.count()), limit.limit.burst, factor);
  }

  void add_one(KeyKind kind, const KeyText& key, const Gcra& gcra, double cost) {
    Charge& charge = charges_.emplace_back();
    charge.fingerprint = siphash(seed_, &key, sizeof key);
    limiter_.prefetch(charge.fingerprint);
    charge.limit = gcra;
    charge.cost = cost;
    charge.tag = static_cast<std::uint32_t>(kind);
  }

  const GuardSnapshot& snapshot_;
  const SipKey& seed_;
  const GuardSubject& subject_;
  Limiter& limiter_;
  std::vector<Charge>& charges_;
  std::array<std::uint64_t, 2> client_{};
  double factor_ = 0;  // looked up when the first address limit comes
};

Outcome stopped(const GuardSubject& subject, Verdict verdict, Reason reason) {
  Outcome outcome;
  outcome.reason = reason;
  outcome.shadow = (*subject.tenant.modes)[index_of(subject.route_class)] == policy::GuardMode::shadow;
  outcome.verdict = outcome.shadow ? Verdict::pass : verdict;
  return outcome;
}

}  // namespace

Outcome decide(const GuardSnapshot& snapshot, Limiter& limiter, const SipKey& seed, const GuardSubject& subject, std::int64_t now,
               DecideScratch& scratch) {
  if (!is_admitted(subject)) return stopped(subject, Verdict::refuse, Reason::access);
  const ClassRules& rules = *(*subject.tenant.classes)[index_of(subject.route_class)];
  Charges charges(snapshot, seed, subject, limiter, scratch.charges);
  charges.add_class_limits(rules);
  if (subject.tenant.bucket && rules.cost > 0) charges.add_bucket(*subject.tenant.bucket, rules.cost);
  if (limiter.charge(scratch.charges, now)) return {};
  const auto longest =
      std::max_element(scratch.charges.begin(), scratch.charges.end(), [](const Charge& a, const Charge& b) { return a.wait < b.wait; });
  const auto kind = static_cast<KeyKind>(longest->tag);
  Outcome outcome = stopped(subject, Verdict::slow, reason_of(kind));
  outcome.limit = {kind, longest->limit, longest->wait, longest->remaining};
  return outcome;
}

}  // namespace portcullis::guard
