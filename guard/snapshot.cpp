#include "guard/snapshot.hpp"

#include <algorithm>
#include <map>

#include "guard/siphash.hpp"

namespace portcullis::guard {
namespace {

using policy::AccessEntry;
using policy::ClassOverride;
using policy::GuardMode;
using policy::NetworkList;

constexpr std::string_view wildcard = "*.", unknown_zone = "Etc/UTC";

ClassLimit compile_limit(const policy::Limit& limit) {
  return {limit, Gcra::make(limit.rate.count, static_cast<double>(limit.rate.per.count()), limit.burst)};
}

std::shared_ptr<const ClassRules> compile_class(RouteClass route_class) {
  const RouteClassInfo& info = route_class_info(route_class);
  auto rules = std::make_shared<ClassRules>();
  rules->cost = info.cost;
  rules->on_store_loss = info.on_store_loss;
  for (const policy::Limit& limit : info.limits) rules->limits.push_back(compile_limit(limit));
  rules->quotas.assign(info.quotas.begin(), info.quotas.end());
  rules->concurrency.assign(info.concurrency.begin(), info.concurrency.end());
  return rules;
}

void apply(const ClassOverride& change, ClassRules& rules) {
  if (change.cost) rules.cost = *change.cost;
  if (change.on_store_loss) rules.on_store_loss = *change.on_store_loss;
  if (change.quotas) rules.quotas = *change.quotas;
  if (change.concurrency) rules.concurrency = *change.concurrency;
  if (!change.limits) return;
  rules.limits.clear();
  for (const policy::Limit& limit : *change.limits) rules.limits.push_back(compile_limit(limit));
}

// `base` with `overrides` over it; the same table when there are none.
std::shared_ptr<const ClassTable> override_classes(const std::shared_ptr<const ClassTable>& base,
                                                   std::span<const ClassOverride> overrides) {
  if (overrides.empty()) return base;
  auto table = std::make_shared<ClassTable>(*base);
  for (const ClassOverride& change : overrides) {
    const std::size_t index = policy::route_class_index(change.name);
    if (index >= route_class_count) continue;  // a tenant's own
    auto rules = std::make_shared<ClassRules>(*(*table)[index]);
    apply(change, *rules);
    (*table)[index] = std::move(rules);
  }
  return table;
}

// The more particular decides: tenant's class, tenant, platform's class, platform.
std::shared_ptr<const ModeTable> override_modes(const std::shared_ptr<const ModeTable>& base, std::optional<GuardMode> all,
                                                std::span<const ClassOverride> overrides) {
  const bool some = std::any_of(overrides.begin(), overrides.end(), [](const ClassOverride& change) { return change.mode.has_value(); });
  if (!all && !some) return base;
  auto table = std::make_shared<ModeTable>(*base);
  if (all) table->fill(*all);
  for (const ClassOverride& change : overrides) {
    const std::size_t index = policy::route_class_index(change.name);
    if (change.mode && index < route_class_count) (*table)[index] = *change.mode;
  }
  return table;
}

Trie::Entry to_entry(const policy::Network& network, std::uint16_t value) { return {network.address, network.prefix, value}; }

// Lists by name: the tenant's hide the platform's.
struct ListNames {
  std::span<const NetworkList> own, platform;
  [[nodiscard]] const NetworkList* find(std::string_view name) const {
    for (const auto& lists : {own, platform}) {
      for (const NetworkList& list : lists) {
        if (list.name == name) return &list;
      }
    }
    return nullptr;  // documents refuse such a name
  }
};

std::shared_ptr<const AccessRule> compile_access(const AccessEntry& entry, const ListNames& names) {
  std::vector<Trie::Entry> entries;
  const auto add = [&](const std::vector<std::string>& lists, std::uint16_t value) {
    for (const std::string& name : lists) {
      if (const NetworkList* list = names.find(name)) {
        for (const policy::Network& network : list->networks) entries.push_back(to_entry(network, value));
      }
    }
  };
  add(entry.allow, AccessRule::admit);
  add(entry.deny, AccessRule::refuse);
  auto rule = std::make_shared<AccessRule>();
  rule->networks = Trie(std::move(entries));
  rule->default_admit = entry.default_allow;
  return rule;
}

void add_access(AccessTable& table, std::span<const AccessEntry> entries, const ListNames& names) {
  for (const AccessEntry& entry : entries) {
    const std::shared_ptr<const AccessRule> rule = compile_access(entry, names);
    for (const std::string& name : entry.classes) {
      const std::size_t index = policy::route_class_index(name);
      if (index < route_class_count) table[index].push_back(rule);
    }
  }
}

constexpr std::string_view everything_below = "/**";
constexpr std::uint16_t own_class_bit = 0x8000;

std::vector<OwnClass> compile_own(const policy::TenantGuard& guard, const ListNames& names, GuardMode mode) {
  std::vector<OwnClass> own;
  for (const ClassOverride& change : guard.classes) {
    if (change.match.empty()) continue;
    OwnClass made;
    made.name = change.name;
    made.id = static_cast<std::uint16_t>(siphash(SipKey{}, change.name)) | own_class_bit;
    made.mode = change.mode.value_or(mode);
    for (std::string_view pattern : change.match) {
      const bool below = pattern.ends_with(everything_below);
      if (below) pattern.remove_suffix(everything_below.size());
      made.patterns.push_back({std::string(pattern), below});
    }
    auto rules = std::make_shared<ClassRules>();
    rules->cost = 1;
    apply(change, *rules);
    made.rules = std::move(rules);
    for (const AccessEntry& entry : guard.access) {
      if (std::find(entry.classes.begin(), entry.classes.end(), made.name) != entry.classes.end())
        made.access.push_back(compile_access(entry, names));
    }
    own.push_back(std::move(made));
  }
  return own;
}

bool is_off(RouteClass route_class, int tier) {
  switch (route_class_info(route_class).off) {
    case OffUnlessOpened::never:
      return false;
    case OffUnlessOpened::in_tier_1:
      return tier == 1;
    case OffUnlessOpened::always:
      return true;
  }
  return true;
}

void close_unopened(AccessTable& table, int tier) {
  static const auto closed = [] {
    auto rule = std::make_shared<AccessRule>();
    rule->default_admit = false;
    return std::shared_ptr<const AccessRule>(std::move(rule));
  }();
  for (std::size_t index = 0; index < route_class_count; ++index) {
    if (table[index].empty() && is_off(static_cast<RouteClass>(index), tier)) table[index].push_back(closed);
  }
}

// Lists with a factor of 1 say nothing about width.
Widening compile_widening(std::span<const NetworkList> lists) {
  Widening widening;
  for (const NetworkList& list : lists) {
    if (list.factor != 1) widening.factors.push_back(list.factor);
  }
  std::sort(widening.factors.begin(), widening.factors.end());
  widening.factors.erase(std::unique(widening.factors.begin(), widening.factors.end()), widening.factors.end());
  std::vector<Trie::Entry> entries;
  for (const NetworkList& list : lists) {
    if (list.factor == 1) continue;
    const auto value = std::lower_bound(widening.factors.begin(), widening.factors.end(), list.factor) - widening.factors.begin();
    for (const policy::Network& network : list.networks) entries.push_back(to_entry(network, static_cast<std::uint16_t>(value)));
  }
  widening.networks = Trie(std::move(entries));
  return widening;
}

// One worker does about six light requests a second (Odoo's own sizing), and a burst may take it twenty seconds.
constexpr double requests_a_worker = 6, worker_burst_seconds = 20;
policy::Limit bucket_of_workers(std::uint32_t workers) {
  const double rate = workers * requests_a_worker;
  return {policy::LimitKey::tenant, {rate, std::chrono::seconds(1)}, static_cast<std::uint32_t>(rate * worker_burst_seconds)};
}

std::shared_ptr<const AccessRule> compile_let_through(const policy::Profile& profile, const ListNames& names) {
  if (!profile.maintenance || profile.maintenance->allow.empty()) return nullptr;
  AccessEntry entry;
  entry.allow = profile.maintenance->allow;
  entry.default_allow = false;
  return compile_access(entry, names);
}

// The pools, each with its members in the order of the tenants, and each member told where it stands.
std::vector<std::shared_ptr<Pool>> compile_pools(const policy::DocumentSet& documents, const policy::GuardPolicy& guard_policy,
                                                 std::vector<GuardTenant>& tenants) {
  std::vector<std::shared_ptr<Pool>> pools;
  for (const policy::Pool& written : guard_policy.pools) {
    std::vector<double> weights;
    std::vector<std::size_t> members;
    for (std::size_t index = 0; index < documents.tenants.size(); ++index) {
      const auto& guard = documents.tenants[index].guard;
      if (!guard || guard->pool != written.name) continue;
      members.push_back(index);
      weights.push_back(tenants[index].plan_factor);
    }
    const double seconds = std::chrono::duration<double>(written.capacity.per).count();
    pools.push_back(std::make_shared<Pool>(written.name, written.capacity.count / seconds, std::move(weights)));
    for (std::size_t member = 0; member < members.size(); ++member) {
      tenants[members[member]].pool = pools.back();
      tenants[members[member]].pool_member = member;
    }
  }
  return pools;
}

// Everything that tenants share.
struct Shared {
  const policy::GuardPolicy& guard_policy;
  std::shared_ptr<const ClassTable> classes;
  std::shared_ptr<const ModeTable> modes;
  AccessTable platform_access;
  std::map<int, std::shared_ptr<const AccessTable>> access_by_tier;  // of tenants without entries of their own
  std::vector<std::string> zones;

  explicit Shared(const policy::GuardPolicy& policy) : guard_policy(policy) {
    auto builtin = std::make_shared<ClassTable>();
    for (std::size_t index = 0; index < route_class_count; ++index) (*builtin)[index] = compile_class(static_cast<RouteClass>(index));
    classes = override_classes(builtin, policy.classes);
    modes = override_modes(std::make_shared<ModeTable>(), policy.mode, policy.classes);
    add_access(platform_access, policy.access, {{}, policy.lists});
  }

  std::shared_ptr<const AccessTable> access_for(int tier, const policy::TenantGuard* guard) {
    if (guard == nullptr || guard->access.empty()) {
      auto& shared = access_by_tier[tier];
      if (!shared) {
        auto table = std::make_shared<AccessTable>(platform_access);
        close_unopened(*table, tier);
        shared = std::move(table);
      }
      return shared;
    }
    auto table = std::make_shared<AccessTable>(platform_access);
    add_access(*table, guard->access, {guard->lists, guard_policy.lists});
    close_unopened(*table, tier);
    return table;
  }

  std::uint32_t zone_of(const std::string& zone) {
    const auto index = static_cast<std::size_t>(std::find(zones.begin(), zones.end(), zone) - zones.begin());
    if (index == zones.size()) zones.push_back(zone);
    return static_cast<std::uint32_t>(index);
  }

  GuardTenant compile(std::string_view name, int tier, const policy::TenantGuard* guard) {
    GuardTenant tenant;
    tenant.name = name;
    tenant.tier = tier;
    tenant.id = siphash(SipKey{}, name);
    tenant.classes = guard != nullptr ? override_classes(classes, guard->classes) : classes;
    tenant.modes = guard != nullptr ? override_modes(modes, guard->mode, guard->classes) : modes;
    tenant.access = access_for(tier, guard);
    if (guard == nullptr) return tenant;
    if (std::any_of(guard->lists.begin(), guard->lists.end(), [](const NetworkList& list) { return list.factor != 1; })) {
      tenant.widening = std::make_shared<const Widening>(compile_widening(guard->lists));
    }
    const auto plan =
        std::find_if(guard_policy.plans.begin(), guard_policy.plans.end(), [&](const policy::Plan& p) { return p.name == guard->plan; });
    if (plan != guard_policy.plans.end()) {
      tenant.plan_factor = plan->factor;
      if (plan->tenant) tenant.bucket = compile_limit(*plan->tenant);
    }
    if (guard->workers) {
      tenant.workers = *guard->workers;
      if (!tenant.bucket) tenant.bucket = compile_limit(bucket_of_workers(tenant.workers));
    }
    tenant.lists = guard->lists;
    tenant.quotas = guard->quotas;
    tenant.databases = guard->databases;
    tenant.own = compile_own(*guard, {guard->lists, guard_policy.lists}, (*tenant.modes)[index_of(RouteClass::other)]);
    return tenant;
  }
};

}  // namespace

std::shared_ptr<const GuardSnapshot> GuardSnapshot::compile(const policy::DocumentSet& documents) {
  static const policy::GuardPolicy nothing_trusted;
  const policy::GuardPolicy& guard_policy = documents.guard_policy ? *documents.guard_policy : nothing_trusted;
  auto snapshot = std::make_shared<GuardSnapshot>();
  snapshot->hash_ = documents.hash;
  snapshot->hops_ = guard_policy.trusted_proxies.hops;
  std::vector<Trie::Entry> proxies;
  for (const policy::Network& network : guard_policy.trusted_proxies.networks) proxies.push_back(to_entry(network, 0));
  if (!proxies.empty()) snapshot->some_proxy_ = proxies.front().address;
  snapshot->proxies_ = Trie(std::move(proxies));
  snapshot->lists_ = guard_policy.lists;
  snapshot->widening_ = compile_widening(guard_policy.lists);
  Shared shared(guard_policy);
  snapshot->tenants_.reserve(documents.tenants.size());
  for (const policy::Tenant& tenant : documents.tenants) {
    const auto index = static_cast<std::uint32_t>(snapshot->tenants_.size());
    GuardTenant& made = snapshot->tenants_.emplace_back(shared.compile(tenant.name, tenant.tier, tenant.guard ? &*tenant.guard : nullptr));
    made.index = index;
    made.zone = shared.zone_of(tenant.time_zone.empty() ? std::string(unknown_zone) : tenant.time_zone);
    for (const std::string& database : made.databases) {
      if (database.ends_with('*')) {
        snapshot->database_prefixes_.emplace_back(database.substr(0, database.size() - 1), index);
      } else {
        snapshot->by_database_.emplace(database, index);
      }
    }
    snapshot->by_name_.emplace(tenant.name, index);
    snapshot->by_id_.emplace(made.id, index);
    for (const std::string& host : tenant.hosts) {
      if (host.starts_with(wildcard)) {
        snapshot->by_parent_.emplace(host.substr(wildcard.size()), index);
      } else {
        snapshot->by_host_.emplace(host, index);
      }
    }
  }
  // An unknown host has no tier and no plan: it is judged as strictly as a tier allows.
  if (guard_policy.unknown_host_allow) {
    GuardTenant& unknown = snapshot->unknown_.emplace(shared.compile("unknown", 1, nullptr));
    unknown.index = static_cast<std::uint32_t>(snapshot->tenants_.size());
    unknown.zone = shared.zone_of(std::string(unknown_zone));
  }
  snapshot->zones_ = std::move(shared.zones);
  snapshot->pools_ = compile_pools(documents, guard_policy, snapshot->tenants_);
  snapshot->bans_ = guard_policy.bans;
  snapshot->profiles_ = guard_policy.profiles;
  snapshot->overrides_ = guard_policy.overrides;
  snapshot->calendars_ = documents.calendars;
  for (const policy::Profile& profile : guard_policy.profiles)
    snapshot->let_through_.push_back(compile_let_through(profile, {{}, guard_policy.lists}));
  return snapshot;
}

bool OwnClass::Pattern::matches(std::string_view other) const {
  if (!other.starts_with(path)) return false;
  const std::string_view rest = other.substr(path.size());
  return rest.empty() || rest == "/" || (below && rest.front() == '/');
}

const OwnClass* GuardTenant::own_class(const PathForms& forms) const {
  for (const OwnClass& candidate : own) {
    const auto is_its = [&](std::string_view path) {
      return std::any_of(candidate.patterns.begin(), candidate.patterns.end(),
                         [&](const OwnClass::Pattern& pattern) { return pattern.matches(path); });
    };
    if (is_its(forms.decoded) && is_its(forms.raw) && (forms.resolved.empty() || is_its(forms.resolved))) return &candidate;
  }
  return nullptr;
}

bool GuardSnapshot::may_name_database(const GuardTenant& tenant, std::string_view database) const {
  if (!tenant.databases.empty()) {
    return std::any_of(tenant.databases.begin(), tenant.databases.end(), [&](std::string_view allowed) {
      return allowed.ends_with('*') ? database.starts_with(allowed.substr(0, allowed.size() - 1)) : database == allowed;
    });
  }
  if (const auto owner = by_database_.find(database); owner != by_database_.end()) return owner->second == tenant.index;
  return std::none_of(database_prefixes_.begin(), database_prefixes_.end(),
                      [&](const auto& prefix) { return prefix.second != tenant.index && database.starts_with(prefix.first); });
}

std::vector<const NetworkList*> GuardSnapshot::lists_with(const GuardTenant& tenant, const Address& client) const {
  // IPv4 and IPv6 are apart, as in the tries: `::/0` holds no IPv4 address.
  const auto holds_it = [&](const policy::Network& network) {
    return is_ipv4(client) == (is_ipv4(network.address) && network.prefix >= 8 * mapped_prefix_bytes) &&
           masked(client, network.prefix) == network.address;
  };
  std::vector<const NetworkList*> found;
  for (const auto* lists : {&tenant.lists, &lists_}) {
    for (const NetworkList& list : *lists) {
      if (std::any_of(list.networks.begin(), list.networks.end(), holds_it)) found.push_back(&list);
    }
  }
  return found;
}

const policy::Calendar* GuardSnapshot::calendar(std::string_view name) const {
  const auto found =
      std::find_if(calendars_.begin(), calendars_.end(), [&](const policy::Calendar& calendar) { return calendar.name == name; });
  return found == calendars_.end() ? nullptr : &*found;
}

const GuardTenant* GuardSnapshot::tenant_of_host(std::string_view host) const {
  if (const auto exact = by_host_.find(host); exact != by_host_.end()) return &tenants_[exact->second];
  const std::size_t dot = host.find('.');
  if (dot == std::string_view::npos || by_parent_.empty()) return nullptr;
  const auto parent = by_parent_.find(host.substr(dot + 1));
  return parent == by_parent_.end() ? nullptr : &tenants_[parent->second];
}

const GuardTenant* GuardSnapshot::tenant_named(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tenants_[found->second];
}

const GuardTenant* GuardSnapshot::tenant_with_id(std::uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tenants_[found->second];
}

double GuardSnapshot::widening(const GuardTenant& tenant, const Address& client) const {
  if (tenant.widening) {
    if (const auto factor = tenant.widening->of(client)) return *factor;
  }
  return widening_.of(client).value_or(1);
}

}  // namespace portcullis::guard
