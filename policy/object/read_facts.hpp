// Objects of a cluster as the facts that rules ask for: the same reading for what is watched and for what stands in files.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "policy/object/cluster_facts.hpp"
#include "policy/object/value.hpp"

namespace portcullis::policy {

Labels read_labels(Value metadata);  // sorted by key; what is no string is left out

NamespaceFact read_namespace_fact(Value object);

// `group` canonical. Of a kind without pods, or one that is no workload, none.
std::optional<WorkloadFact> read_workload_fact(Value object, std::string_view group, std::string_view version, std::string_view kind,
                                               std::span<const WorkloadKind> extra);

// Of autoscaling/v1, v2 and what came between: the fields are the same.
AutoscalerFact read_autoscaler_fact(Value object);

}  // namespace portcullis::policy
