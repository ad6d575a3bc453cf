#include "policy/engine.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "policy/binding.hpp"
#include "policy/compiled_rule.hpp"
#include "policy/document/budget.hpp"
#include "policy/exceptions.hpp"
#include "policy/namespace_tenancy.hpp"
#include "policy/namespaces.hpp"
#include "policy/rule/rule.hpp"
#include "policy/update.hpp"

namespace portcullis::policy {
namespace {

constexpr std::chrono::hours exception_warning{24 * 7};

// What one rule found in the object at hand, shared by the policies that ask for it.
struct Outcome {
  std::uint64_t round = 0;  // of the judging it belongs to
  Findings findings;
  Findings before;         // in the old object; filled only when there are findings
  std::vector<bool> kept;  // of each finding: it was there before
  FactKinds unknown;       // what it wanted to know and could not: its findings do not count
  bool is_compared = false;
};

// A policy that binds the object at hand. Of a Scale it is not sure where its selector asks for the labels of a workload that
// is not known.
struct Bound {
  std::uint32_t policy = 0;
  bool is_sure = true;
};

// A rule that one policy asks, and all that judging it takes.
struct Asked {
  const Policy& policy;
  const RuleUse& use;
  const Facts& facts;
  KindName judged;
  bool is_sure;
};

bool is_namespace(const Subject& subject) { return subject.is("Namespace", ""); }

std::string names_of(FactKinds kinds) {
  std::string names;
  std::size_t count = 0;
  for (const FactKind kind : all_fact_kinds) {
    if (!kinds.has(kind)) continue;
    if (count++ > 0) names += ", ";
    names += fact_kind_name(kind);
  }
  return names + " are";
}

}  // namespace

struct PolicySnapshot::Scratch::Impl {
  std::uint64_t round = 0;
  std::vector<Outcome> outcomes;  // one a compiled rule
  std::vector<Bound> binding;
  std::vector<std::pair<const Policy*, const RuleUse*>> charging;  // uses of rules that may ask the ledger
  Findings answered;                                               // what such a rule says to the answer
  Subject old_subject;                                             // the old object in the object's place
};

PolicySnapshot::Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
PolicySnapshot::Scratch::~Scratch() = default;

struct PolicySnapshot::Impl {
  explicit Impl(DocumentSet set) : documents(std::move(set)), namespaces(documents), policies(documents) {}

  DocumentSet documents;
  NamespaceIndex namespaces;
  PolicyIndex policies;
  std::vector<CompiledRule> rules;
  std::vector<std::vector<RuleUse>> uses;  // one list a policy

  // The owner of what is written; sets skipped, tenant and environment. None when nothing is to be judged.
  std::optional<Standing> stand(const Subject& subject, Decision& decision) const;
  void find_unknown_namespace(const Standing& at, const Subject& subject, Decision& decision) const;
  template <class Each>
  void for_each_use(const Standing& at, const Subject& subject, const Facts& facts, Scratch::Impl& scratch, const Each& each) const;
  void find_binding(const Standing& at, const Subject& subject, const Facts& facts, KindName judged, Scratch::Impl& scratch) const;
  [[nodiscard]] Facts facts(const Standing& at) const;
  Outcome& evaluate(std::uint32_t rule, const Subject& subject, Facts facts, Scratch::Impl& scratch) const;
  [[nodiscard]] Cover cover(const Asked& asked, const Subject& subject, const Decision& decision) const;
  void report(const Asked& asked, Outcome& outcome, const Subject& subject, Scratch::Impl& scratch, Decision& decision) const;
  void report(const Asked& asked, const Finding& finding, bool kept, const PolicyException* excepted, Decision& decision) const;
  void leave_unjudged(const Asked& asked, std::string why, const Subject& subject, Decision& decision) const;
  void ask_budget(const Subject& subject, const Facts& facts, const ChargeOutcome* outcome, Scratch::Impl& scratch,
                  Decision& decision) const;
};

PolicySnapshot::PolicySnapshot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PolicySnapshot::~PolicySnapshot() = default;

tl::expected<std::shared_ptr<const PolicySnapshot>, std::vector<Error>> PolicySnapshot::compile(DocumentSet documents) {
  auto impl = std::make_unique<Impl>(std::move(documents));
  std::vector<Error> errors = compile_rules(impl->documents, impl->rules, impl->uses);
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return std::shared_ptr<const PolicySnapshot>(new PolicySnapshot(std::move(impl)));
}

const DocumentSet& PolicySnapshot::documents() const { return impl_->documents; }
std::string_view PolicySnapshot::hash() const { return impl_->documents.hash; }

PolicySnapshot::NamespaceOwner PolicySnapshot::owner_of(std::string_view name_space) const {
  const Standing at = impl_->namespaces.find(name_space);
  return {at.tenant, at.name_space, at.tier};
}

bool PolicySnapshot::is_system_namespace(std::string_view name_space) const { return impl_->namespaces.is_system(name_space); }

std::vector<const Policy*> PolicySnapshot::policies_by_group() const {
  std::vector<const Policy*> found;
  for (const Policy& policy : impl_->documents.policies)
    if (!policy.match.groups.empty()) found.push_back(&policy);
  return found;
}

bool PolicySnapshot::is_controller(const User& user) const {
  // A name alone can be had by a certificate's CN; the group comes from the authenticator (threats A57).
  constexpr std::string_view kube_system = "system:serviceaccount:kube-system:";
  if (user.name.starts_with(kube_system)) return user.in_group("system:serviceaccounts:kube-system");
  if (user.name == "system:kube-controller-manager" || user.name == "system:kube-scheduler") return true;
  if (user.name.starts_with("system:node:")) return user.in_group("system:nodes");
  const std::vector<std::string>& listed = impl_->documents.platform.controllers;
  if (std::find(listed.begin(), listed.end(), user.name) == listed.end()) return false;
  constexpr std::string_view service_account = "system:serviceaccount:";
  if (!user.name.starts_with(service_account)) return true;
  const std::string_view rest = user.name.substr(service_account.size());
  const std::string_view name_space = rest.substr(0, rest.find(':'));
  return std::any_of(user.groups.begin(), user.groups.end(), [&](std::string_view group) {
    constexpr std::string_view prefix = "system:serviceaccounts:";
    return group.starts_with(prefix) && group.substr(prefix.size()) == name_space;
  });
}

std::optional<Standing> PolicySnapshot::Impl::stand(const Subject& subject, Decision& decision) const {
  // A Namespace is judged as its own name's tenant; the API server gives its name as the request's namespace too, or nothing.
  const std::string_view name = is_namespace(subject) ? subject.name : subject.name_space;
  decision.name_space = name;
  Standing at;
  if (!name.empty()) {
    if (namespaces.is_system(name)) {
      decision.skipped = "system namespace";
      return std::nullopt;
    }
    at = namespaces.find(name);
    if (at.tenant) {
      decision.tenant = at.tenant->name;
      decision.environment = at.name_space->environment;
    }
  }
  if (only_loses_finalizers(subject)) {
    decision.skipped = "being deleted";
    return std::nullopt;
  }
  // The controller that ends a namespace writes its status and finalize: of those only the labels are judged.
  const bool is_part = is_namespace(subject) && !subject.subresource.empty();
  if (!name.empty() && !at.tenant && !is_part) find_unknown_namespace(at, subject, decision);
  if (is_namespace(subject)) find_namespace_tenancy(at, documents.platform, subject, decision);
  return at;
}

// A namespace that no tenant owns may be emptied and deleted, whatever the Platform says of it.
void PolicySnapshot::Impl::find_unknown_namespace(const Standing& at, const Subject& subject, Decision& decision) const {
  if (subject.operation == Operation::remove || documents.platform.unknown_namespace == FailureMode::allow) return;
  PolicyFinding& finding = decision.findings.emplace_back();
  finding.rule = "unknown-namespace";
  finding.policy = documents.platform.name;
  finding.mode = documents.platform.unknown_namespace == FailureMode::deny ? Mode::enforce : Mode::warn;
  finding.finding = {.what = "namespace without a tenant",
                     .where = "metadata.namespace",
                     .found = quoted(at.name),
                     .wanted = "a namespace that a tenant owns",
                     .fix = "ask the platform team to add it to a Tenant document, or use one of your own namespaces"};
}

void PolicySnapshot::Impl::find_binding(const Standing& at, const Subject& subject, const Facts& facts, KindName judged,
                                        Scratch::Impl& scratch) const {
  scratch.binding.clear();
  const bool is_scale = subject.subresource == "scale" && facts.cluster;
  const Labels* behind = nullptr;
  if (is_scale && facts.cluster->knows(FactKind::workloads))
    if (const WorkloadFact* workload = facts.cluster->workload(judged.group, judged.kind, subject.name_space, subject.name))
      behind = &workload->labels;
  policies.for_each_at(at, [&](std::uint32_t index) {
    const PolicyMatch& match = documents.policies[index].match;
    if (!PolicyIndex::binds_by_request(match, subject, judged)) return;
    const bool is_sure = !match.selector || !is_scale || behind;
    if (!is_sure || PolicyIndex::selects(match, subject, behind)) scratch.binding.push_back({index, is_sure});
  });
  std::sort(scratch.binding.begin(), scratch.binding.end(), [](const Bound& a, const Bound& b) { return a.policy < b.policy; });
}

Facts PolicySnapshot::Impl::facts(const Standing& at) const {
  Facts facts{};
  if (at.tenant) {
    facts.tenant = at.tenant->name;
    facts.environment = at.name_space->environment;
    facts.owner = at.tenant;
    facts.entry = at.name_space;
  }
  facts.workload_kinds = documents.platform.workload_kinds;
  return facts;
}

Outcome& PolicySnapshot::Impl::evaluate(std::uint32_t rule, const Subject& subject, Facts facts, Scratch::Impl& scratch) const {
  Outcome& outcome = scratch.outcomes[rule];
  if (outcome.round == scratch.round) return outcome;
  outcome.round = scratch.round;
  outcome.is_compared = false;
  outcome.findings.clear();
  outcome.unknown.clear();
  facts.unknown = &outcome.unknown;
  rules[rule].rule->evaluate(subject, facts, outcome.findings);
  return outcome;
}

Cover PolicySnapshot::Impl::cover(const Asked& asked, const Subject& subject, const Decision& decision) const {
  return find_cover(documents.exceptions, rules[asked.use.rule].info->id, subject, asked.judged, decision.name_space, asked.facts);
}

void PolicySnapshot::Impl::report(const Asked& asked, Outcome& outcome, const Subject& subject, Scratch::Impl& scratch,
                                  Decision& decision) const {
  const CompiledRule& compiled = rules[asked.use.rule];
  if (!outcome.is_compared) {
    outcome.is_compared = true;
    outcome.before.clear();
    if (subject.operation == Operation::update && subject.old_object.root) {
      Subject& old_subject = scratch.old_subject;
      old_subject = subject;
      old_subject.object = subject.old_object;
      compiled.rule->evaluate(old_subject, asked.facts, outcome.before);
    }
    outcome.kept = unchanged_flaws(outcome.findings, outcome.before, subject);
  }
  const Cover covered = cover(asked, subject, decision);
  if (covered.is_unknown) return leave_unjudged(asked, "its owners are not known, and an exception may cover one", subject, decision);
  for (std::size_t i = 0; i < outcome.kept.size(); ++i)
    report(asked, outcome.findings.all()[i], outcome.kept[i], covered.exception, decision);
  if (outcome.findings.omitted() > 0)
    decision.notes.push_back(std::string(compiled.info->id) + ": " + std::to_string(outcome.findings.omitted()) +
                             " further findings are not listed");
}

void PolicySnapshot::Impl::report(const Asked& asked, const Finding& found, bool kept, const PolicyException* excepted,
                                  Decision& decision) const {
  PolicyFinding& finding = decision.findings.emplace_back();
  finding.rule = rules[asked.use.rule].info->id;
  finding.policy = asked.policy.name;
  finding.mode = asked.use.mode;
  finding.finding = found;
  if (excepted) {
    finding.exception = excepted->name;
    finding.exception_ends_soon = excepted->expires_at - asked.facts.now <= exception_warning;
  }
  finding.kept = kept;
}

void PolicySnapshot::Impl::leave_unjudged(const Asked& asked, std::string why, const Subject& subject, Decision& decision) const {
  if (cover(asked, subject, decision).exception) return;  // whatever it would find is excepted
  decision.unjudged.push_back({rules[asked.use.rule].info->id, asked.policy.name, std::move(why), asked.use.mode, asked.use.failure_mode});
}

// Calls each(asked) for every rule of every binding policy that judges this write.
template <class Each>
void PolicySnapshot::Impl::for_each_use(const Standing& at, const Subject& subject, const Facts& known, Scratch::Impl& scratch,
                                        const Each& each) const {
  ++scratch.round;
  scratch.outcomes.resize(rules.size());
  const KindName judged = judged_kind(subject, known.workload_kinds);
  const bool workload = is_workload(judged, known.workload_kinds);
  find_binding(at, subject, known, judged, scratch);
  for (const Bound& bound : scratch.binding)
    for (const RuleUse& use : uses[bound.policy])
      if (rules[use.rule].judges(subject, judged, workload, known.is_controller))
        each(Asked{documents.policies[bound.policy], use, known, judged, bound.is_sure});
}

// Budgets come last: what is denied already draws on none, and what an exception covers is not asked for.
void PolicySnapshot::Impl::ask_budget(const Subject& subject, const Facts& facts, const ChargeOutcome* outcome, Scratch::Impl& scratch,
                                      Decision& decision) const {
  if (scratch.charging.empty()) return;
  std::optional<Charge> charge = rules[scratch.charging.front().second->rule].rule->charge(subject, facts);
  if (!charge) return;
  const KindName judged = judged_kind(subject, facts.workload_kinds);
  const auto asked = [&](const auto& use) { return Asked{*use.first, *use.second, facts, judged, true}; };
  const bool binds = std::any_of(scratch.charging.begin(), scratch.charging.end(), [&](const auto& use) {
    return use.second->mode == Mode::enforce && !cover(asked(use), subject, decision).exception;
  });
  const bool is_known = facts.cluster && facts.cluster->knows(FactKind::budgets);
  ChargeOutcome said;
  if (binds && decision.found() != Verdict::deny && !(subject.dry_run && is_known)) {
    if (!outcome) {
      decision.charge = std::move(charge);
      return;
    }
    said = *outcome;
  } else if (facts.cluster) {
    said = would_grant(charge->added, facts.tenant, entry_name(*facts.entry), *facts.cluster);
  } else {
    return;
  }
  for (const auto& use : scratch.charging) {
    const Asked each = asked(use);
    if (said.status == ChargeStatus::unavailable) {
      leave_unjudged(each, said.why, subject, decision);
      continue;
    }
    scratch.answered.clear();
    rules[use.second->rule].rule->answer(subject, facts, *charge, said, scratch.answered);
    if (scratch.answered.empty()) continue;
    const Cover covered = cover(each, subject, decision);
    if (covered.is_unknown) {
      leave_unjudged(each, "its owners are not known, and an exception may cover one", subject, decision);
      continue;
    }
    for (const Finding& finding : scratch.answered.all()) report(each, finding, false, covered.exception, decision);
  }
}

void PolicySnapshot::judge(const Subject& subject, Instant now, Scratch& outer, Decision& decision, const ClusterFacts* cluster,
                           const ChargeOutcome* charged) const {
  decision.clear();
  Scratch::Impl& scratch = *outer.impl_;
  if (const std::optional<Standing> at = impl_->stand(subject, decision)) {
    Facts facts = impl_->facts(*at);
    facts.cluster = cluster;
    facts.now = now;
    facts.is_controller = is_controller(subject.user);
    scratch.charging.clear();
    impl_->for_each_use(*at, subject, facts, scratch, [&](const Asked& asked) {
      if (!asked.is_sure) return impl_->leave_unjudged(asked, "the labels of the scaled workload are not known", subject, decision);
      if (impl_->rules[asked.use.rule].info->charges) scratch.charging.emplace_back(&asked.policy, &asked.use);
      Outcome& outcome = impl_->evaluate(asked.use.rule, subject, facts, scratch);
      if (!outcome.unknown.empty()) return impl_->leave_unjudged(asked, names_of(outcome.unknown) + " not known", subject, decision);
      if (!outcome.findings.empty()) impl_->report(asked, outcome, subject, scratch, decision);
    });
    impl_->ask_budget(subject, facts, charged, scratch, decision);
    std::stable_sort(decision.findings.begin(), decision.findings.end(),
                     [](const PolicyFinding& a, const PolicyFinding& b) { return a.finding.at.node() < b.finding.at.node(); });
  }
  decision.verdict = decision.found();
  for (const Unjudged& each : decision.unjudged) {
    if (each.effect() == FailureMode::deny && decision.verdict != Verdict::deny && decision.unavailable.empty())
      decision.unavailable = unjudged_text(each);
    if (each.effect() == FailureMode::warn) decision.verdict = std::max(decision.verdict, Verdict::warn);
  }
  if (!decision.unavailable.empty()) decision.charge.reset();
}

FactKinds PolicySnapshot::facts_wanted() const {
  FactKinds wanted;
  for (const CompiledRule& each : impl_->rules) wanted.add(each.info->facts);
  const std::vector<Policy>& policies = impl_->documents.policies;
  const bool selects =
      std::any_of(policies.begin(), policies.end(), [](const Policy& policy) { return policy.match.selector.has_value(); });
  if (selects || !impl_->documents.exceptions.empty()) wanted.add(FactKind::workloads);
  return wanted;
}

void PolicySnapshot::mend(const Subject& subject, Instant now, Scratch& outer, Patch& patch) const {
  patch.clear();
  if (subject.operation == Operation::remove || subject.operation == Operation::connect || !subject.subresource.empty()) return;
  Decision decision;
  const std::optional<Standing> at = impl_->stand(subject, decision);
  if (!at) return;
  if (is_namespace(subject)) mend_namespace_tenancy(*at, subject, patch);
  Scratch::Impl& scratch = *outer.impl_;
  Facts facts = impl_->facts(*at);
  facts.now = now;
  facts.is_controller = is_controller(subject.user);
  impl_->for_each_use(*at, subject, facts, scratch, [&](const Asked& asked) {
    if (!asked.use.inject || asked.use.mode == Mode::audit) return;  // a policy in audit looks on; it changes nothing
    Outcome& outcome = scratch.outcomes[asked.use.rule];
    if (outcome.round == scratch.round) return;
    outcome.round = scratch.round;
    impl_->rules[asked.use.rule].rule->mend(subject, facts, patch);
  });
}

}  // namespace portcullis::policy
