#include "kube/cluster_snapshot.hpp"

#include <algorithm>

namespace portcullis::kube {

using policy::FactKind;

bool ClusterSnapshot::knows(FactKind kind, Clock::time_point now) const {
  const auto known = [&](const Sight& sight) { return sight.synced && now - sight.progress <= age_max_; };
  switch (kind) {
    case FactKind::namespaces:
      return known(namespaces_sight);
    case FactKind::workloads:
      return !workloads.empty() &&
             std::all_of(workloads.begin(), workloads.end(), [&](const Workloads& each) { return known(each.sight); });
    case FactKind::autoscalers:
      return known(autoscalers_sight);
    case FactKind::budgets:
      return budget_table && known(budgets_sight);
  }
  return false;
}

const policy::NamespaceFact* ClusterSnapshot::name_space(std::string_view name) const {
  return namespaces ? namespaces->find({name}) : nullptr;
}

const policy::WorkloadFact* ClusterSnapshot::workload(std::string_view group, std::string_view kind, std::string_view name_space,
                                                      std::string_view name) const {
  for (const Workloads& each : workloads)
    if (each.kind == kind && each.group == group) return each.table ? each.table->find({name_space, name}) : nullptr;
  return nullptr;
}

const policy::AutoscalerFact* ClusterSnapshot::autoscaler_of(std::string_view group, std::string_view kind, std::string_view name_space,
                                                             std::string_view name) const {
  if (!autoscalers) return nullptr;
  return autoscalers->find_from(
      {name_space, ""}, [&](const policy::AutoscalerFact& fact) { return fact.name_space == name_space; },
      [&](const policy::AutoscalerFact& fact) {
        return fact.target_name == name && fact.target_kind == kind && fact.target_group == group;
      });
}

std::vector<policy::BudgetFact> ClusterSnapshot::budgets(std::string_view tenant, std::string_view entry) const {
  if (!budget_table) return {};
  const auto found = budget_table->find({std::string(tenant), std::string(entry)});
  return found == budget_table->end() ? std::vector<policy::BudgetFact>{} : found->second;
}

}  // namespace portcullis::kube
