// replica-floor: a workload that has to survive the loss of a node runs at least `min` replicas.
//
// Params:  min  integer, 2..100
// Judges:  CREATE and UPDATE of Deployment, StatefulSet, ReplicaSet, ReplicationController and the Platform's workloadKinds with
//          replicas, and their scale subresource
// Reads:   spec.replicas; absent or null counts as 1, the API server's default. In a Scale absent is 0: it leaves zero out.
//          Where an autoscaler is known to target the workload, its minReplicas is judged instead: it overwrites spec.replicas, and
//          what somebody scales to by hand.
// Not its: DaemonSet, Job, CronJob, bare Pod; a floor means nothing there. 0 means switched off on purpose and passes.
#include <cstdint>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "policy/object/group.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr Range min_range{2, 100};

class ReplicaFloor final : public Rule {
 public:
  explicit ReplicaFloor(std::int64_t replicas_min) : replicas_min_(replicas_min) {}

  void evaluate(const Subject& subject, const Facts& facts, Findings& findings) const override {
    const bool is_scale = subject.subresource == "scale";
    if (!is_scale && !is_scalable(subject, facts.workload_kinds)) return;
    const ObjectView& object = subject.judged();
    const Value replicas = object.replicas;
    const std::optional<std::int64_t> count = replicas.present() ? replicas.integer() : std::optional<std::int64_t>(is_scale ? 0 : 1);
    if (count && *count == 0) return;  // an autoscaler leaves what is switched off alone, too
    const ClusterFacts* const known = facts.known(FactKind::autoscalers);
    const KindName workload = judged_kind(subject, facts.workload_kinds);
    const AutoscalerFact* const autoscaler =
        known ? known->autoscaler_of(workload.group, workload.kind, subject.name_space, subject.name) : nullptr;
    if (count && (autoscaler ? autoscaler->replicas_min : *count) >= replicas_min_) return;

    const std::string floor = std::to_string(replicas_min_);
    const Value spec = object.root["spec"];
    Finding finding;
    if (count && autoscaler) {
      finding.what = "too few replicas";
      finding.where = "HorizontalPodAutoscaler/" + printable(autoscaler->name) + " spec.minReplicas";
      finding.found = std::to_string(autoscaler->replicas_min);
      finding.wanted = "at least " + floor;
      finding.fix = "set minReplicas to " + floor + " or more, or move the workload to a tier without this floor";
      finding.at = spec ? spec : object.root;
      findings.add(std::move(finding));
      return;
    }
    finding.where = replicas ? replicas.path() : "spec.replicas";
    finding.wanted = "at least " + floor;
    finding.fix = "set it to " + floor + " or more, or move the workload to a tier without this floor";
    finding.at = replicas ? replicas : spec ? spec : object.root;
    if (count) {
      finding.what = "too few replicas";
      finding.found = std::to_string(*count);
    } else {
      finding.what = "unreadable replica count";
      finding.found = replicas.is(ValueKind::string)   ? quoted(replicas.text())
                      : replicas.is(ValueKind::number) ? quoted(replicas.token())
                                                       : std::string(kind_name(replicas.kind()));
      finding.wanted = "an integer, " + finding.wanted;
    }
    findings.add(std::move(finding));
  }

 private:
  std::int64_t replicas_min_;
};

Result<RulePtr> compile_replica_floor(const Params& params) {
  return RulePtr(std::make_unique<const ReplicaFloor>(params.integer("min", min_range.min)));
}

}  // namespace

extern const RuleInfo replica_floor;  // a const alone would stay in this file
const RuleInfo replica_floor{
    .id = "replica-floor",
    .summary = "A workload that has to survive the loss of a node runs at least `min` replicas",
    .why = "With one replica every node drain, every crash and every rollout is an outage that the customer's users see.",
    .kinds = {},
    .subresources = {"scale"},
    .params = {{.name = "min",
                .type = ParamType::integer,
                .meaning = "the fewest replicas; 0 replicas, switched off on purpose, always pass",
                .required = true,
                .range = min_range}},
    .judges_controllers = false,
    .facts = {FactKind::autoscalers},
    .example = {.with = "{min: 2}",
                .allowed = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: acme-prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.hoster.example/odoo/server:17.0}]}
)",
                .denied = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: acme-prod}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.hoster.example/odoo/server:17.0}]}
)"},
    .since = "0.1.0",
    .compile = compile_replica_floor,
};

}  // namespace portcullis::policy::rule
