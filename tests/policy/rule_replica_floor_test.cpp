#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

std::string scaled(std::string_view kind, std::string_view replicas) {
  return workload(kind, "{containers: [{name: a}]}", "{labels: {app: web}}", replicas);
}

}  // namespace

TEST_CASE("replica-floor", "[policy][rule]") {
  const RulePtr rule = compile("replica-floor", "{min: 2}");
  struct Case {
    const char *name, *replicas, *finding;  // "" when allowed
  };
  const Case cases[] = {
      {"at the floor", "replicas: 2, ", ""},
      {"above it", "replicas: 100, ", ""},
      {"below it", "replicas: 1, ", "spec.replicas: found 1, want at least 2"},
      {"absent means one", "", "spec.replicas: found 1, want at least 2"},
      {"null means one (threats 30)", "replicas: null, ", "spec.replicas: found 1, want at least 2"},
      {"switched off", "replicas: 0, ", ""},
      {"negative", "replicas: -1, ", "spec.replicas: found -1, want at least 2"},
      {"a string (threats 33)", "replicas: '2', ", "spec.replicas: found `2`, want an integer, at least 2"},
      {"an object", "replicas: {}, ", "spec.replicas: found an object, want an integer, at least 2"},
  };
  for (const Case& c : cases) {
    for (const char* kind : {"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"}) {
      DYNAMIC_SECTION(c.name << " in " << kind) { CHECK(judge(*rule, scaled(kind, c.replicas)) == c.finding); }
    }
  }
  SECTION("numbers as a custom resource may hold them (threats 33, 34)") {
    const auto numbered = [&](std::string_view number) {
      return judge(*rule, R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":)" + std::string(number) + "}}");
    };
    CHECK(numbered("3") == "");
    CHECK(numbered("3.0") == "spec.replicas: found `3.0`, want an integer, at least 2");
    CHECK(numbered("1e1") == "spec.replicas: found `1e1`, want an integer, at least 2");
    CHECK(numbered("99999999999999999999") == "spec.replicas: found `99999999999999999999`, want an integer, at least 2");
  }
  for (const char* kind : {"Pod", "DaemonSet", "Job", "CronJob", "PodTemplate"}) {
    DYNAMIC_SECTION("no floor for " << kind) { CHECK(judge(*rule, scaled(kind, "")) == ""); }
  }
}

TEST_CASE("replica-floor on scale, update and custom resources", "[policy][rule]") {
  const RulePtr rule = compile("replica-floor", "{min: 3}");
  World world;
  SECTION("an UPDATE is judged by what is wanted now") {
    world.operation = Operation::update;
    world.old = scaled("Deployment", "replicas: 3, ");
    CHECK(judge(*rule, scaled("Deployment", "replicas: 2, "), world) == "spec.replicas: found 2, want at least 3");
  }
  SECTION("a Scale is judged by its own replicas (threats 9)") {
    world.operation = Operation::update;
    world.resource = "deployments", world.subresource = "scale";
    const std::string head = "{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: acme-prod}, ";
    CHECK(judge(*rule, head + "spec: {replicas: 2}}", world) == "spec.replicas: found 2, want at least 3");
    CHECK(judge(*rule, head + "spec: {replicas: 3}}", world) == "");
    CHECK(judge(*rule, head + "spec: {replicas: 0}}", world) == "");
    CHECK(judge(*rule, head + "spec: {}}", world) == "");  // zero is left out there
  }
  SECTION("a custom resource where the platform says") {
    world.workload_kinds = {{"argoproj.io", "v1alpha1", "Rollout", {"spec", "template"}, {"spec", "size"}},
                            {"acme.example", "v1", "Task", {"spec", "template"}, {}}};
    CHECK(judge(*rule, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {size: 2}}", world) ==
          "spec.size: found 2, want at least 3");
    CHECK(judge(*rule, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {size: 3}}", world) == "");
    CHECK(judge(*rule, "{apiVersion: acme.example/v1, kind: Task, spec: {replicas: 1}}", world) == "");
  }
  SECTION("what the finding points at") {
    const auto told = findings(*rule, scaled("Deployment", "replicas: 1, "));
    REQUIRE(told.size() == 1);
    CHECK(told[0].what == "too few replicas");
    CHECK(told[0].fix == "set it to 3 or more, or move the workload to a tier without this floor");
    CHECK(told[0].at == "spec.replicas");
    CHECK(findings(*rule, scaled("Deployment", ""))[0].at == "spec");
  }
}

TEST_CASE("replica-floor refuses params", "[policy][rule]") {
  CHECK(refusal("replica-floor", "{min: 2}") == "");
  for (const char* with : {"{}", "{min: 1}", "{min: 101}", "{min: two}", "{min: 2, max: 3}"}) {
    CAPTURE(with);
    CHECK(refusal("replica-floor", with) != "");
  }
}
