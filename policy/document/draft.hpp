// Documents as read one by one, before they are held against each other: with the places of what they claim and refer to.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "policy/document/decoder.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::policy {

// A word of a document and where it stands.
struct Mention {
  std::string text;
  Place place;
  std::string field;
};

inline Mention mention(const Cursor& at, std::string text) { return {std::move(text), at.place(), at.field()}; }

struct HostClaim {
  Mention host;
  std::string tenant;
};

struct NamespaceClaim {
  Mention name;  // of a pattern: its prefix
  bool pattern = false;
  std::string tenant;
};

enum class ReferenceTo { environment, tenant, name_space, plan, list, pool, profile, calendar, period };

struct Reference {
  ReferenceTo to;
  Mention name;
  std::vector<std::string> tenants;  // a list: whose lists count beside the platform's; a namespace: whose it must be, if any
  std::string calendar{};            // a period: its calendar
};

struct Term {  // of an exception
  Instant valid_from{}, expires_at{};
  Mention end;
};

struct Draft {
  std::vector<Platform> platforms;
  std::vector<Tenant> tenants;
  std::vector<Policy> policies;
  std::vector<PolicyException> exceptions;
  std::vector<GuardPolicy> guard_policies;
  std::vector<Calendar> calendars;
  std::vector<HostClaim> hosts;
  std::vector<NamespaceClaim> namespaces;
  std::vector<Reference> references;
  std::vector<Term> terms;
};

// One document's `spec` each; `out` has place and name already.
void decode_platform(const Cursor& spec, Platform& out);
void decode_tenant(const Cursor& spec, Tenant& out, Draft& draft);
void decode_policy(const Cursor& spec, Policy& out, Draft& draft);
void decode_exception(const Cursor& spec, PolicyException& out, Draft& draft);
void decode_guard_policy(const Cursor& spec, GuardPolicy& out, Draft& draft);
void decode_calendar(const Cursor& spec, Calendar& out);

std::vector<Profile> decode_profiles(const Cursor& at, Draft& draft);
std::vector<ProfileOverride> decode_overrides(const Cursor& at, Draft& draft);

// What a tenant's guard and the GuardPolicy share. `tenant` is "" for the platform's own. Access entries may name the own
// classes among `classes`.
std::vector<NetworkList> decode_lists(const Cursor& at);
std::vector<std::string> decode_list_names(const Cursor& at, const std::string& tenant, Draft& draft);
std::vector<AccessEntry> decode_access(const Cursor& at, const std::string& tenant, std::span<const ClassOverride> classes, Draft& draft);
std::vector<ClassOverride> decode_classes(const Cursor& at, const std::string& tenant);
std::vector<Quota> decode_quotas(const Cursor& at);
std::vector<Network> decode_networks(const Cursor& at);
std::optional<GuardMode> decode_guard_mode(const Cursor& at);

enum class Completeness { whole, parts_unread };

// Holds the documents against each other; appends what contradicts or refers to nothing. Where parts could not be read, what
// seems missing may stand there, so nothing is said about it.
void cross_check(const Draft& draft, bool needs_guard_policy, Completeness completeness, DocumentErrors& errors);

}  // namespace portcullis::policy
