// What the tests of rules speak in: a manifest in YAML, a rule with its parameters as documents write them, and the findings
// as the text a person would read.
//
//   const RulePtr rule = compile("replica-floor", "{min: 2}");
//   CHECK(judge(*rule, "{kind: Deployment, apiVersion: apps/v1, ...}") == "spec.replicas: found 1, want at least 2");
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/object/subject.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::testing {

// How the write came and what is known of its namespace.
struct World {
  std::string tenant = "acme", environment = "production", name_space = "acme-prod";
  Operation operation = Operation::create;
  std::string resource, subresource;  // resource "": guessed from the kind
  std::string old;                    // a manifest: the old object of UPDATE and DELETE
  std::string user = "alice@acme.example";
  std::vector<std::string> groups{"system:authenticated"};
  std::vector<WorkloadKind> workload_kinds;
  std::map<std::string, std::string> budget{{"pods", "180"}, {"requests.cpu", "40"}};  // of the tenant
  std::map<std::string, std::string> entry_budget;                                     // of its namespaces acme-*
  const ClusterFacts* cluster = nullptr;
};

// A manifest (YAML, or JSON) read as the webhook would read it; owns everything `subject` and `facts` view. Fails the test
// when the manifest cannot be read. Of a DELETE the manifest is the old object.
class Given {
 public:
  explicit Given(std::string_view manifest, World world = {});
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
  Subject subject;
  Facts facts;

 private:
  World world_;
  Tenant tenant_;
  Tree tree_, old_tree_;
  std::string group_, version_, kind_, resource_, name_, generate_name_;
};

// One YAML document as the tree of values that rules read; text that begins with {" is taken for JSON and keeps its numbers as
// written, where YAML turns 3.0 into 3 as kubectl does.
Tree tree_of(std::string_view text);

// The rule with parameters in YAML flow ("{min: 2}", "{}"); fails the test when it is refused.
RulePtr compile(std::string_view id, std::string_view with);
// The refusals of such parameters, one a line, without their places; "" when they are taken.
std::string refusal(std::string_view id, std::string_view with);

// "where: found X, want Y", one finding a line, in the rule's order; "" when all is well.
std::string judge(const Rule& rule, std::string_view manifest, const World& world = {});

// A finding with its nodes as paths, since the tree is gone.
struct Told {
  std::string what, where, found, wanted, fix, at, scope;
};
std::vector<Told> findings(const Rule& rule, std::string_view manifest, const World& world = {});
// Every word of all findings (what, where, found, wanted, fix): for canaries.
std::string all_words(const Rule& rule, std::string_view manifest, const World& world = {});

// The JSON Patch that the rule proposes, "[]" for none.
std::string mended(const Rule& rule, std::string_view manifest, const World& world = {});

// Every kind that holds a pod template, and a manifest of it around a PodSpec and the template's metadata (both YAML flow):
// what holds for one kind holds for all.
const std::vector<std::string_view>& workload_kind_names();
std::string workload(std::string_view kind, std::string_view pod_spec, std::string_view metadata = "{labels: {app: web}}",
                     std::string_view spec_fields = "");  // spec_fields: "replicas: 3, "
// Where that manifest's PodSpec stands: "spec.template.spec".
std::string pod_spec_path(std::string_view kind);

}  // namespace portcullis::policy::testing
