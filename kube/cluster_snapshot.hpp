// The cluster's facts at one moment: immutable, swapped whole. Answers what rules ask (policy::ClusterFacts) and nothing else;
// objects' JSON is not kept, only the fields asked for.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "kube/digest.hpp"
#include "kube/table.hpp"
#include "policy/object/cluster_facts.hpp"

namespace portcullis::kube {

struct NamespaceKey {
  std::string_view name;
  [[nodiscard]] std::string_view shard_by() const { return name; }
  static NamespaceKey of(const policy::NamespaceFact& fact) { return {fact.name}; }
  auto operator<=>(const NamespaceKey&) const = default;  // NOLINT(modernize-use-nullptr): of the literal 0 it compares with
};

struct NamespacedKey {
  std::string_view name_space, name;
  // One namespace's objects stand together, so that they can be gone through.
  [[nodiscard]] std::string_view shard_by() const { return name_space; }
  static NamespacedKey of(const policy::WorkloadFact& fact) { return {fact.name_space, fact.name}; }
  static NamespacedKey of(const policy::AutoscalerFact& fact) { return {fact.name_space, fact.name}; }
  auto operator<=>(const NamespacedKey&) const = default;  // NOLINT(modernize-use-nullptr): of the literal 0 it compares with
};

using NamespaceTable = Table<Marked<policy::NamespaceFact>, NamespaceKey>;
using WorkloadTable = Table<Marked<policy::WorkloadFact>, NamespacedKey>;
using AutoscalerTable = Table<Marked<policy::AutoscalerFact>, NamespacedKey>;

// Budgets by tenant and entry ("" for the tenant's own).
using BudgetTable = std::map<std::pair<std::string, std::string>, std::vector<policy::BudgetFact>>;

// How far one resource's facts go. A resource that was never whole is not known.
struct Sight {
  bool synced = false;
  Clock::time_point progress{};  // all there was at this time is in the snapshot
};

class ClusterSnapshot final : public policy::ClusterFacts {
 public:
  // Workloads of one kind.
  struct Workloads {
    std::string group, kind;
    Sight sight;
    std::shared_ptr<const WorkloadTable> table;
  };

  explicit ClusterSnapshot(Clock::duration age_max) : age_max_(age_max) {}

  // Asks the clock: facts grow old while nobody publishes.
  [[nodiscard]] bool knows(policy::FactKind kind) const override { return knows(kind, Clock::now()); }
  [[nodiscard]] bool knows(policy::FactKind kind, Clock::time_point now) const;
  [[nodiscard]] const policy::NamespaceFact* name_space(std::string_view name) const override;
  [[nodiscard]] const policy::WorkloadFact* workload(std::string_view group, std::string_view kind, std::string_view name_space,
                                                     std::string_view name) const override;
  [[nodiscard]] const policy::AutoscalerFact* autoscaler_of(std::string_view group, std::string_view kind, std::string_view name_space,
                                                            std::string_view name) const override;
  [[nodiscard]] std::vector<policy::BudgetFact> budgets(std::string_view tenant, std::string_view entry) const override;

  // For who builds it; a published one is const.
  Sight namespaces_sight, autoscalers_sight, budgets_sight;
  std::shared_ptr<const NamespaceTable> namespaces;
  std::shared_ptr<const AutoscalerTable> autoscalers;
  std::vector<Workloads> workloads;  // of every kind wanted
  std::shared_ptr<const BudgetTable> budget_table;

 private:
  Clock::duration age_max_;
};

}  // namespace portcullis::kube
