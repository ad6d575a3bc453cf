#include "cli/file_facts.hpp"

#include <utility>

#include "policy/document/budget.hpp"
#include "policy/object/group.hpp"
#include "policy/object/read_facts.hpp"
#include "policy/object/usage.hpp"

namespace portcullis::cli {

using policy::FactKind;

FileFacts::FileFacts(const policy::PolicySnapshot& snapshot, std::string name_space, Instant now)
    : snapshot_(snapshot), name_space_(std::move(name_space)), now_(now) {}

void FileFacts::learn(const Manifests& manifests) {
  for (const Manifest& object : manifests.objects) {
    is_given_ = true;
    read(object, true);
  }
  sum_up();
}

void FileFacts::learn_judged(const Manifests& manifests) {
  for (const Manifest& object : manifests.objects) read(object, false);
  sum_up();
}

void FileFacts::read(const Manifest& object, bool counts) {
  const std::string_view group = policy::canonical_group(object.group(), object.kind);
  const bool in_namespace = !is_cluster_scoped(object.kind, object.group());
  const std::string at = !in_namespace ? "" : object.name_space.empty() ? name_space_ : object.name_space;
  const Key key{std::string(group), object.kind, at, object.name};
  // An object that is judged and known is one object: what it uses is asked for.
  if (!counts) used_.erase(key);
  const Result<policy::Tree> tree = policy::Tree::parse_copy(policy::yaml::to_json(*object.node));
  if (!tree) return;  // one that is judged says so itself; another is beyond what a rule would look at
  const policy::Value root = tree->root();
  if (object.kind == "Namespace" && group.empty()) namespaces_.insert_or_assign(object.name, policy::read_namespace_fact(root));
  if (object.kind == "HorizontalPodAutoscaler" && group == "autoscaling") {
    policy::AutoscalerFact fact = policy::read_autoscaler_fact(root);
    fact.name_space = at;
    Key target{fact.target_group, fact.target_kind, at, fact.target_name};
    autoscalers_.insert_or_assign(std::move(target), std::move(fact));
  }
  if (auto fact = policy::read_workload_fact(root, group, object.version(), object.kind, snapshot_.documents().platform.workload_kinds)) {
    fact->name_space = at;
    workloads_.insert_or_assign(key, *std::move(fact));
  }
  if (counts && in_namespace)
    used_.insert_or_assign(key, Used{at, policy::usage_of(root, resource_of(object.kind), group, now_, policy::PodDefaults::applied)});
}

void FileFacts::sum_up() {
  units_.clear();
  for (const auto& [key, used] : used_) {
    const auto owner = snapshot_.owner_of(used.name_space);
    if (!owner) continue;
    for (const policy::Amount& amount : policy::budget_amounts(*owner.tenant, *owner.name_space, used.usage))
      units_[owner.tenant->name][amount.resource] += amount.units;
  }
}

void FileFacts::add(const policy::Charge& charge) {
  for (const policy::Amount& amount : charge.added) units_[charge.tenant][amount.resource] += amount.units;
}

bool FileFacts::knows(FactKind kind) const { return is_given_ || kind == FactKind::autoscalers; }

const policy::NamespaceFact* FileFacts::name_space(std::string_view name) const {
  const auto found = namespaces_.find(name);
  return found == namespaces_.end() ? nullptr : &found->second;
}

const policy::WorkloadFact* FileFacts::workload(std::string_view group, std::string_view kind, std::string_view name_space,
                                                std::string_view name) const {
  const auto found = workloads_.find(Key{group, kind, name_space, name});
  return found == workloads_.end() ? nullptr : &found->second;
}

const policy::AutoscalerFact* FileFacts::autoscaler_of(std::string_view group, std::string_view kind, std::string_view name_space,
                                                       std::string_view name) const {
  const auto found = autoscalers_.find(Key{group, kind, name_space, name});
  return found == autoscalers_.end() ? nullptr : &found->second;
}

std::vector<policy::BudgetFact> FileFacts::budgets(std::string_view tenant, std::string_view entry) const {
  std::vector<policy::BudgetFact> facts;
  const auto units = units_.find(tenant);
  for (const policy::Tenant& each : snapshot_.documents().tenants) {
    if (each.name != tenant) continue;
    for (const policy::Amount& hard : policy::budget_limits(each)) {
      const policy::Dimension dimension = policy::split_dimension(hard.resource);
      if (dimension.entry != entry) continue;
      policy::BudgetFact fact{std::string(dimension.resource), hard.units, 0, 0};
      if (units != units_.end())
        if (const auto used = units->second.find(hard.resource); used != units->second.end()) fact.used = used->second;
      facts.push_back(std::move(fact));
    }
  }
  return facts;
}

}  // namespace portcullis::cli
