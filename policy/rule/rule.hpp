// A rule: one question asked of every object. Compile once from its parameters, evaluate often.
// evaluate() only compares; it allocates when it finds something, never when all is well. It knows neither modes, tenants'
// exceptions nor "must not get worse": those are the engine's.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/document/documents.hpp"
#include "policy/document/params.hpp"
#include "policy/object/charge.hpp"
#include "policy/object/cluster_facts.hpp"
#include "policy/object/subject.hpp"
#include "policy/rule/findings.hpp"

namespace portcullis::policy {

// All else a rule may know of the judged object.
struct Facts {
  std::string_view tenant;       // "" where no tenant owns the namespace
  std::string_view environment;  // "" likewise
  std::span<const WorkloadKind> workload_kinds;
  const Tenant* owner = nullptr;           // who owns the namespace, and by which entry of its own
  const TenantNamespace* entry = nullptr;  // null both where nobody does
  bool is_controller = false;              // a controller's write, known by userInfo alone
  Instant now{};                           // of this judging
  const ClusterFacts* cluster = nullptr;   // null where there is no cluster and no file of facts: known() answers
  FactKinds* unknown = nullptr;            // where known() notes what it could not answer

  // The cluster's facts of a kind, or null. Where a cluster is there but its facts are not known yet or too old, that is noted,
  // what the rule found does not count, and the policy's failure mode decides. Where there is no cluster at all, the rule judges
  // without them.
  [[nodiscard]] const ClusterFacts* known(FactKind kind) const {
    if (!cluster || cluster->knows(kind)) return cluster;
    miss(kind);
    return nullptr;
  }
  // The facts of this kind are there, but lack what cannot be missing: they have not caught up.
  void miss(FactKind kind) const {
    if (unknown) unknown->add(kind);
  }
};

class Rule {
 public:
  virtual ~Rule() = default;
  virtual void evaluate(const Subject& subject, const Facts& facts, Findings& findings) const = 0;
  // Appends the JSON Patch operations that mend what it finds; only what is absent, never over what the author wrote.
  virtual void mend(const Subject& subject, const Facts& facts, Patch& patch) const;
  // What the write would add to budgets, if it must be asked for; only of rules whose RuleInfo says `charges`. None when there is
  // nothing to ask.
  [[nodiscard]] virtual std::optional<Charge> charge(const Subject& subject, const Facts& facts) const;
  // What is wrong with the write, given the answer to its charge.
  virtual void answer(const Subject& subject, const Facts& facts, const Charge& charge, const ChargeOutcome& outcome,
                      Findings& findings) const;
};
using RulePtr = std::unique_ptr<const Rule>;

// A manifest that the doc page shows and the tests run.
struct Example {
  std::string_view with;     // parameters as YAML flow: "{min: 2}"
  std::string_view allowed;  // a manifest without a finding
  std::string_view denied;   // a manifest with at least one
};

struct RuleInfo {
  std::string_view id;
  std::string_view summary;                    // one sentence
  std::string_view why;                        // the business harm it prevents
  std::vector<std::string_view> kinds;         // `Kind.group` or `Kind` of the core group; empty: workloads; {"*"}: every kind
  std::vector<std::string_view> subresources;  // besides the object itself
  std::vector<Operation> operations{Operation::create, Operation::update};
  std::vector<ParamInfo> params;
  bool judges_controllers = true;  // false: controllers' writes are left alone
  bool mends = false;
  bool charges = false;  // it has a charge() and an answer()
  FactKinds facts{};     // what it asks of a cluster; without one it judges alone
  Example example;
  std::string_view since;  // version
  Result<RulePtr> (*compile)(const Params& params);
};

// All rules in the order of rules.def.
std::span<const RuleInfo* const> all_rules();
const RuleInfo* find_rule(std::string_view id);  // null when unknown
std::vector<std::string_view> rule_ids();
std::string rule_id_list();  // "anti-affinity, container-bounds, ..." for messages

}  // namespace portcullis::policy
