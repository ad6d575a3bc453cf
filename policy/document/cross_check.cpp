// Documents held against each other. Sweeps and maps throughout: a set has ten thousand tenants.
#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/text.hpp"
#include "policy/document/draft.hpp"
#include "policy/document/formats.hpp"

namespace portcullis::policy {
namespace {

constexpr std::size_t near_misses_max = 100;  // each looks through all names; a hundred are enough to see the pattern

using Names = std::vector<std::string_view>;

class CrossCheck {
 public:
  CrossCheck(const Draft& draft, DocumentErrors& errors) : draft_(draft), errors_(errors) {}

  void counts(bool needs_guard_policy) {
    if (draft_.platforms.empty()) errors_.push_back({ErrorKind::invalid, "", "found no Platform, want exactly one"});
    if (needs_guard_policy && draft_.guard_policies.empty())
      errors_.push_back({ErrorKind::invalid, "", "found no GuardPolicy, want exactly one where the guard runs"});
  }

  template <class Document>
  void only_one(const std::vector<Document>& documents, const std::string& kind) {
    for (std::size_t i = 1; i < documents.size(); ++i)
      say(documents[i].place, "", "found a second " + kind + ", want exactly one (the first is at " + documents.front().place.text() + ")");
  }

  template <class Document>
  void names_once(const std::vector<Document>& documents, const std::string& kind) {
    std::unordered_map<std::string_view, const Document*> seen;
    for (const Document& document : documents) {
      if (document.name.empty()) continue;
      const auto [first, fresh] = seen.emplace(document.name, &document);
      if (!fresh)
        say(document.place, "metadata.name",
            "found the " + kind + " " + quoted(document.name) + " a second time, want each name once (the first is at " +
                first->second->place.text() + ")");
    }
  }

  // Sorted by name, a pattern before the names below it: then the patterns that hold a claim are a stack, at most as high as a
  // name is long.
  void namespaces() {
    std::vector<const NamespaceClaim*> claims;
    for (const NamespaceClaim& claim : draft_.namespaces) claims.push_back(&claim);
    std::stable_sort(claims.begin(), claims.end(), [](const auto* a, const auto* b) {
      return a->name.text != b->name.text ? a->name.text < b->name.text : a->pattern && !b->pattern;
    });
    std::vector<const NamespaceClaim*> above;
    const NamespaceClaim* before = nullptr;
    for (const NamespaceClaim* claim : claims) {
      while (!above.empty() && !claim->name.text.starts_with(above.back()->name.text)) above.pop_back();
      if (before && before->name.text == claim->name.text && before->pattern == claim->pattern) {
        overlap(*before, *claim);
      } else {
        const auto foreign =
            std::find_if(above.rbegin(), above.rend(), [&](const auto* holder) { return holder->tenant != claim->tenant; });
        if (foreign != above.rend()) overlap(**foreign, *claim);
        if (claim->pattern) above.push_back(claim);
      }
      before = claim;
    }
  }

  void system_namespaces() {
    for (const Platform& platform : draft_.platforms)
      for (const std::string& name : platform.system_namespaces)
        if (const NamespaceClaim* owner = owner_of(name))
          say(owner->name.place, owner->name.field,
              "found " + shown(*owner) + " of tenant " + quoted(owner->tenant) + ", which holds the system namespace " + quoted(name) +
                  "; want no tenant to own one");
  }

  // A wildcard stands for one label, so the only wildcard that holds `a.b.c` is `*.b.c`.
  void hosts() {
    std::unordered_map<std::string_view, const HostClaim*> seen;
    for (const HostClaim& claim : draft_.hosts)
      if (const auto [first, fresh] = seen.emplace(claim.host.text, &claim); !fresh) overlap(*first->second, claim);
    for (const HostClaim& claim : draft_.hosts) {
      if (claim.host.text.starts_with("*.")) continue;
      const std::size_t dot = claim.host.text.find('.');
      if (dot == std::string::npos) continue;
      const auto wild = seen.find("*" + claim.host.text.substr(dot));
      if (wild != seen.end() && wild->second->tenant != claim.tenant) overlap(*wild->second, claim);
    }
  }

  void references() {
    Names environments, tenants, plans, lists, pools, profiles, calendars;
    for (const Platform& platform : draft_.platforms)
      environments.insert(environments.end(), platform.environments.begin(), platform.environments.end());
    for (const Tenant& tenant : draft_.tenants) tenants.push_back(tenant.name);
    for (const GuardPolicy& guard : draft_.guard_policies) {
      for (const Plan& plan : guard.plans) plans.push_back(plan.name);
      for (const NetworkList& list : guard.lists) lists.push_back(list.name);
      for (const Pool& pool : guard.pools) pools.push_back(pool.name);
      for (const Profile& profile : guard.profiles) profiles.push_back(profile.name);
    }
    for (const Calendar& calendar : draft_.calendars) calendars.push_back(calendar.name);
    const std::unordered_set<std::string_view> environment_set(environments.begin(), environments.end()),
        tenant_set(tenants.begin(), tenants.end()), plan_set(plans.begin(), plans.end()), pool_set(pools.begin(), pools.end());
    std::unordered_map<std::string_view, Names> lists_of;
    for (const Tenant& tenant : draft_.tenants)
      if (tenant.guard)
        for (const NetworkList& list : tenant.guard->lists) lists_of[tenant.name].push_back(list.name);

    for (const Reference& reference : draft_.references) {
      switch (reference.to) {
        case ReferenceTo::environment:
          if (!draft_.platforms.empty() && !environment_set.contains(reference.name.text))
            nothing(reference, "an environment of the Platform", environments);
          break;
        case ReferenceTo::tenant:
          if (!tenant_set.contains(reference.name.text)) nothing(reference, "a tenant's name", tenants);
          break;
        case ReferenceTo::plan:
          if (!plan_set.contains(reference.name.text)) nothing(reference, "a plan of the GuardPolicy", plans);
          break;
        case ReferenceTo::list: {
          Names known = lists;
          for (const std::string& tenant : reference.tenants)
            if (const auto own = lists_of.find(tenant); own != lists_of.end())
              known.insert(known.end(), own->second.begin(), own->second.end());
          if (!among(known, reference.name.text))
            nothing(reference, reference.tenants.empty() ? "a list of the GuardPolicy" : "a list of the tenant or of the GuardPolicy",
                    known);
          break;
        }
        case ReferenceTo::pool:
          if (!pool_set.contains(reference.name.text)) nothing(reference, "a pool of the GuardPolicy", pools);
          break;
        case ReferenceTo::profile:
          if (!among(profiles, reference.name.text)) nothing(reference, "a profile of the GuardPolicy", profiles);
          break;
        case ReferenceTo::calendar:
          if (!among(calendars, reference.name.text)) nothing(reference, "a Calendar's name", calendars);
          break;
        case ReferenceTo::period:
          period(reference);
          break;
        case ReferenceTo::name_space:
          name_space(reference);
          break;
      }
    }
  }

  void terms() {
    for (const Term& term : draft_.terms) {
      if (term.expires_at <= term.valid_from) {
        say(term.end.place, term.end.field, "found " + quoted(term.end.text) + ", want an instant after validFrom");
        continue;
      }
      if (draft_.platforms.empty()) continue;
      const std::chrono::seconds max = draft_.platforms.front().exception_duration_max;
      const std::chrono::seconds duration = term.expires_at - term.valid_from;
      if (duration > max)
        say(term.end.place, term.end.field,
            "found " + duration_text(duration) + " after validFrom, want at most " + duration_text(max) +
                " (Platform.exceptions.maxDuration)");
    }
  }

  void calendars() {
    constexpr auto max = static_cast<std::size_t>(calendars_range.max);
    if (draft_.calendars.size() > max)
      say(draft_.calendars[max].place, "",
          "found " + std::to_string(draft_.calendars.size()) + " Calendars, want at most " + std::to_string(max));
  }

  void index_namespaces() {
    for (const NamespaceClaim& claim : draft_.namespaces) (claim.pattern ? prefixes_ : exact_).emplace(claim.name.text, &claim);
  }

 private:
  void say(const Place& place, const std::string& field, std::string what) {
    errors_.push_back({ErrorKind::invalid, place.text() + (field.empty() ? "" : " " + field), std::move(what)});
  }

  static std::string shown(const NamespaceClaim& claim) { return quoted(claim.name.text + (claim.pattern ? "*" : "")); }

  void overlap(const NamespaceClaim& a, const NamespaceClaim& b) {
    const auto [first, second] = in_order(a, b, a.name.place, b.name.place);
    say(second->name.place, second->name.field,
        "found " + shown(*second) + ", which " + (first->tenant == second->tenant ? "this tenant" : "tenant " + quoted(first->tenant)) +
            " owns by " + shown(*first) + " at " + first->name.place.text() + "; want one owner for each namespace");
  }

  void overlap(const HostClaim& a, const HostClaim& b) {
    const auto [first, second] = in_order(a, b, a.host.place, b.host.place);
    say(second->host.place, second->host.field,
        "found " + quoted(second->host.text) + ", which " +
            (first->tenant == second->tenant ? "this tenant" : "tenant " + quoted(first->tenant)) + " owns by " + quoted(first->host.text) +
            " at " + first->host.place.text() + "; want one owner for each host");
  }

  template <class Claim>
  static std::pair<const Claim*, const Claim*> in_order(const Claim& a, const Claim& b, const Place& at_a, const Place& at_b) {
    const bool swapped = std::tie(*at_b.file, at_b.span.line, at_b.span.column) < std::tie(*at_a.file, at_a.span.line, at_a.span.column);
    return swapped ? std::pair(&b, &a) : std::pair(&a, &b);
  }

  const NamespaceClaim* owner_of(std::string_view name) const {
    if (const auto found = exact_.find(name); found != exact_.end()) return found->second;
    for (std::size_t length = name.size(); length > 0; --length)
      if (const auto found = prefixes_.find(name.substr(0, length)); found != prefixes_.end()) return found->second;
    return nullptr;
  }

  void name_space(const Reference& reference) {
    const NamespaceClaim* owner = owner_of(reference.name.text);
    if (!owner) {
      Names names;
      if (near_misses_ < near_misses_max)
        for (const NamespaceClaim& claim : draft_.namespaces)
          if (!claim.pattern) names.push_back(claim.name.text);
      return nothing(reference, "a namespace that a tenant owns", names);
    }
    const std::vector<std::string>& tenants = reference.tenants;
    if (!tenants.empty() && std::find(tenants.begin(), tenants.end(), owner->tenant) == tenants.end())
      say(reference.name.place, reference.name.field,
          "found " + quoted(reference.name.text) + ", which tenant " + quoted(owner->tenant) +
              " owns; want a namespace of the tenants named beside it");
  }

  static bool among(const Names& names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

  // Of a calendar that is there.
  void period(const Reference& reference) {
    for (const Calendar& calendar : draft_.calendars) {
      if (calendar.name != reference.calendar) continue;
      Names periods;
      for (const Period& period : calendar.periods) periods.push_back(period.name);
      if (!among(periods, reference.name.text)) nothing(reference, "a period of the Calendar " + quoted(calendar.name), periods);
      return;
    }
  }

  void nothing(const Reference& reference, const std::string& want, const Names& known) {
    const std::string hint = near_misses_++ < near_misses_max ? did_you_mean(reference.name.text, known) : "";
    say(reference.name.place, reference.name.field,
        "found " + quoted(reference.name.text) + ", want " + want + (known.empty() ? ", of which there is none" : "") + hint);
  }

  const Draft& draft_;
  DocumentErrors& errors_;
  std::unordered_map<std::string_view, const NamespaceClaim*> exact_, prefixes_;
  std::size_t near_misses_ = 0;
};

}  // namespace

void cross_check(const Draft& draft, bool needs_guard_policy, Completeness completeness, DocumentErrors& errors) {
  CrossCheck check(draft, errors);
  check.index_namespaces();
  check.only_one(draft.platforms, "Platform");
  check.only_one(draft.guard_policies, "GuardPolicy");
  check.names_once(draft.tenants, "Tenant");
  check.names_once(draft.policies, "Policy");
  check.names_once(draft.exceptions, "PolicyException");
  check.names_once(draft.calendars, "Calendar");
  check.calendars();
  check.namespaces();
  check.system_namespaces();
  check.hosts();
  check.terms();
  if (completeness == Completeness::parts_unread) return;
  check.counts(needs_guard_policy);
  check.references();
}

}  // namespace portcullis::policy
