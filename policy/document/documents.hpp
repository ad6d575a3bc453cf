// What an operator writes, as types that cannot be wrong: Platform, Tenant, Policy, PolicyException, GuardPolicy.
// design/documents.md is the source of every field; policy/document/decode.cpp reads them from YAML.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "policy/document/match.hpp"
#include "policy/document/params.hpp"
#include "policy/document/place.hpp"
#include "policy/object/quantity.hpp"

namespace portcullis::policy {

enum class Mode { enforce, warn, audit };
enum class FailureMode { deny, warn, allow };
enum class Tenancy { dedicated, multi_tenant };
std::string_view mode_name(Mode mode);
std::string_view failure_mode_name(FailureMode mode);
std::string_view tenancy_name(Tenancy tenancy);  // "dedicated", "multi-tenant"

// A custom resource that holds a pod template.
struct WorkloadKind {
  std::string group, version, kind;
  std::vector<std::string> pod_template;  // path by component: {"spec", "template"}
  std::vector<std::string> replicas;      // empty: the kind has none
};

struct Platform {
  Place place;
  std::string name;
  std::vector<std::string> system_namespaces{"kube-system", "portcullis-system"};  // exact names, never judged
  std::vector<std::string> environments;                                           // in the order of promotion; the last is production
  FailureMode unknown_namespace = FailureMode::deny;
  std::chrono::seconds exception_duration_max = std::chrono::hours(24 * 90);
  std::vector<std::string> controllers;  // user names whose writes are no releases
  std::vector<WorkloadKind> workload_kinds;
};

struct Network {  // a CIDR; IPv4 as ::ffff:a.b.c.d with 96 added to its length
  std::array<std::uint8_t, 16> address{};
  std::uint8_t prefix = 0;  // 0..128
};

struct Rate {  // N requests each `per`
  double count = 0;
  std::chrono::nanoseconds per{0};
};

enum class LimitKey { address, session, api_key, tenant };
std::string_view limit_key_name(LimitKey key);

struct Limit {
  LimitKey key = LimitKey::address;
  Rate rate;
  std::uint32_t burst = 1;  // requests at once
};

enum class GuardMode { enforce, shadow };

struct NetworkList {
  Place place;
  std::string name;
  std::vector<Network> networks;
  double factor = 1;  // widens the limits keyed by address of who is in it
};

struct AccessEntry {
  Place place;
  std::vector<std::string> classes;
  std::vector<std::string> allow, deny;  // names of lists
  bool default_allow = true;             // what no list decides
};

struct ClassOverride {
  Place place;
  std::string name;
  std::optional<std::vector<Limit>> limits;  // replaces the built-in list whole
  std::optional<double> cost;                // charged to the tenant's bucket
  std::optional<GuardMode> mode;
};

struct TenantGuard {
  Place place;
  std::string plan;
  std::vector<NetworkList> lists;
  std::vector<AccessEntry> access;
  std::vector<ClassOverride> classes;
  std::optional<GuardMode> mode;
};

struct TenantNamespace {
  Place place;
  std::string name;      // exact, or a pattern's prefix
  bool pattern = false;  // `prefix*`
  std::string environment;
  Tenancy tenancy = Tenancy::dedicated;
  std::optional<int> tier;
  std::map<std::string, Quantity> budget;
};

struct Tenant {
  Place place;
  std::string name;
  int tier = 1;
  std::string time_zone;
  std::vector<TenantNamespace> namespaces;
  std::vector<std::string> hosts;  // lower case; `*.` leads a wildcard for one label
  std::map<std::string, Quantity> budget;
  std::string owner, alerts;
  std::optional<TenantGuard> guard;
};

struct PolicyMatch {  // empty: this part matches everything
  std::vector<int> tiers;
  std::vector<std::string> environments, tenants, namespaces, groups;
  std::vector<Tenancy> tenancies;
  std::vector<KindPattern> kinds;
  std::vector<Operation> operations;
  std::optional<LabelSelector> selector;
};

struct PolicyRule {
  Place place;
  std::string id;
  Params with;
  std::optional<Mode> mode;
  std::optional<FailureMode> failure_mode;
  bool inject = false;
};

struct Policy {
  Place place;
  std::string name;
  PolicyMatch match;
  Mode mode = Mode::enforce;
  FailureMode failure_mode = FailureMode::deny;
  std::vector<PolicyRule> rules;
};

struct ExceptionObject {
  std::string kind, name;  // name: exact, or its prefix
  bool prefix = false, generated = false;
};

struct PolicyException {
  Place place;
  std::string name;
  std::vector<std::string> rules, tenants, namespaces;
  std::vector<ExceptionObject> objects;
  std::string reason, ticket, approved_by;
  Instant valid_from{}, expires_at{};  // half-open
};

struct TrustedProxies {
  std::vector<Network> networks;
  std::uint32_t hops = 1;  // proxies that append to X-Forwarded-For, the peer included
};

struct Plan {
  std::string name;
  double factor = 1;
  std::optional<Limit> tenant;  // the tenant's own bucket
};

struct GuardPolicy {
  Place place;
  std::string name;
  TrustedProxies trusted_proxies;
  bool unknown_host_allow = false;
  std::vector<ClassOverride> classes;
  std::vector<Plan> plans;
  std::vector<NetworkList> lists;
  std::vector<AccessEntry> access;
  GuardMode mode = GuardMode::enforce;
};

// Everything an operator wrote, whole and free of contradictions.
struct DocumentSet {
  Platform platform;
  std::vector<Tenant> tenants;  // by name, as all lists here
  std::vector<Policy> policies;
  std::vector<PolicyException> exceptions;
  std::optional<GuardPolicy> guard_policy;
  std::string hash;  // "sha256:<hex>" over the files' names and bytes
};

}  // namespace portcullis::policy
