// Objects of the API server -> the facts kept of them: only the fields that policy::ClusterFacts speaks of. What is of a wrong
// type counts as absent: the API server has refused it, and a snapshot is no place to judge.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "kube/digest.hpp"
#include "policy/object/cluster_facts.hpp"
#include "policy/object/pod_template.hpp"
#include "policy/object/value.hpp"

namespace portcullis::kube {

using Path = std::vector<std::string>;  // by component: {"spec", "template"}

// Where a kind of workload keeps what is asked of it.
struct WorkloadLayout {
  std::string group, kind;
  Path pod_template;
  Path replicas;  // empty: the kind has none
  friend bool operator==(const WorkloadLayout&, const WorkloadLayout&) = default;
};

policy::Value at_path(policy::Value object, const Path& path);

// Null when the object has no name.
std::shared_ptr<const Marked<policy::NamespaceFact>> namespace_fact(policy::Value object);
std::shared_ptr<const Marked<policy::AutoscalerFact>> autoscaler_fact(policy::Value object);
// `memory`: a template's, kept between objects.
std::shared_ptr<const Marked<policy::WorkloadFact>> workload_fact(policy::Value object, const WorkloadLayout& layout,
                                                                  policy::PodTemplate& memory);

// "apps" of "apps/v1", "" of "v1".
std::string_view group_of(std::string_view api_version);
// An instant as the API server writes it (RFC 3339 in UTC, whole seconds or fractions, which are cut off).
std::optional<Instant> read_time(std::string_view text);
std::string write_time(Instant time);

}  // namespace portcullis::kube
