#include "policy/rule/budget_forecast.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "policy/document/budget.hpp"
#include "policy/object/group.hpp"
#include "policy/object/read_facts.hpp"
#include "policy/object/usage.hpp"

namespace portcullis::policy::rule {
namespace {

// Pods of one version of a workload.
struct Pods {
  std::int64_t count = 0;
  Usage each;
};

struct Forecast {
  Pods wanted, live;  // live: those that are there and charged, as far as the object's status says
  bool grows = true;  // more pods, or more for each
  bool is_rollout = false;
  bool can_lose_one = true;  // a rollout may take a pod away before its successor stands
  Value at;                  // where the count stands, or the spec
  std::string where;
};

std::int64_t times(std::int64_t units, std::int64_t count) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(units, count, &product) || product > units_max) return units_max;
  return product;
}

std::int64_t count_of(Value value, std::int64_t absent) { return std::max<std::int64_t>(value.integer().value_or(absent), 0); }

// "25%" or 1, of `replicas`.
std::int64_t share_of(Value value, std::int64_t replicas, bool up) {
  if (const std::optional<std::int64_t> whole = value.integer()) return *whole;
  const std::string_view text = value.present() ? value.text() : "25%";
  std::int64_t percent = 0;
  constexpr std::int64_t percent_max = 10'000;  // the API server takes no more digits to heart
  if (!text.ends_with('%')) return 0;
  std::from_chars(text.data(), text.data() + text.size() - 1, percent);
  const std::int64_t hundredths = times(std::clamp<std::int64_t>(percent, 0, percent_max), std::min<std::int64_t>(replicas, 1'000'000'000));
  return up ? (hundredths + 99) / 100 : hundredths / 100;
}

// Deployment controller's ResolveFenceposts: where both come to 0, one may be unavailable.
bool can_lose_one(Value spec, std::int64_t replicas) {
  const Value strategy = spec["strategy"], rolling = strategy["rollingUpdate"];
  if (strategy["type"].text() == "Recreate") return true;
  const std::int64_t surge = share_of(rolling["maxSurge"], replicas, true);
  return share_of(rolling["maxUnavailable"], replicas, false) > 0 || surge == 0;
}

bool is_owned(Value metadata) {
  const Value references = metadata["ownerReferences"];
  if (!references.is(ValueKind::array)) return false;
  for (const Value each : references)
    if (each["controller"].is_true()) return true;
  return false;
}

Usage usage_in(const ObjectView& object) { return object.templates.empty() ? Usage{} : pod_usage(object.templates.front()); }

std::int64_t job_pods(Value spec) {
  const std::int64_t parallel = count_of(spec["parallelism"], 1);
  return spec["completions"].present() ? std::min(parallel, count_of(spec["completions"], parallel)) : parallel;
}

// How many pods a version asks for; none where it is switched off.
std::int64_t wanted_count(std::string_view kind, const ObjectView& object) {
  const Value spec = object.root["spec"];
  if (spec["suspend"].is_true()) return 0;
  if (kind == "Job") return job_pods(spec);
  if (kind == "CronJob") return job_pods(spec["jobTemplate"]["spec"]);
  if (kind == "DaemonSet") return std::max<std::int64_t>(count_of(object.root["status"]["desiredNumberScheduled"], 1), 1);
  return count_of(object.replicas, 1);
}

std::int64_t live_count(std::string_view kind, Value status) {
  if (kind == "CronJob") return 0;
  return count_of(status[kind == "Job" ? "active" : kind == "DaemonSet" ? "currentNumberScheduled" : "replicas"], 0);
}

std::optional<Forecast> of_scale(const Subject& subject, const Facts& facts) {
  const ClusterFacts* const known = facts.known(FactKind::workloads);
  if (!known) return std::nullopt;
  const KindName name = judged_kind(subject, facts.workload_kinds);
  const WorkloadFact* const workload = known->workload(name.group, name.kind, subject.name_space, subject.name);
  if (!workload) facts.miss(FactKind::workloads);
  if (!workload || !subject.object.replicas.integer()) return std::nullopt;
  Forecast forecast;
  forecast.wanted = {count_of(subject.object.replicas, 0), workload->pod_usage};
  forecast.live = {live_count(name.kind, subject.old_object.root["status"]), workload->pod_usage};
  if (forecast.wanted.count <= count_of(subject.old_object.replicas, 0)) return std::nullopt;
  forecast.at = subject.object.replicas;
  forecast.where = "spec.replicas";
  return forecast;
}

std::optional<Forecast> of_workload(const Subject& subject, const Facts& facts) {
  const std::string_view kind = subject.kind;
  if (!is_workload({kind, canonical_group(subject.group, kind)}, facts.workload_kinds) || kind == "Pod" || kind == "PodTemplate" ||
      subject.object.templates.empty() || is_owned(subject.object.metadata))
    return std::nullopt;
  const bool is_update = subject.operation == Operation::update && subject.old_object.root;
  const std::int64_t count = wanted_count(kind, subject.object), count_before = wanted_count(kind, subject.old_object);
  bool is_changed = true;
  if (is_update) {
    const Value before = subject.old_object.templates.empty() ? Value{} : subject.old_object.templates.front().node;
    is_changed = !same_content(subject.object.templates.front().node, before);
    if (count <= count_before && !is_changed) return std::nullopt;
  }
  const Value spec = subject.object.root["spec"];
  Forecast forecast;
  forecast.wanted = {count, usage_in(subject.object)};
  forecast.is_rollout = is_changed && subject.is("Deployment", "apps");
  forecast.can_lose_one = !forecast.is_rollout || can_lose_one(spec, count);
  forecast.at = subject.object.replicas.present() ? subject.object.replicas : spec ? spec : subject.object.root;
  forecast.where = subject.object.replicas.present() ? subject.object.replicas.path() : "spec";
  if (!is_update) return forecast;
  forecast.live = {live_count(kind, subject.old_object.root["status"]), usage_in(subject.old_object)};
  const Usage& before = forecast.live.each;
  forecast.grows = count > count_before || std::any_of(forecast.wanted.each.begin(), forecast.wanted.each.end(), [&](const auto& now) {
                     const auto old = before.find(now.first);
                     return old == before.end() || old->second < now.second;
                   });
  return forecast;
}

std::int64_t units_in(const std::vector<Amount>& amounts, std::string_view dimension) {
  for (const Amount& each : amounts)
    if (each.resource == dimension) return each.units;
  return 0;
}

// What is used of a budget now; none where it is not known.
std::optional<std::int64_t> used_of(std::string_view dimension, const Facts& facts) {
  const ClusterFacts* const known = facts.known(FactKind::budgets);
  if (!known) return std::nullopt;
  const Dimension parts = split_dimension(dimension);
  for (const BudgetFact& each : known->budgets(facts.tenant, parts.entry))
    if (each.resource == parts.resource) return each.used;
  return std::nullopt;
}

std::string pods_text(std::int64_t count) { return std::to_string(count) + (count == 1 ? " pod" : " pods"); }

// "pods 4" or "requests.cpu 2".
std::string amount_of(std::string_view dimension, std::int64_t units) {
  return std::string(split_dimension(dimension).resource) + " " + amount_text(dimension, units);
}

// All that an autoscaler may come to. No version of the API defaults maxReplicas: without a number there is nothing to judge.
void find_ceiling(const Subject& subject, const Facts& facts, Findings& findings) {
  const Value spec = subject.object.root["spec"], before = subject.old_object.root["spec"];
  const Value ceiling = spec["maxReplicas"];
  if (count_of(ceiling, 0) == 0) return;
  const bool grows = subject.operation == Operation::create || count_of(ceiling, 0) > count_of(before["maxReplicas"], 0);
  Facts asked = facts;
  if (!grows) asked.unknown = nullptr;  // it would only warn
  const ClusterFacts* const known = asked.known(FactKind::workloads);
  if (!known) return;
  const AutoscalerFact autoscaler = read_autoscaler_fact(subject.object.root);
  const WorkloadFact* const target =
      known->workload(autoscaler.target_group, autoscaler.target_kind, subject.name_space, autoscaler.target_name);
  if (!target) return;
  const std::vector<Amount> each = budget_amounts(*facts.owner, *facts.entry, target->pod_usage);
  for (const Amount& hard : budget_limits(*facts.owner)) {
    const std::int64_t one = units_in(each, hard.resource), all = times(one, autoscaler.replicas_max);
    if (one == 0 || all <= hard.units) continue;
    const std::int64_t fitting = hard.units / one;
    Finding finding;
    finding.what = "autoscaler beyond the budget";
    finding.where = ceiling.path();
    finding.found = pods_text(autoscaler.replicas_max) + " of " + target->kind + " " + quoted(target->name) + " with at least " +
                    amount_of(hard.resource, all) + " in all";
    finding.wanted = "at most " + amount_text(hard.resource, hard.units) + " for " + budget_holder(hard.resource, facts);
    finding.fix = (fitting > 0 ? "set it to " + std::to_string(fitting) + " or less, ask" : std::string("ask")) +
                  " for less for each pod, or ask the platform team for a larger budget: as it is they never all start";
    finding.at = ceiling;
    finding.advice = !grows;
    findings.add(std::move(finding));
  }
}

}  // namespace

std::string budget_holder(std::string_view dimension, const Facts& facts) {
  const Dimension parts = split_dimension(dimension);
  const std::string tenant = "tenant `" + std::string(facts.tenant) + "`";
  if (parts.entry.empty()) return "all namespaces of " + tenant;
  return (parts.entry.ends_with('*') ? "namespaces `" : "namespace `") + std::string(parts.entry) + "` of " + tenant;
}

void find_forecast(const Subject& subject, const Facts& facts, Findings& findings) {
  if (subject.is("HorizontalPodAutoscaler", "autoscaling")) return find_ceiling(subject, facts, findings);
  const std::optional<Forecast> found = subject.subresource == "scale" ? of_scale(subject, facts) : of_workload(subject, facts);
  if (!found || found->wanted.count == 0) return;
  const Forecast& forecast = *found;
  const std::vector<Amount> each = budget_amounts(*facts.owner, *facts.entry, forecast.wanted.each);
  const std::vector<Amount> each_live = budget_amounts(*facts.owner, *facts.entry, forecast.live.each);
  for (const Amount& hard : budget_limits(*facts.owner)) {
    const std::int64_t one = units_in(each, hard.resource);
    if (one == 0) continue;
    const std::int64_t all = times(one, forecast.wanted.count);
    Finding finding;
    finding.where = forecast.where;
    finding.wanted = "at most " + amount_text(hard.resource, hard.units) + " for " + budget_holder(hard.resource, facts);
    finding.at = finding.scope = forecast.at;
    const std::string pods = pods_text(forecast.wanted.count);
    if (forecast.grows && all > hard.units) {
      finding.what = "workload beyond the budget";
      finding.found = pods + " with at least " + amount_of(hard.resource, all) + " in all";
      finding.fix = "ask for fewer pods or less for each, or ask the platform team for a larger budget: as it is they never all start";
      findings.add(std::move(finding));
      continue;
    }
    const std::optional<std::int64_t> used = used_of(hard.resource, facts);
    const std::int64_t left = std::max<std::int64_t>(hard.units - used.value_or(0), 0);
    const std::int64_t more = std::max<std::int64_t>(all - times(units_in(each_live, hard.resource), forecast.live.count), 0);
    if (forecast.grows && used && more > left) {
      finding.what = "no room for all pods";
      finding.found = pods + " with at least " + amount_of(hard.resource, more) + " more, with " + amount_text(hard.resource, *used) +
                      " of " + amount_text(hard.resource, hard.units) + " in use";
      finding.fix = "make room in the tenant's namespaces or ask the platform team for a larger budget; " + std::string(retry_hint);
      findings.add(std::move(finding));
      continue;
    }
    // Beside all pods that are there, and on CREATE all that this write makes.
    const std::int64_t beside = subject.operation == Operation::create ? left - more : left;
    if (forecast.is_rollout && !forecast.can_lose_one && beside < one) {
      finding.what = "rollout without room";
      finding.found = "no room for one more pod with at least " + amount_of(hard.resource, one) + ", and maxUnavailable comes to 0";
      finding.fix = "set strategy.rollingUpdate.maxUnavailable to 1 or make room for one pod: a rollout cannot move otherwise";
      finding.advice = true;  // what is asked for fits
      findings.add(std::move(finding));
    }
  }
}

}  // namespace portcullis::policy::rule
