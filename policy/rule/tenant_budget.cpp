// tenant-budget: what a tenant's namespaces use together stays within the budgets of its Tenant document.
//
// Params:  warnAt       integer, 1..100: percent of a budget from which on a write that may pass warns
//          controllers  warn or deny: what to do with a workload whose pods will not fit
// Judges:  CREATE and UPDATE of every kind that a budget counts, and the resize of a Pod: what it adds is charged by the ledger,
//          which grants or refuses it for all replicas at once. A Pod must set what a budget of cpu or memory counts, as under a
//          ResourceQuota. Workloads, their scale and their autoscalers are told early (budget_forecast.hpp).
// Reads:   the object's usage by Kubernetes' own arithmetic (policy/object/usage.hpp); of an UPDATE the difference.
// Not its: deleting; mirror pods, which a refusal does not stop: they count, and are never denied; writes that add nothing.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "policy/document/budget.hpp"
#include "policy/rule/budget_forecast.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr Range warn_at_range{1, 100};
constexpr std::int64_t warn_at_default = 80;

// What a container must set where a budget bounds it (the evaluator's validationSet: "it was a mistake", and is kept to these).
struct Constraint {
  std::string_view resource, alias, side, name;
};
constexpr std::array<Constraint, 4> constraints{{{"requests.cpu", "cpu", "requests", "cpu"},
                                                 {"requests.memory", "memory", "requests", "memory"},
                                                 {"limits.cpu", "limits.cpu", "limits", "cpu"},
                                                 {"limits.memory", "limits.memory", "limits", "memory"}}};

bool is_pod(const Subject& subject) { return subject.kind == "Pod" && subject.group.empty(); }

// Written by the kubelet for a static pod. The annotation alone anybody can write.
bool is_mirror_pod(const Subject& subject) {
  return is_pod(subject) && subject.user.name.starts_with("system:node:") && subject.user.in_group("system:nodes") &&
         subject.object.annotations["kubernetes.io/config.mirror"].present();
}

bool has_pod_level_resources(Value resources) {
  for (const std::string_view side : {"requests", "limits"})
    if (resources[side].is(ValueKind::object))
      for (const Value each : resources[side])
        if (each.key() == "cpu" || each.key() == "memory" || each.key().starts_with("hugepages-")) return true;
  return false;
}

bool bounds(const Facts& facts, const Constraint& constraint) {
  const auto holds = [&](const std::map<std::string, Quantity>& budget) {
    return budget.count(std::string(constraint.resource)) > 0 || budget.count(std::string(constraint.alias)) > 0;
  };
  return holds(facts.owner->budget) || holds(facts.entry->budget);
}

// What a budget counts but a container does not say. A limit stands for the request that is not there, as the API server fills it in.
void find_missing(const PodTemplate& pod, const Facts& facts, bool is_template, Findings& findings) {
  if (has_pod_level_resources(pod.resources)) return;
  for (const Constraint& each : constraints) {
    if (!bounds(facts, each)) continue;
    for (const Container& container : pod.containers) {
      if (container.kind == ContainerKind::ephemeral || !container.well_formed) continue;
      if (container.resources[each.side][each.name].present() || container.resources["limits"][each.name].present()) continue;
      Finding finding;
      finding.what = "amount that a budget counts is missing";
      finding.where = container.node.path() + ".resources." + std::string(each.side) + "." + std::string(each.name);
      finding.found = "nothing";
      finding.wanted = std::string(each.resource) + ", which a budget of tenant `" + std::string(facts.tenant) + "` bounds";
      finding.fix = is_template ? "set it: the pods will be refused without it, unless a LimitRange or `inject` fills it in"
                                : "set it, or have container-bounds fill it in with `inject: true`";
      finding.at = container.resources ? container.resources : container.node;
      finding.advice = is_template;
      findings.add(std::move(finding));
    }
  }
}

std::string_view place_of(std::string_view resource) {
  if (resource.ends_with("requests.storage")) return "spec.resources.requests.storage";
  if (resource == "services.loadbalancers" || resource == "services.nodeports") return "spec.type";
  if (resource.find("cpu") != std::string_view::npos || resource.find("memory") != std::string_view::npos ||
      resource.starts_with("requests.") || resource.ends_with("ephemeral-storage") || resource.starts_with("hugepages-"))
    return "spec";
  return "metadata.namespace";
}

class TenantBudget final : public Rule {
 public:
  TenantBudget(std::int64_t warn_at, bool denies_controllers) : warn_at_(warn_at), denies_controllers_(denies_controllers) {}

  void evaluate(const Subject& subject, const Facts& facts, Findings& findings) const override {
    if (!facts.owner || (facts.owner->budget.empty() && facts.entry->budget.empty())) return;
    if (is_pod(subject)) {
      const bool sets_amounts = subject.operation == Operation::create || subject.subresource == "resize";
      if (sets_amounts && !is_mirror_pod(subject))
        for (const PodTemplate& pod : subject.object.templates) find_missing(pod, facts, false, findings);
      return;
    }
    if (!subject.subresource.empty() && subject.subresource != "scale") return;
    if (!is_counted(*facts.owner, *facts.entry, "pods", {})) return;
    if (facts.is_controller && !denies_controllers_) return;  // nobody reads a controller's warnings
    Facts asked = facts;
    if (!denies_controllers_) asked.unknown = nullptr;  // what only warns is not missed
    Findings forecast;
    find_forecast(subject, asked, forecast);
    for (Finding& finding : forecast.all()) {
      finding.advice = finding.advice || !denies_controllers_;
      findings.add(std::move(finding));
    }
    if (subject.operation == Operation::create && !facts.is_controller)
      for (const PodTemplate& pod : subject.object.templates) find_missing(pod, facts, true, findings);
  }

  [[nodiscard]] std::optional<Charge> charge(const Subject& subject, const Facts& facts) const override {
    const bool is_resize = is_pod(subject) && subject.subresource == "resize";
    if (!facts.owner || (!subject.subresource.empty() && !is_resize)) return std::nullopt;
    if (!is_counted(*facts.owner, *facts.entry, subject.resource, subject.resource_group) || is_mirror_pod(subject)) return std::nullopt;
    const auto usage = [&](const ObjectView& object) {
      return usage_of(object.root, subject.resource, subject.resource_group, facts.now, PodDefaults::applied);
    };
    Charge charge;
    charge.usage = usage(subject.object);
    const bool is_update = subject.operation == Operation::update && subject.old_object.root;
    charge.added = is_update ? budget_amounts(*facts.owner, *facts.entry, charge.usage, usage(subject.old_object))
                             : budget_amounts(*facts.owner, *facts.entry, charge.usage);
    if (charge.added.empty()) return std::nullopt;
    charge.tenant = facts.tenant;
    charge.object_uid = subject.object.metadata["uid"].text();
    if (is_update) charge.old_version = subject.old_object.metadata["resourceVersion"].text();
    charge.resource = subject.resource;
    if (!subject.resource_group.empty()) (charge.resource += '.') += subject.resource_group;
    charge.name_space = subject.name_space;
    charge.name = subject.name;
    return charge;
  }

  void answer(const Subject& subject, const Facts& facts, const Charge& charge, const ChargeOutcome& outcome,
              Findings& findings) const override {
    if (outcome.status == ChargeStatus::granted) return warn_of(subject, facts, charge, findings);
    const std::string name(split_dimension(outcome.resource).resource);
    const std::string more = name + " " + amount_text(outcome.resource, outcome.added) + " more";
    Finding finding = finding_at(subject, outcome.resource);
    finding.wanted = "at most " + amount_text(outcome.resource, outcome.hard) + " for " + budget_holder(outcome.resource, facts);
    if (outcome.status == ChargeStatus::reserved) {
      finding.what = "budget held by writes under way";
      finding.found = more + " than they leave";
      finding.fix = "try again in a moment";
    } else if (facts.is_controller) {
      // The same words from try to try: events that differ in a counter are not counted as one.
      finding.what = "budget used up";
      finding.found = more + " than is left";
      finding.fix = "make room in these namespaces or ask the platform team for a larger budget; " + std::string(retry_hint);
    } else {
      finding.what = "budget used up";
      finding.found = more + ", with " + amount_text(outcome.resource, outcome.used) + " in use";
      finding.fix = "make room in these namespaces or ask the platform team for a larger budget";
    }
    findings.add(std::move(finding));
  }

 private:
  static Finding finding_at(const Subject& subject, std::string_view dimension) {
    Finding finding;
    finding.where = place_of(split_dimension(dimension).resource);
    const Value spec = subject.object.root["spec"];
    finding.at = finding.where.starts_with("spec") && spec ? spec : subject.object.root;
    return finding;
  }

  // It may pass; is little left after it?
  void warn_of(const Subject& subject, const Facts& facts, const Charge& charge, Findings& findings) const {
    if (facts.is_controller || !facts.cluster || !facts.cluster->knows(FactKind::budgets)) return;
    for (const Amount& added : charge.added) {
      const Dimension parts = split_dimension(added.resource);
      for (const BudgetFact& budget : facts.cluster->budgets(facts.tenant, parts.entry)) {
        if (budget.resource != parts.resource) continue;
        const std::int64_t used = std::min(budget.used, units_max) + added.units;
        if (static_cast<Quantity::Nanos>(used) * 100 <= static_cast<Quantity::Nanos>(budget.hard) * warn_at_) continue;
        Finding finding = finding_at(subject, added.resource);
        finding.what = "budget nearly used up";
        finding.found = std::string(parts.resource) + " " + amount_text(added.resource, used) + " of " +
                        amount_text(added.resource, budget.hard) + " in use with this";
        finding.wanted = "at most " + std::to_string(warn_at_) + " percent of it for " + budget_holder(added.resource, facts);
        finding.fix = "make room in these namespaces, or ask the platform team for a larger budget before it is needed";
        finding.advice = true;
        findings.add(std::move(finding));
      }
    }
  }

  std::int64_t warn_at_;
  bool denies_controllers_;
};

Result<RulePtr> compile_tenant_budget(const Params& params) {
  return RulePtr(
      std::make_unique<const TenantBudget>(params.integer("warnAt", warn_at_default), params.string("controllers", "warn") == "deny"));
}

}  // namespace

extern const RuleInfo tenant_budget;  // a const alone would stay in this file
const RuleInfo tenant_budget{
    .id = "tenant-budget",
    .summary = "What a tenant's namespaces use together stays within the tenant's budgets",
    .why =
        "Namespaces share nodes, storage and load balancers that somebody pays for. A quota of one namespace is no bound when the next "
        "namespace is one request away, and one tenant's month-end run must not take the room that the others have bought.",
    .kinds = {"*"},
    .subresources = {"resize", "scale"},
    .params = {{.name = "warnAt",
                .type = ParamType::integer,
                .meaning = "percent of a budget above which a write that may pass warns",
                .range = warn_at_range,
                .fallback = "80"},
               {.name = "controllers",
                .type = ParamType::string,
                .meaning = "whether a workload or an autoscaler whose pods will not fit only warns or is denied, when it is made or grows",
                .words = {"warn", "deny"},
                .fallback = "warn"}},
    .charges = true,
    .facts = {FactKind::budgets, FactKind::workloads},
    .example = {.with = "{warnAt: 90}",
                .allowed = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0
      resources:
        requests: {cpu: 500m, memory: 1Gi}
        limits: {memory: 1Gi}
)",
                .denied = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: acme-prod}
spec:
  containers:
    - name: web
      image: registry.hoster.example/odoo/server:17.0
      resources:
        limits: {memory: 1Gi}
)"},
    .since = "0.1.0",
    .compile = compile_tenant_budget,
};

}  // namespace portcullis::policy::rule
