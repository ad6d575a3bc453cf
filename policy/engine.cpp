#include "policy/engine.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>

#include "base/text.hpp"
#include "policy/binding.hpp"
#include "policy/namespaces.hpp"
#include "policy/rule/rule.hpp"
#include "policy/update.hpp"

namespace portcullis::policy {
namespace {

constexpr std::chrono::hours exception_warning{24 * 7};

// A rule with its parameters, shared by all policies that say the same.
struct CompiledRule {
  const RuleInfo* info = nullptr;
  RulePtr rule;
  std::vector<KindPattern> kinds;  // empty: workloads
  bool any_kind = false;

  [[nodiscard]] bool judges(const Subject& subject, KindName judged, bool workload, bool controller) const {
    if (std::find(info->operations.begin(), info->operations.end(), subject.operation) == info->operations.end()) return false;
    if (!subject.subresource.empty() &&
        std::find(info->subresources.begin(), info->subresources.end(), subject.subresource) == info->subresources.end())
      return false;
    if (controller && !info->judges_controllers) return false;
    if (any_kind) return true;
    if (kinds.empty()) return workload;
    return std::any_of(kinds.begin(), kinds.end(), [&](const KindPattern& kind) { return kind.matches(judged.kind, judged.group); });
  }
};

struct RuleUse {
  std::uint32_t rule = 0;
  Mode mode = Mode::enforce;
  bool inject = false;
};

// What one rule found in the object at hand, shared by the policies that ask for it.
struct Outcome {
  std::uint64_t round = 0;  // of the judging it belongs to
  Findings findings;
  Findings before;         // in the old object; filled only when there are findings
  std::vector<bool> kept;  // of each finding: it was there before
  bool is_compared = false;
};

KindPattern kind_pattern(std::string_view text) {
  const std::size_t dot = text.find('.');
  KindPattern pattern;
  pattern.kind = text.substr(0, dot);
  pattern.any_group = false;
  if (dot != std::string_view::npos) pattern.group = text.substr(dot + 1);
  return pattern;
}

bool covers(const ExceptionObject& object, const Subject& subject, KindName judged) {
  if (object.kind != judged.kind) return false;
  if (!object.prefix) return subject.generate_name.empty() && subject.name == object.name;
  if (!subject.generate_name.empty()) return object.generated && subject.generate_name.starts_with(object.name);
  return subject.name.starts_with(object.name);
}

bool covers(const PolicyException& exception, const Subject& subject, KindName judged, const Decision& decision, std::string_view rule,
            Instant now) {
  const auto holds = [](const std::vector<std::string>& list, std::string_view item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  return now >= exception.valid_from && now < exception.expires_at && holds(exception.rules, rule) &&
         holds(exception.tenants, decision.tenant) && holds(exception.namespaces, decision.name_space) &&
         std::any_of(exception.objects.begin(), exception.objects.end(),
                     [&](const ExceptionObject& object) { return covers(object, subject, judged); });
}

}  // namespace

struct PolicySnapshot::Scratch::Impl {
  std::uint64_t round = 0;
  std::vector<Outcome> outcomes;       // one a compiled rule
  std::vector<std::uint32_t> binding;  // policies that bind the object at hand
  Subject old_subject;                 // the old object in the object's place
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

  std::vector<Error> compile();
  Result<std::uint32_t> compile_rule(const PolicyRule& rule, std::map<std::string, std::uint32_t>& known);
  // The owner of what is written; sets skipped, tenant and environment. None when nothing is to be judged.
  std::optional<Standing> stand(const Subject& subject, Decision& decision) const;
  void find_unknown_namespace(const Standing& at, const Subject& subject, Decision& decision) const;
  template <class Each>
  void for_each_use(const Standing& at, const Subject& subject, bool controller, Scratch::Impl& scratch, const Each& each) const;
  void find_binding(const Standing& at, const Subject& subject, KindName judged, Scratch::Impl& scratch) const;
  Facts facts(const Standing& at, const Subject& subject) const;
  Outcome& evaluate(std::uint32_t rule, const Subject& subject, const Facts& facts, Scratch::Impl& scratch) const;
  void report(const Policy& policy, const RuleUse& use, Outcome& outcome, const Subject& subject, KindName judged, const Facts& facts,
              Instant now, Scratch::Impl& scratch, Decision& decision) const;
};

PolicySnapshot::PolicySnapshot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PolicySnapshot::~PolicySnapshot() = default;

tl::expected<std::shared_ptr<const PolicySnapshot>, std::vector<Error>> PolicySnapshot::compile(DocumentSet documents) {
  auto impl = std::make_unique<Impl>(std::move(documents));
  std::vector<Error> errors = impl->compile();
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return std::shared_ptr<const PolicySnapshot>(new PolicySnapshot(std::move(impl)));
}

std::vector<Error> PolicySnapshot::Impl::compile() {
  std::vector<std::pair<const PolicyRule*, Error>> refused;
  std::map<std::string, std::uint32_t> known;
  for (const Policy& policy : documents.policies) {
    std::vector<RuleUse>& list = uses.emplace_back();
    for (const PolicyRule& rule : policy.rules) {
      const Result<std::uint32_t> index = compile_rule(rule, known);
      if (index) {
        list.push_back({*index, rule.mode.value_or(policy.mode), rule.inject});
      } else {
        refused.emplace_back(&rule, index.error());
      }
    }
  }
  std::stable_sort(refused.begin(), refused.end(), [](const auto& a, const auto& b) {
    const Place &left = a.first->place, &right = b.first->place;
    if (left.file && right.file && *left.file != *right.file) return *left.file < *right.file;
    return left.span.line < right.span.line;
  });
  std::vector<Error> errors;
  errors.reserve(refused.size());
  for (auto& [rule, error] : refused) errors.push_back(std::move(error));
  return errors;
}

Result<std::uint32_t> PolicySnapshot::Impl::compile_rule(const PolicyRule& rule, std::map<std::string, std::uint32_t>& known) {
  const std::string identity = rule.id + '\n' + rule.with.fingerprint();
  if (const auto found = known.find(identity); found != known.end()) return found->second;
  const RuleInfo* info = find_rule(rule.id);
  if (info == nullptr) {
    const std::vector<std::string_view> ids = rule_ids();
    return fail(ErrorKind::invalid, rule.place.text() + " rules[].id",
                "found " + quoted(rule.id) + ", want the id of a rule" + did_you_mean(rule.id, ids));
  }
  Result<RulePtr> compiled = info->compile(rule.with);
  if (!compiled) return tl::unexpected(compiled.error());
  CompiledRule entry{info, std::move(*compiled), {}, false};
  for (const std::string_view kind : info->kinds) {
    if (kind == "*") entry.any_kind = true;
    entry.kinds.push_back(kind_pattern(kind));
  }
  rules.push_back(std::move(entry));
  const auto index = static_cast<std::uint32_t>(rules.size() - 1);
  known.emplace(identity, index);
  return index;
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
  const bool is_namespace = subject.kind == "Namespace" && subject.group.empty();
  const std::string_view name = is_namespace ? subject.name : subject.name_space;
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
  if (!name.empty() && !at.tenant) find_unknown_namespace(at, subject, decision);
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

void PolicySnapshot::Impl::find_binding(const Standing& at, const Subject& subject, KindName judged, Scratch::Impl& scratch) const {
  scratch.binding.clear();
  policies.for_each_at(at, [&](std::uint32_t index) {
    if (PolicyIndex::binds(documents.policies[index].match, subject, judged)) scratch.binding.push_back(index);
  });
  std::sort(scratch.binding.begin(), scratch.binding.end());
}

Facts PolicySnapshot::Impl::facts(const Standing& at, const Subject& subject) const {
  Facts facts{};
  if (at.tenant) {
    facts.tenant = at.tenant->name;
    facts.environment = at.name_space->environment;
  }
  facts.workload_kinds = documents.platform.workload_kinds;
  facts.autoscalers = subject.autoscalers;
  return facts;
}

Outcome& PolicySnapshot::Impl::evaluate(std::uint32_t rule, const Subject& subject, const Facts& facts, Scratch::Impl& scratch) const {
  Outcome& outcome = scratch.outcomes[rule];
  if (outcome.round == scratch.round) return outcome;
  outcome.round = scratch.round;
  outcome.is_compared = false;
  outcome.findings.clear();
  rules[rule].rule->evaluate(subject, facts, outcome.findings);
  return outcome;
}

void PolicySnapshot::Impl::report(const Policy& policy, const RuleUse& use, Outcome& outcome, const Subject& subject, KindName judged,
                                  const Facts& facts, Instant now, Scratch::Impl& scratch, Decision& decision) const {
  const CompiledRule& compiled = rules[use.rule];
  if (!outcome.is_compared) {
    outcome.is_compared = true;
    outcome.before.clear();
    if (subject.operation == Operation::update && subject.old_object.root) {
      Subject& old_subject = scratch.old_subject;
      old_subject = subject;
      old_subject.object = subject.old_object;
      compiled.rule->evaluate(old_subject, facts, outcome.before);
    }
    outcome.kept = unchanged_flaws(outcome.findings, outcome.before, subject);
  }
  const PolicyException* excepted = nullptr;
  for (const PolicyException& exception : documents.exceptions) {
    if (covers(exception, subject, judged, decision, compiled.info->id, now)) {
      excepted = &exception;
      break;
    }
  }
  for (std::size_t i = 0; i < outcome.kept.size(); ++i) {
    PolicyFinding& finding = decision.findings.emplace_back();
    finding.rule = compiled.info->id;
    finding.policy = policy.name;
    finding.mode = use.mode;
    finding.finding = outcome.findings.all()[i];
    if (excepted) {
      finding.exception = excepted->name;
      finding.exception_ends_soon = excepted->expires_at - now <= exception_warning;
    }
    finding.kept = outcome.kept[i];
  }
  if (outcome.findings.omitted() > 0)
    decision.notes.push_back(std::string(compiled.info->id) + ": " + std::to_string(outcome.findings.omitted()) +
                             " further findings are not listed");
}

// Calls each(policy, use, facts, judged kind) for every rule of every binding policy that judges this write.
template <class Each>
void PolicySnapshot::Impl::for_each_use(const Standing& at, const Subject& subject, bool controller, Scratch::Impl& scratch,
                                        const Each& each) const {
  ++scratch.round;
  scratch.outcomes.resize(rules.size());
  const Facts known = facts(at, subject);
  const KindName judged = judged_kind(subject, known.workload_kinds);
  const bool workload = is_workload(judged, known.workload_kinds);
  find_binding(at, subject, judged, scratch);
  for (const std::uint32_t index : scratch.binding)
    for (const RuleUse& use : uses[index])
      if (rules[use.rule].judges(subject, judged, workload, controller)) each(documents.policies[index], use, known, judged);
}

void PolicySnapshot::judge(const Subject& subject, Instant now, Scratch& outer, Decision& decision) const {
  decision.clear();
  Scratch::Impl& scratch = *outer.impl_;
  if (const std::optional<Standing> at = impl_->stand(subject, decision)) {
    impl_->for_each_use(*at, subject, is_controller(subject.user), scratch,
                        [&](const Policy& policy, const RuleUse& use, const Facts& facts, KindName judged) {
                          Outcome& outcome = impl_->evaluate(use.rule, subject, facts, scratch);
                          if (!outcome.findings.empty())
                            impl_->report(policy, use, outcome, subject, judged, facts, now, scratch, decision);
                        });
    std::stable_sort(decision.findings.begin(), decision.findings.end(),
                     [](const PolicyFinding& a, const PolicyFinding& b) { return a.finding.at.node() < b.finding.at.node(); });
  }
  for (const PolicyFinding& finding : decision.findings) decision.verdict = std::max(decision.verdict, finding.weight());
  if (!decision.notes.empty()) decision.verdict = std::max(decision.verdict, Verdict::warn);
}

void PolicySnapshot::mend(const Subject& subject, Instant, Scratch& outer, Patch& patch) const {
  patch.clear();
  if (subject.operation == Operation::remove || subject.operation == Operation::connect || !subject.subresource.empty()) return;
  Decision decision;
  const std::optional<Standing> at = impl_->stand(subject, decision);
  if (!at) return;
  Scratch::Impl& scratch = *outer.impl_;
  impl_->for_each_use(*at, subject, is_controller(subject.user), scratch,
                      [&](const Policy&, const RuleUse& use, const Facts& facts, KindName) {
                        if (!use.inject || use.mode == Mode::audit) return;  // a policy in audit looks on; it changes nothing
                        Outcome& outcome = scratch.outcomes[use.rule];
                        if (outcome.round == scratch.round) return;
                        outcome.round = scratch.round;
                        impl_->rules[use.rule].rule->mend(subject, facts, patch);
                      });
}

}  // namespace portcullis::policy
