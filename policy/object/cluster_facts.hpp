// What a rule may know of the cluster besides the object: an interface, so that rules stay pure. In a cluster
// kube::ClusterSnapshot answers, on the command line the manifests given with --facts. Immutable; views are good as long as
// the facts are.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/object/subject.hpp"
#include "policy/object/usage.hpp"

namespace portcullis::policy {

// What there is to know, by kind; a rule declares which it asks for (RuleInfo::facts) and only these are watched.
enum class FactKind : std::uint8_t { namespaces, workloads, autoscalers, budgets };
inline constexpr FactKind all_fact_kinds[] = {FactKind::namespaces, FactKind::workloads, FactKind::autoscalers, FactKind::budgets};
std::string_view fact_kind_name(FactKind kind);  // "namespaces", ...

// A set of them.
class FactKinds {
 public:
  constexpr FactKinds() = default;
  constexpr FactKinds(std::initializer_list<FactKind> kinds) {
    for (const FactKind kind : kinds) add(kind);
  }
  constexpr void add(FactKind kind) { bits_ |= bit(kind); }
  constexpr void add(FactKinds kinds) { bits_ |= kinds.bits_; }
  constexpr void clear() { bits_ = 0; }
  [[nodiscard]] constexpr bool has(FactKind kind) const { return (bits_ & bit(kind)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(FactKinds a, FactKinds b) { return a.bits_ == b.bits_; }

 private:
  static constexpr std::uint8_t bit(FactKind kind) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind)); }
  std::uint8_t bits_ = 0;
};

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by key

struct NamespaceFact {
  std::string name, uid;
  Labels labels;
  bool terminating = false;
};

// The controlling owner of an object (metadata.ownerReferences with controller: true).
struct OwnerFact {
  std::string group, kind, name, uid;
};

// Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob and the Platform's workloadKinds.
struct WorkloadFact {
  std::string group, kind, name_space, name, uid;
  Labels labels;
  std::optional<OwnerFact> owner;
  std::int64_t replicas = 1;  // spec.replicas, spec.parallelism of a Job
  Usage pod_usage;            // of one pod of its template
};

struct AutoscalerFact {
  std::string name_space, name;
  std::string target_group, target_kind, target_name;
  std::int64_t replicas_min = 1, replicas_max = 0;
};

// One budget as it stands: of a tenant, or of an entry of its namespaces. Amounts in base units (policy/object/amount.hpp).
struct BudgetFact {
  std::string resource;
  std::int64_t hard = 0, used = 0, reserved = 0;
};

class ClusterFacts {
 public:
  virtual ~ClusterFacts() = default;
  // False while these facts have not been had yet or are older than the stated age: a rule that needs them cannot judge.
  [[nodiscard]] virtual bool knows(FactKind kind) const = 0;
  [[nodiscard]] virtual const NamespaceFact* name_space(std::string_view name) const = 0;
  // `group` canonical ("" for the core group).
  [[nodiscard]] virtual const WorkloadFact* workload(std::string_view group, std::string_view kind, std::string_view name_space,
                                                     std::string_view name) const = 0;
  // The autoscaler that scales this workload; null when none is known.
  [[nodiscard]] virtual const AutoscalerFact* autoscaler_of(std::string_view group, std::string_view kind, std::string_view name_space,
                                                            std::string_view name) const = 0;
  // The tenant's budgets; `entry` is "" for the tenant's own, else the name or `prefix*` of an entry of its namespaces.
  // Empty when there is none.
  [[nodiscard]] virtual std::vector<BudgetFact> budgets(std::string_view tenant, std::string_view entry) const = 0;
};

}  // namespace portcullis::policy
