// What an operator writes, as types that cannot be wrong: Platform, Tenant, Policy, PolicyException, GuardPolicy, Calendar.
// design/documents.md is the source of every field; policy/document/decode.cpp reads them from YAML.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
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

enum class LimitKey { address, session, api_key, tenant, login };
std::string_view limit_key_name(LimitKey key);

struct Limit {
  LimitKey key = LimitKey::address;
  Rate rate;
  std::uint32_t burst = 1;  // requests at once
};

enum class GuardMode { enforce, shadow };

// Requests a calendar day or month, in the tenant's zone.
enum class QuotaPeriod { day, month };
struct Quota {
  LimitKey key = LimitKey::tenant;
  std::uint64_t count = 0;
  QuotaPeriod per = QuotaPeriod::day;
};

// Requests at work at the same time.
struct Concurrency {
  LimitKey key = LimitKey::tenant;
  std::uint32_t max = 1;
  std::chrono::seconds ttl{120};  // a place is given back then at the latest
};

// What a class does while the shared store is away for longer than a moment: its limits divided by the live replicas, whole,
// or no request at all.
enum class StoreLoss { local, open, closed };

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
  std::vector<std::string> match;            // of a tenant's own class: `/edi/**`, `/edi`; empty: a built-in class
  std::optional<std::vector<Limit>> limits;  // replaces the built-in list whole, as the lists below do
  std::optional<std::vector<Quota>> quotas;
  std::optional<std::vector<Concurrency>> concurrency;
  std::optional<double> cost;  // charged to the tenant's bucket
  std::optional<GuardMode> mode;
  std::optional<StoreLoss> on_store_loss;
};

struct TenantGuard {
  Place place;
  std::string plan;
  std::vector<NetworkList> lists;
  std::vector<AccessEntry> access;
  std::vector<ClassOverride> classes;
  std::optional<GuardMode> mode;
  std::vector<std::string> databases;    // that its requests may name; a trailing `*` is a prefix; empty: any
  std::optional<std::uint32_t> workers;  // of its Odoo: what its bucket and its concurrency follow from
  std::vector<Quota> quotas;             // over all classes
  std::string pool;                      // it shares that pool's capacity; empty: none
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

// Of login outcomes: `failures` within `window` ban for `first`, doubling up to `max`.
struct Bans {
  std::uint32_t failures = 10;
  std::chrono::seconds window = std::chrono::minutes(10), first = std::chrono::minutes(1), max = std::chrono::hours(1);
};

// Capacity that its tenants share by the factors of their plans.
struct Pool {
  std::string name;
  Rate capacity;
};

struct PeriodRef {
  std::string calendar, period;
};

// What the guard says while Odoo is being worked on.
struct Maintenance {
  std::string message;
  std::vector<std::string> allow;  // names of lists that are let through
};

struct ProfileClass {
  std::string name;   // a built-in class
  double factor = 1;  // of its limits and concurrency
};

struct Profile {
  Place place;
  std::string name;
  std::vector<PeriodRef> when;       // in any of them; empty: by an override only
  std::vector<std::string> tenants;  // empty: all
  std::vector<int> tiers;            // empty: all
  double factor = 1;                 // of every class's limits and of the tenant's bucket
  std::vector<ProfileClass> classes;
  std::vector<std::string> deny;  // route classes that are refused
  std::optional<Maintenance> maintenance;
};

// A profile switched by hand.
struct ProfileOverride {
  Place place;
  std::string profile;
  bool active = true;                // false: off although its period says on
  std::vector<std::string> tenants;  // empty: all that the profile is for
  std::optional<Instant> from;
  Instant expires_at{};
  std::string reason;
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
  Bans bans;
  std::vector<Pool> pools;
  std::vector<Profile> profiles;
  std::vector<ProfileOverride> overrides;
  GuardMode mode = GuardMode::enforce;
};

struct LocalTime {  // of a day
  std::uint8_t hour = 0, minute = 0;
};

// Around the end of each month: from `from` business days before the first of the next month (negative) to `until` business
// days after it; 1 is a month's first business day, -1 the last of the month before.
struct BusinessDays {
  int from = -1, until = 1;
  LocalTime start, end{24, 0};  // of the first day; of the last day
};

struct Recurrence {
  std::string rule;  // RFC 5545 RRULE, checked (policy/calendar/recurrence.hpp)
  LocalTime start;
  std::chrono::seconds duration{0};                                                  // elapsed from `start`
  std::chrono::sys_days since = std::chrono::year(2000) / std::chrono::January / 3;  // as DTSTART: what INTERVAL counts from; a Monday
};

struct LocalSpan {                           // half-open
  std::chrono::sys_seconds from{}, until{};  // local time, written as if it were UTC
};

struct Period {
  Place place;
  std::string name;
  std::variant<BusinessDays, Recurrence, LocalSpan> when;
};

struct Calendar {
  Place place;
  std::string name;
  std::string time_zone;                        // an IANA name; empty: each tenant's own
  std::vector<std::chrono::sys_days> holidays;  // sorted
  std::vector<Period> periods;
};

// Everything an operator wrote, whole and free of contradictions.
struct DocumentSet {
  Platform platform;
  std::vector<Tenant> tenants;  // by name, as all lists here
  std::vector<Policy> policies;
  std::vector<PolicyException> exceptions;
  std::optional<GuardPolicy> guard_policy;
  std::vector<Calendar> calendars;
  std::string hash;  // "sha256:<hex>" over the files' names and bytes
};

}  // namespace portcullis::policy
