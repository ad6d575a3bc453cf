// The facts of a cluster as files tell them: manifests given with --facts, and the judged objects themselves. Usage of budgets
// is what the objects of --facts use; what is judged on its way to the cluster is added as it passes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/clock.hpp"
#include "cli/manifests.hpp"
#include "policy/engine.hpp"
#include "policy/object/charge.hpp"
#include "policy/object/cluster_facts.hpp"

namespace portcullis::cli {

class FileFacts final : public policy::ClusterFacts {
 public:
  // `name_space` is that of objects which name none; `documents` say whose budgets there are.
  FileFacts(const policy::PolicySnapshot& snapshot, std::string name_space, Instant now);

  // Objects that the cluster holds. With them the usage of budgets and the owners are known.
  void learn(const Manifests& manifests);
  // Objects to be judged: known like the others, but their own use of a budget is asked for, not known.
  void learn_judged(const Manifests& manifests);
  // What a judged object adds, once it may pass.
  void add(const policy::Charge& charge);

  [[nodiscard]] bool knows(policy::FactKind kind) const override;
  [[nodiscard]] const policy::NamespaceFact* name_space(std::string_view name) const override;
  [[nodiscard]] const policy::WorkloadFact* workload(std::string_view group, std::string_view kind, std::string_view name_space,
                                                     std::string_view name) const override;
  [[nodiscard]] const policy::AutoscalerFact* autoscaler_of(std::string_view group, std::string_view kind, std::string_view name_space,
                                                            std::string_view name) const override;
  [[nodiscard]] std::vector<policy::BudgetFact> budgets(std::string_view tenant, std::string_view entry) const override;

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::string>;  // group, kind, namespace, name
  struct Used {
    std::string name_space;
    policy::Usage usage;
  };
  void read(const Manifest& object, bool counts);
  void sum_up();

  const policy::PolicySnapshot& snapshot_;
  std::string name_space_;
  Instant now_;
  bool is_given_ = false;  // files of facts were
  std::map<std::string, policy::NamespaceFact, std::less<>> namespaces_;
  std::map<Key, policy::WorkloadFact> workloads_;
  std::map<Key, policy::AutoscalerFact> autoscalers_;  // by their target
  std::map<Key, Used> used_;
  std::map<std::string, std::map<std::string, std::int64_t>, std::less<>> units_;  // by tenant and dimension
};

}  // namespace portcullis::cli
