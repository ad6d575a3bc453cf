#include "guard/charges.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace portcullis::guard {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr double around_56 = 4, around_48 = 16;  // how much wider than a /64
constexpr double login_everywhere = 4;           // how much wider a login is over all addresses than from one
constexpr std::uint16_t no_class = 0x7fff;       // of what counts over all classes

// The first `bytes` bytes of a client's key.
std::array<std::uint64_t, 2> network_of(std::array<std::uint64_t, 2> client, std::size_t bytes) {
  std::memset(reinterpret_cast<unsigned char*>(client.data()) + bytes, 0, sizeof client - bytes);
  return client;
}

// Doors at which passwords are tried are not widened by who has come through them.
bool is_guessed_at(RouteClass route_class) {
  switch (route_class) {
    case RouteClass::login:
    case RouteClass::signup_reset:
    case RouteClass::db_admin:
    case RouteClass::rpc_legacy:
    case RouteClass::rpc_json2:
    case RouteClass::form:
      return true;
    default:
      return false;
  }
}

}  // namespace

Charges::Charges(const Moment& moment, const DecideParts& parts, const GuardSubject& subject, const ClassRules& rules,
                 const Adjustment* adjustment, std::int64_t now, std::vector<Charge>& charges)
    : moment_(moment),
      parts_(parts),
      subject_(subject),
      rules_(rules),
      adjustment_(adjustment),
      now_(now),
      charges_(charges),
      route_class_(subject.own != nullptr ? subject.own->id : static_cast<std::uint16_t>(subject.route_class)) {
  const Address client = client_key(subject.client);
  std::memcpy(client_.data(), client.data(), client.size());
  // First every limit is divided; a class that may stay open is whole again once the store is away for longer.
  if (parts.store_away && !(parts.store_away_long && rules.on_store_loss == policy::StoreLoss::open))
    share_ = 1.0 / std::max(1U, parts.replicas);
  factor_ = share_ * (adjustment != nullptr ? adjustment->factors[index_of(subject.route_class)] : 1);
}

void Charges::add_all() {
  add_limits(rules_, route_class_, false);
  if (subject_.credentials && subject_.route_class != RouteClass::login) {
    const auto login = static_cast<std::uint16_t>(RouteClass::login);
    add_limits(*(*subject_.tenant.classes)[login], login, true);
  }
  add_quotas(rules_.quotas, route_class_, subject_.tenant.plan_factor);
  add_quotas(subject_.tenant.quotas, no_class, 1);
  const double cost = rules_.cost * subject_.cost_factor;
  if (cost <= 0) return;
  add_bucket(cost);
  add_pool(cost);
}

void Charges::add_limits(const ClassRules& rules, std::uint16_t route_class, bool addresses_only) {
  for (std::size_t i = 0; i < rules.limits.size(); ++i) {
    if (addresses_only && rules.limits[i].limit.key != policy::LimitKey::address) continue;
    add_limit(rules.limits[i], {.tenant = subject_.tenant.id, .limit = static_cast<std::uint32_t>(i), .route_class = route_class});
  }
}

void Charges::add_limit(const ClassLimit& limit, KeyText key) {
  switch (limit.limit.key) {
    case policy::LimitKey::tenant:
      // Who is known is counted apart, so that strangers cannot use up what the tenant's own people need.
      return add_one(KeyKind::tenant, subject_.known_session ? Count::tenant_known : Count::tenant, key,
                     scaled(limit, factor_ * subject_.tenant.plan_factor), 1);
    case policy::LimitKey::session:
      if (subject_.sessions.count == 0) break;
      for (const std::uint64_t session : subject_.sessions.all()) {
        key.identity = {session, 0};
        add_one(KeyKind::session, Count::session, key, scaled(limit, factor_), 1);
      }
      return;
    case policy::LimitKey::api_key:
      if (!subject_.api_key) break;
      key.identity = {*subject_.api_key, 0};
      return add_one(KeyKind::api_key, Count::api_key, key, scaled(limit, factor_), 1);
    case policy::LimitKey::login:
      return add_login(limit, key);
    case policy::LimitKey::address:
      break;
  }
  add_address(limit, key);
}

void Charges::add_address(const ClassLimit& limit, KeyText key) {
  const double cost = subject_.credentials ? subject_.attempts : 1;
  if (subject_.known_session) {
    key.identity = {*subject_.known_session, 0};
    return add_one(KeyKind::session, Count::own_share, key, scaled(limit, factor_), cost);
  }
  const double factor = factor_ * address_factor();
  key.identity = client_;
  add_one(KeyKind::address, Count::address, key, scaled(limit, factor), cost);
  if (is_ipv4(subject_.client)) return;
  key.identity = network_of(client_, 7);
  add_one(KeyKind::address, Count::address56, key, scaled(limit, factor * around_56), cost);
  key.identity = network_of(client_, 6);
  add_one(KeyKind::address, Count::address48, key, scaled(limit, factor * around_48), cost);
}

// From one address first, so that a stranger far away cannot lock somebody out; over all addresses more widely. Somebody who
// is known is not slowed by what strangers do with his name.
void Charges::add_login(const ClassLimit& limit, KeyText key) {
  for (const std::uint64_t login : subject_.logins) {
    key.identity = {login, subject_.known_session ? *subject_.known_session : client_hash()};
    add_one(KeyKind::login, Count::login_here, key, scaled(limit, factor_), 1);
    if (subject_.known_session) continue;
    key.identity = {login, 0};
    add_one(KeyKind::login, Count::login, key, scaled(limit, factor_ * login_everywhere), 1);
  }
}

void Charges::add_quotas(const std::vector<policy::Quota>& quotas, std::uint16_t route_class, double factor) {
  for (std::size_t i = 0; i < quotas.size(); ++i) {
    const policy::Quota& quota = quotas[i];
    const QuotaWindow& window = moment_.window(subject_.tenant, quota.per);
    KeyText key{.tenant = subject_.tenant.id, .limit = static_cast<std::uint32_t>(i), .route_class = route_class};
    key.identity = {identity_of(quota.key), std::uint64_t{window.number} << 8 | static_cast<std::uint64_t>(quota.key)};
    add_one(KeyKind::quota, Count::quota, key, {}, 1);
    charges_.back().set_quota(static_cast<std::uint64_t>(std::max(1.0, static_cast<double>(quota.count) * factor * share_)), window.end);
  }
}

void Charges::add_bucket(double cost) {
  if (!subject_.tenant.bucket) return;
  const double factor = share_ * (adjustment_ != nullptr ? adjustment_->bucket_factor : 1);
  add_one(KeyKind::plan, Count::plan, {.tenant = subject_.tenant.id}, scaled(*subject_.tenant.bucket, factor), cost);
}

void Charges::add_pool(double cost) {
  if (subject_.tenant.pool == nullptr) return;
  Pool& pool = *subject_.tenant.pool;
  // Each replica has its part of the capacity: requests are spread over them, and one's spare is not another's to give.
  const unsigned replicas = std::max(1U, parts_.replicas);
  add_one(KeyKind::pool_part, Count::pool_part, {.tenant = subject_.tenant.id, .identity = {pool.id(), 0}},
          pool.part_of(subject_.tenant.pool_member, replicas, now_), cost);
  add_one(KeyKind::pool, Count::pool, {.identity = {pool.id(), 0}}, pool.whole(replicas), cost);
  charges_.back().soft = true;
  charges_.back().debt_max = charges_.back().limit.tolerance;  // what parts took beyond it is not given away as spare
}

std::int64_t Charges::take_places(Leases& leases, Outcome& outcome) const {
  for (std::size_t i = 0; i < rules_.concurrency.size() && outcome.lease_count < outcome.leases.size(); ++i) {
    const policy::Concurrency& concurrency = rules_.concurrency[i];
    double max = concurrency.max;
    if (concurrency.max == concurrency_by_workers) {
      if (subject_.tenant.workers == 0) continue;
      max = std::ceil(subject_.tenant.workers / 4.0);
    }
    const double factor = adjustment_ != nullptr ? adjustment_->factors[index_of(subject_.route_class)] : 1;
    const KeyText key{.tenant = subject_.tenant.id,
                      .limit = static_cast<std::uint32_t>(i),
                      .route_class = route_class_,
                      .identity = {identity_of(concurrency.key), static_cast<std::uint64_t>(concurrency.key)}};
    const Leases::Answer answer = leases.take(hash(Count::place, key), static_cast<std::uint32_t>(std::max(1.0, max * factor)),
                                              concurrency.ttl.count() * second, now_);
    if (answer.grant == Leases::Grant::taken) outcome.leases[outcome.lease_count++] = answer.lease;
    if (answer.grant != Leases::Grant::full) continue;
    for (std::size_t taken = 0; taken < outcome.lease_count; ++taken) leases.give_back(outcome.leases[taken]);
    outcome.lease_count = 0;
    return std::max<std::int64_t>(1, answer.wait);
  }
  return 0;
}

void Charges::add_one(KeyKind kind, Count count, KeyText key, const Gcra& gcra, double cost) {
  Charge& charge = charges_.emplace_back();
  charge.fingerprint = hash(count, key);
  parts_.limiter.prefetch(charge.fingerprint);
  charge.limit = gcra;
  charge.cost = cost;
  charge.tag = static_cast<std::uint32_t>(kind);
}

std::uint64_t Charges::hash(Count count, KeyText key) const {
  key.kind = static_cast<std::uint16_t>(count);
  return siphash(parts_.seed, &key, sizeof key);
}

std::uint64_t Charges::client_hash() const { return siphash(parts_.seed, client_.data(), sizeof client_); }

std::uint64_t Charges::identity_of(policy::LimitKey key) const {
  switch (key) {
    case policy::LimitKey::tenant:
      return 0;
    case policy::LimitKey::session:
      if (subject_.sessions.count > 0) return subject_.sessions.keys[0];
      break;
    case policy::LimitKey::api_key:
      if (subject_.api_key) return *subject_.api_key;
      break;
    case policy::LimitKey::login:
      if (!subject_.logins.empty()) return subject_.logins[0];
      break;
    case policy::LimitKey::address:
      break;
  }
  return client_hash();
}

double Charges::address_factor() {
  if (address_factor_ == 0) {
    address_factor_ = moment_.documents().widening(subject_.tenant, subject_.client);
    if (!is_guessed_at(subject_.route_class)) address_factor_ = std::max(address_factor_, subject_.standing);
  }
  return address_factor_;
}

Gcra Charges::scaled(const ClassLimit& limit, double factor) {
  if (factor == 1) return limit.gcra;
  return Gcra::make(limit.limit.rate.count, static_cast<double>(limit.limit.rate.per.count()), limit.limit.burst, factor);
}

}  // namespace portcullis::guard
