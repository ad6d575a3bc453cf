// Cluster facts as a test says them.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "policy/object/cluster_facts.hpp"

namespace portcullis::policy::testing {

class KnownFacts final : public ClusterFacts {
 public:
  FactKinds unknown;  // kinds that are not known
  std::vector<NamespaceFact> namespaces;
  std::deque<WorkloadFact> workloads;  // references stay good
  std::vector<AutoscalerFact> autoscalers;
  std::map<std::string, std::vector<BudgetFact>> all_budgets;  // by entry, "" for the tenant's own

  [[nodiscard]] bool knows(FactKind kind) const override { return !unknown.has(kind); }
  [[nodiscard]] const NamespaceFact* name_space(std::string_view name) const override {
    for (const NamespaceFact& each : namespaces)
      if (each.name == name) return &each;
    return nullptr;
  }
  [[nodiscard]] const WorkloadFact* workload(std::string_view group, std::string_view kind, std::string_view name_space,
                                             std::string_view name) const override {
    for (const WorkloadFact& each : workloads)
      if (each.group == group && each.kind == kind && each.name_space == name_space && each.name == name) return &each;
    return nullptr;
  }
  [[nodiscard]] const AutoscalerFact* autoscaler_of(std::string_view group, std::string_view kind, std::string_view name_space,
                                                    std::string_view name) const override {
    for (const AutoscalerFact& each : autoscalers)
      if (each.target_group == group && each.target_kind == kind && each.name_space == name_space && each.target_name == name) return &each;
    return nullptr;
  }
  [[nodiscard]] std::vector<BudgetFact> budgets(std::string_view, std::string_view entry) const override {
    const auto found = all_budgets.find(std::string(entry));
    return found == all_budgets.end() ? std::vector<BudgetFact>{} : found->second;
  }
};

}  // namespace portcullis::policy::testing
