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

constexpr std::string_view wildcard = "*.";

ClassLimit compile_limit(const policy::Limit& limit) {
  return {limit, Gcra::make(limit.rate.count, static_cast<double>(limit.rate.per.count()), limit.burst)};
}

std::shared_ptr<const ClassRules> compile_class(RouteClass route_class) {
  const RouteClassInfo& info = route_class_info(route_class);
  auto rules = std::make_shared<ClassRules>();
  rules->cost = info.cost;
  for (const policy::Limit& limit : info.limits) rules->limits.push_back(compile_limit(limit));
  return rules;
}

// `base` with `overrides` over it; the same table when there are none.
std::shared_ptr<const ClassTable> override_classes(const std::shared_ptr<const ClassTable>& base,
                                                   std::span<const ClassOverride> overrides) {
  if (overrides.empty()) return base;
  auto table = std::make_shared<ClassTable>(*base);
  for (const ClassOverride& change : overrides) {
    const std::size_t index = policy::route_class_index(change.name);
    if (index >= route_class_count) continue;  // documents refuse such a name
    auto rules = std::make_shared<ClassRules>(*(*table)[index]);
    if (change.cost) rules->cost = *change.cost;
    if (change.limits) {
      rules->limits.clear();
      for (const policy::Limit& limit : *change.limits) rules->limits.push_back(compile_limit(limit));
    }
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

// Everything that tenants share.
struct Shared {
  const policy::GuardPolicy& guard_policy;
  std::shared_ptr<const ClassTable> classes;
  std::shared_ptr<const ModeTable> modes;
  AccessTable platform_access;
  std::map<int, std::shared_ptr<const AccessTable>> access_by_tier;  // of tenants without entries of their own

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

  GuardTenant compile(std::string_view name, int tier, const policy::TenantGuard* guard) {
    GuardTenant tenant;
    tenant.name = name;
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
  snapshot->proxies_ = Trie(std::move(proxies));
  snapshot->widening_ = compile_widening(guard_policy.lists);
  Shared shared(guard_policy);
  snapshot->tenants_.reserve(documents.tenants.size());
  for (const policy::Tenant& tenant : documents.tenants) {
    const auto index = static_cast<std::uint32_t>(snapshot->tenants_.size());
    snapshot->tenants_.push_back(shared.compile(tenant.name, tenant.tier, tenant.guard ? &*tenant.guard : nullptr));
    snapshot->by_name_.emplace(tenant.name, index);
    for (const std::string& host : tenant.hosts) {
      if (host.starts_with(wildcard)) {
        snapshot->by_parent_.emplace(host.substr(wildcard.size()), index);
      } else {
        snapshot->by_host_.emplace(host, index);
      }
    }
  }
  // An unknown host has no tier and no plan: it is judged as strictly as a tier allows.
  if (guard_policy.unknown_host_allow) snapshot->unknown_ = shared.compile("unknown", 1, nullptr);
  return snapshot;
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

double GuardSnapshot::widening(const GuardTenant& tenant, const Address& client) const {
  if (tenant.widening) {
    if (const auto factor = tenant.widening->of(client)) return *factor;
  }
  return widening_.of(client).value_or(1);
}

}  // namespace portcullis::guard
