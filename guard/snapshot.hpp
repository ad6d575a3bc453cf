// What the documents in force mean to the guard: immutable, compiled once a reload, shared by all loops.
//
// Tenants are found by host (exact, or a wildcard for one label) and by name. What a tenant does not say itself it shares
// with all others, by pointer: a tenant with hosts and a plan costs little more than its names, so ten thousand are fine.
// Access: for each class the platform's entries that name it, then the tenant's; every one must let the address in. A class
// that is off unless opened has a refusing entry until one that names it takes its place.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "guard/address.hpp"
#include "guard/limiter.hpp"
#include "guard/path.hpp"
#include "guard/pool.hpp"
#include "guard/route_class.hpp"
#include "guard/trie.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::guard {

// One limit of one class.
struct ClassLimit {
  policy::Limit limit;  // as written
  Gcra gcra;
};

// One access entry. Values of the trie: refuse before admit, so that refusing wins a tie.
struct AccessRule {
  static constexpr std::uint16_t refuse = 0, admit = 1;
  Trie networks;
  bool default_admit = true;
  [[nodiscard]] bool admits(const Address& client) const {
    const std::uint16_t found = networks.find(client);
    return found == Trie::no_value ? default_admit : found == admit;
  }
};

struct ClassRules {
  std::vector<ClassLimit> limits;
  std::vector<policy::Quota> quotas;
  std::vector<policy::Concurrency> concurrency;
  double cost = 0;  // to the tenant's bucket
  policy::StoreLoss on_store_loss = policy::StoreLoss::local;
};

// A class that a tenant made for paths of its own.
struct OwnClass {
  std::string name;
  std::uint16_t id = 0;  // hash of the name, apart from the built-in classes' numbers: the same after a reload
  struct Pattern {
    std::string path;
    bool below = false;  // and everything below it
    [[nodiscard]] bool matches(std::string_view other) const;
  };
  std::vector<Pattern> patterns;
  std::shared_ptr<const ClassRules> rules;
  std::vector<std::shared_ptr<const AccessRule>> access;  // beside those of the class it takes the place of
  policy::GuardMode mode = policy::GuardMode::enforce;
};

// How much wider the address limits of a known office are.
struct Widening {
  Trie networks;
  std::vector<double> factors;  // by the trie's value, ascending: of equal networks the smaller factor wins
  [[nodiscard]] std::optional<double> of(const Address& client) const {
    const std::uint16_t found = networks.find(client);
    return found == Trie::no_value ? std::nullopt : std::optional(factors[found]);
  }
};

using ClassTable = std::array<std::shared_ptr<const ClassRules>, route_class_count>;
using AccessTable = std::array<std::vector<std::shared_ptr<const AccessRule>>, route_class_count>;
using ModeTable = std::array<policy::GuardMode, route_class_count>;

struct GuardTenant {
  std::string name;
  std::uint32_t index = 0;  // among the snapshot's tenants
  std::uint32_t zone = 0;   // among the snapshot's zones
  int tier = 1;
  std::uint64_t id = 0;  // hash of the name: the same after a reload, so limits go on
  std::shared_ptr<const ClassTable> classes;
  std::shared_ptr<const AccessTable> access;
  std::shared_ptr<const ModeTable> modes;
  std::shared_ptr<const Widening> widening;  // the tenant's own lists; null without
  double plan_factor = 1;
  std::optional<ClassLimit> bucket;        // of the plan, or what its workers can do
  std::vector<policy::NetworkList> lists;  // its own, as written
  std::vector<OwnClass> own;
  std::vector<std::string> databases;  // that may be named; a trailing `*` is a prefix; empty: any that is nobody else's
  std::vector<policy::Quota> quotas;
  std::uint32_t workers = 0;   // 0: not told
  std::shared_ptr<Pool> pool;  // null: none
  std::size_t pool_member = 0;

  // The own class that all forms of the path belong to; null without one.
  [[nodiscard]] const OwnClass* own_class(const PathForms& forms) const;
};

class GuardSnapshot {
 public:
  // Without a GuardPolicy nothing is trusted and every request is refused.
  static std::shared_ptr<const GuardSnapshot> compile(const policy::DocumentSet& documents);

  [[nodiscard]] bool is_trusted_proxy(const Address& peer) const { return proxies_.find(peer) != Trie::no_value; }
  // One of the proxies' networks; none where nobody is trusted.
  [[nodiscard]] std::optional<Address> some_proxy() const { return some_proxy_; }
  // Lists that hold `client`: the tenant's, then the platform's. Looks at each network: for those who ask why.
  [[nodiscard]] std::vector<const policy::NetworkList*> lists_with(const GuardTenant& tenant, const Address& client) const;
  [[nodiscard]] std::uint32_t hops() const { return hops_; }
  // The tenant that owns `host` (normalised), or null.
  [[nodiscard]] const GuardTenant* tenant_of_host(std::string_view host) const;
  [[nodiscard]] const GuardTenant* tenant_named(std::string_view name) const;
  [[nodiscard]] const GuardTenant* tenant_with_id(std::uint64_t id) const;
  // Who is judged in a tenant's place where documents let unknown hosts in; null where they do not.
  [[nodiscard]] const GuardTenant* unknown_tenant() const { return unknown_ ? &*unknown_ : nullptr; }
  // The factor of `client`'s address limits: the tenant's lists decide before the platform's, 1 where none has the address.
  [[nodiscard]] double widening(const GuardTenant& tenant, const Address& client) const;
  // False for a database that the tenant may not name: not in its list, or, where it has none, in another's.
  [[nodiscard]] bool may_name_database(const GuardTenant& tenant, std::string_view database) const;

  [[nodiscard]] const policy::Bans& bans() const { return bans_; }
  [[nodiscard]] const std::vector<policy::Profile>& profiles() const { return profiles_; }
  [[nodiscard]] const std::vector<policy::ProfileOverride>& overrides() const { return overrides_; }
  [[nodiscard]] const policy::Calendar* calendar(std::string_view name) const;
  // Who is let through while the profile with that index keeps the others out; null: nobody.
  [[nodiscard]] std::shared_ptr<const AccessRule> let_through(std::size_t profile) const { return let_through_[profile]; }
  [[nodiscard]] const std::vector<std::string>& zones() const { return zones_; }
  [[nodiscard]] const std::vector<std::shared_ptr<Pool>>& pools() const { return pools_; }
  [[nodiscard]] std::size_t tenant_slots() const { return tenants_.size() + (unknown_ ? 1 : 0); }
  template <class Visit>
  void for_each_tenant(Visit visit) const {
    for (const GuardTenant& tenant : tenants_) visit(tenant);
    if (unknown_) visit(*unknown_);
  }
  [[nodiscard]] std::string_view hash() const { return hash_; }
  [[nodiscard]] std::size_t tenants() const { return tenants_.size(); }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Index = std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>>;

  std::string hash_;
  Trie proxies_;
  std::optional<Address> some_proxy_;
  std::vector<policy::NetworkList> lists_;
  std::uint32_t hops_ = 1;
  Widening widening_;
  std::vector<GuardTenant> tenants_;
  std::optional<GuardTenant> unknown_;
  policy::Bans bans_;
  std::vector<policy::Profile> profiles_;
  std::vector<policy::ProfileOverride> overrides_;
  std::vector<std::shared_ptr<const AccessRule>> let_through_;  // by profile
  std::vector<policy::Calendar> calendars_;
  std::vector<std::string> zones_;
  std::vector<std::shared_ptr<Pool>> pools_;
  std::vector<std::pair<std::string, std::uint32_t>> database_prefixes_;
  Index by_database_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_id_;
  Index by_name_, by_host_, by_parent_;  // by_parent_: `*.clients.example` under "clients.example"
};

}  // namespace portcullis::guard
