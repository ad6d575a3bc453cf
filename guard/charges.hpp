// What one request is charged for: its class's limits and quotas, its tenant's, each to the key it names. guard/decide.hpp
// says what the keys are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "guard/decide.hpp"

namespace portcullis::guard {

class Charges {
 public:
  // Everything given outlives this; `charges` is added to.
  Charges(const Moment& moment, const DecideParts& parts, const GuardSubject& subject, const ClassRules& rules,
          const Adjustment* adjustment, std::int64_t now, std::vector<Charge>& charges);

  void add_all();
  // Takes a place for each concurrency of the class, all or none, and notes them in `outcome`. 0, or the nanoseconds until a
  // place is free at the latest.
  std::int64_t take_places(Leases& leases, Outcome& outcome) const;

 private:
  // What a key is a hash of. Counts are apart by tenant, class and limit; the tenant's bucket is one for all classes.
  struct KeyText {
    std::uint64_t tenant = 0;
    std::uint32_t limit = 0;
    std::uint16_t route_class = 0;
    std::uint16_t kind = 0;
    std::array<std::uint64_t, 2> identity{};
  };
  static_assert(sizeof(KeyText) == 32);  // no padding: all of it is hashed
  // What is hashed as the kind; apart from KeyKind where one of those has several counts.
  enum class Count : std::uint16_t {
    address,
    address56,
    address48,
    session,
    own_share,
    api_key,
    login_here,
    login,
    tenant,
    tenant_known,
    plan,
    pool_part,
    pool,
    quota,
    place
  };

  void add_limits(const ClassRules& rules, std::uint16_t route_class, bool addresses_only);
  void add_limit(const ClassLimit& limit, KeyText key);
  void add_address(const ClassLimit& limit, KeyText key);
  void add_login(const ClassLimit& limit, KeyText key);
  void add_quotas(const std::vector<policy::Quota>& quotas, std::uint16_t route_class, double factor);
  void add_bucket(double cost);
  void add_pool(double cost);
  void add_one(KeyKind kind, Count count, KeyText key, const Gcra& gcra, double cost);
  [[nodiscard]] std::uint64_t hash(Count count, KeyText key) const;
  // The identity of a key that a quota or a place is counted by, as one word.
  [[nodiscard]] std::uint64_t identity_of(policy::LimitKey key) const;
  [[nodiscard]] std::uint64_t client_hash() const;
  [[nodiscard]] double address_factor();
  static Gcra scaled(const ClassLimit& limit, double factor);

  const Moment& moment_;
  const DecideParts& parts_;
  const GuardSubject& subject_;
  const ClassRules& rules_;
  const Adjustment* const adjustment_;
  const std::int64_t now_;
  std::vector<Charge>& charges_;
  std::array<std::uint64_t, 2> client_{};
  std::uint16_t route_class_;
  double share_ = 1;           // of each limit, while the store is away
  double factor_;              // of the class, by profile and share
  double address_factor_ = 0;  // looked up when the first address limit comes
};

}  // namespace portcullis::guard
