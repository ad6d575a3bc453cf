// What a rule mends passes that rule afterwards, keeps all the author wrote, and is not mended twice (threats A73).
#include <nlohmann/json.hpp>
#include <string>

#include "policy/object/to_json.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;
using nlohmann::json;

namespace {

// Every member and item of `before` that is not null is in `after` with the same value; lists may have grown at their end.
bool keeps(const json& before, const json& after) {
  if (before.is_null()) return true;
  if (before.is_object()) {
    if (!after.is_object()) return false;
    for (const auto& [key, value] : before.items())
      if (!value.is_null() && (!after.contains(key) || !keeps(value, after[key]))) return false;
    return true;
  }
  if (before.is_array()) {
    if (!after.is_array() || after.size() < before.size()) return false;
    for (std::size_t i = 0; i < before.size(); ++i)
      if (!keeps(before[i], after[i])) return false;
    return true;
  }
  return before == after;
}

}  // namespace

TEST_CASE("what is mended passes, keeps what was there and stays as it is", "[policy][rule][mend]") {
  struct Case {
    const char *id, *with;
  };
  const Case rules[] = {{"container-bounds", "{defaults: {requests.cpu: 250m, requests.memory: 512Mi, limits.memory: 1Gi}}"},
                        {"anti-affinity", "{}"},
                        {"anti-affinity", "{topologyKey: topology.kubernetes.io/zone, accept: [spread]}"}};
  const char* const specs[] = {
      "{containers: [{name: a}]}",
      "{initContainers: [{name: i}, {name: s, restartPolicy: Always}], containers: [{name: a, resources: null}, {name: b, resources: {}}]}",
      "{containers: [{name: a, resources: {requests: null, limits: {memory: null, cpu: 2}}}], affinity: null}",
      "{containers: [{name: a, resources: {requests: {memory: 100Mi}}}], affinity: {nodeAffinity: {}, podAntiAffinity: null}}",
      "{containers: [{name: a, resources: {limits: {memory: 2Gi}}}], affinity: {podAntiAffinity: "
      "{preferredDuringSchedulingIgnoredDuringExecution: "
      "[{weight: 1}]}}}",
      "{containers: [{name: a}], affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: rack, "
      "labelSelector: "
      "{}}]}}}",
  };
  std::size_t patched = 0;
  for (const Case& each : rules) {
    const RulePtr rule = compile(each.id, each.with);
    for (const std::string_view kind : workload_kind_names()) {
      for (const char* spec : specs) {
        const std::string manifest = workload(kind, spec);
        CAPTURE(each.id, each.with, manifest);
        const json before = json::parse(to_json(tree_of(manifest).root()));
        const json patch = json::parse(mended(*rule, manifest));
        const json after = before.patch(patch);
        CHECK(keeps(before, after));
        CHECK(judge(*rule, after.dump()) == "");
        CHECK(mended(*rule, after.dump()) == "[]");
        patched += patch.empty() ? 0 : 1;
      }
    }
  }
  CHECK(patched > 100);
}
