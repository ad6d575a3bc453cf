// Documents -> PolicySnapshot, immutable; Subject -> Decision, pure. Judging allocates nothing when all is well.
//
// Which policies bind: every given part of `match` must hold. The same rule with the same parameters is judged once and
// reported for each policy with that policy's mode; the strictest decides. An UPDATE that leaves an old flaw untouched and
// does not multiply it is let through with a warning; an object being deleted may only lose finalizers.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "policy/decision.hpp"
#include "policy/document/documents.hpp"
#include "policy/object/cluster_facts.hpp"
#include "policy/object/subject.hpp"

namespace portcullis::policy {

class PolicySnapshot {
 public:
  // Compiles every rule of every policy. Errors: all that the rules refuse, in the order of files and lines.
  static tl::expected<std::shared_ptr<const PolicySnapshot>, std::vector<Error>> compile(DocumentSet documents);
  ~PolicySnapshot();
  PolicySnapshot(const PolicySnapshot&) = delete;
  PolicySnapshot& operator=(const PolicySnapshot&) = delete;

  [[nodiscard]] const DocumentSet& documents() const;
  [[nodiscard]] std::string_view hash() const;  // "sha256:<hex>" of the documents

  // Judges into `decision` (cleared first). `now` decides which exceptions hold. `scratch` keeps memory between calls; one a
  // thread. `facts` is what the cluster (or --facts) holds besides; null where there is none.
  //
  // A write that draws on a budget leaves `decision.charge`: the decision holds only when the ledger has been asked and the same
  // write judged again with its `outcome`. Where nothing is asked for, or the ledger is not to be asked (dry runs with facts,
  // policies that only warn), budgets are judged by the facts.
  class Scratch;
  void judge(const Subject& subject, Instant now, Scratch& scratch, Decision& decision, const ClusterFacts* facts = nullptr,
             const ChargeOutcome* outcome = nullptr) const;
  // The patch of all binding rules with `inject: true`.
  void mend(const Subject& subject, Instant now, Scratch& scratch, Patch& patch) const;

  struct NamespaceOwner {
    const Tenant* tenant = nullptr;
    const TenantNamespace* name_space = nullptr;
    int tier = 0;
    explicit operator bool() const { return tenant != nullptr; }
  };
  // Exact names before patterns, the longest pattern first.
  [[nodiscard]] NamespaceOwner owner_of(std::string_view name_space) const;
  // What the rules of these documents ask of a cluster, and what following owners and workloads takes.
  [[nodiscard]] FactKinds facts_wanted() const;
  // Policies that bind only for certain groups of users: without a known user they cannot be judged.
  [[nodiscard]] std::vector<const Policy*> policies_by_group() const;
  [[nodiscard]] bool is_system_namespace(std::string_view name_space) const;
  // A controller's write, known by userInfo alone (design/rules.md).
  [[nodiscard]] bool is_controller(const User& user) const;

 private:
  struct Impl;
  explicit PolicySnapshot(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Memory of one thread's judging; its content means nothing between calls.
class PolicySnapshot::Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  friend class PolicySnapshot;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::policy
