#include "policy/object/read_facts.hpp"

#include <algorithm>

#include "policy/object/group.hpp"

namespace portcullis::policy {
namespace {

std::string_view group_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view{} : api_version.substr(0, slash);
}

std::optional<OwnerFact> read_owner(Value metadata) {
  const Value references = metadata["ownerReferences"];
  if (!references.is(ValueKind::array)) return std::nullopt;
  for (const Value each : references) {
    if (!each["controller"].is_true()) continue;
    const std::string_view kind = each["kind"].text();
    return OwnerFact{std::string(canonical_group(group_of(each["apiVersion"].text()), kind)), std::string(kind),
                     std::string(each["name"].text()), std::string(each["uid"].text())};
  }
  return std::nullopt;
}

}  // namespace

Labels read_labels(Value metadata) {
  Labels labels;
  const Value all = metadata["labels"];
  if (!all.is(ValueKind::object)) return labels;
  for (const Value label : all)
    if (label.is(ValueKind::string)) labels.emplace_back(label.key(), label.text());
  std::sort(labels.begin(), labels.end());
  return labels;
}

NamespaceFact read_namespace_fact(Value object) {
  const Value metadata = object["metadata"];
  return {std::string(metadata["name"].text()), std::string(metadata["uid"].text()), read_labels(metadata),
          metadata["deletionTimestamp"].present()};
}

std::optional<WorkloadFact> read_workload_fact(Value object, std::string_view group, std::string_view version, std::string_view kind,
                                               std::span<const WorkloadKind> extra) {
  if (!is_workload({kind, group}, extra) || (group.empty() && (kind == "Pod" || kind == "PodTemplate"))) return std::nullopt;
  Subject subject;
  subject.group = group;
  subject.version = version;
  subject.kind = kind;
  subject.object.root = object;
  read_object(subject, extra);
  const Value metadata = subject.object.metadata;
  WorkloadFact fact;
  fact.group = group;
  fact.kind = kind;
  fact.name_space = metadata["namespace"].text();
  fact.name = metadata["name"].text();
  fact.uid = metadata["uid"].text();
  fact.labels = read_labels(metadata);
  fact.owner = read_owner(metadata);
  const Value count = kind == "Job" ? object["spec"]["parallelism"] : subject.object.replicas;
  fact.replicas = std::max<std::int64_t>(count.integer().value_or(1), 0);
  if (!subject.object.templates.empty()) fact.pod_usage = pod_usage(subject.object.templates.front());
  return fact;
}

AutoscalerFact read_autoscaler_fact(Value object) {
  const Value metadata = object["metadata"], spec = object["spec"], target = spec["scaleTargetRef"];
  const std::string_view kind = target["kind"].text();
  AutoscalerFact fact;
  fact.name_space = metadata["namespace"].text();
  fact.name = metadata["name"].text();
  fact.target_group = canonical_group(group_of(target["apiVersion"].text()), kind);
  fact.target_kind = kind;
  fact.target_name = target["name"].text();
  fact.replicas_min = spec["minReplicas"].integer().value_or(1);  // absent counts as 1, the API server's default
  fact.replicas_max = spec["maxReplicas"].integer().value_or(0);
  return fact;
}

}  // namespace portcullis::policy
