#include "policy/object/subject.hpp"

#include <string>

#include "policy/document/documents.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

const char* const one_container = "{containers: [{name: a, image: odoo}]}";

std::string template_path(const ObjectView& view) {
  if (view.templates.empty()) return "none";
  return std::string(view.templates[0].spec ? view.templates[0].spec.path() : "no spec") + " " +
         std::to_string(view.templates[0].containers.size());
}

}  // namespace

TEST_CASE("the pod template of every workload kind is found (threats 11)", "[policy][subject]") {
  for (const std::string_view kind : workload_kind_names()) {
    DYNAMIC_SECTION(kind) {
      const std::string manifest = workload(kind, one_container);
      World world;
      world.operation = Operation::update;
      world.old = manifest;
      const Given given(manifest, world);
      CHECK(template_path(given.subject.object) == pod_spec_path(kind) + " 1");
      CHECK(template_path(given.subject.old_object) == pod_spec_path(kind) + " 1");
      CHECK(given.subject.object.templates[0].labels["app"].text() == "web");
      CHECK(given.subject.object.metadata["name"].text() == "web");
    }
  }
}

TEST_CASE("kinds by group, older names and custom resources", "[policy][subject]") {
  World world;
  world.workload_kinds = {{"argoproj.io", "v1alpha1", "Rollout", {"spec", "template"}, {"spec", "replicas"}},
                          {"acme.example", "v1", "Task", {"spec", "pod"}, {}},
                          {"acme.example", "v2", "Task", {"spec", "job", "pod"}, {}}};
  struct Case {
    const char *name, *manifest, *path;
    bool scalable;
  };
  const Case cases[] = {
      {"extensions/v1beta1 Deployment (threats 45)",
       "{apiVersion: extensions/v1beta1, kind: Deployment, spec: {template: {spec: {containers: [{name: a}]}}}}", "spec.template.spec 1",
       true},
      {"batch/v1beta1 CronJob",
       "{apiVersion: batch/v1beta1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a}]}}}}}}",
       "spec.jobTemplate.spec.template.spec 1", false},
      {"a Deployment of another group", "{apiVersion: acme.example/v1, kind: Deployment, spec: {template: {spec: {containers: [{}]}}}}",
       "none", false},
      {"Rollout", "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {replicas: 2, template: {spec: {containers: [{name: a}]}}}}",
       "spec.template.spec 1", true},
      {"Rollout by reference (threats 12)", "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {workloadRef: {name: x}}}", "none",
       true},
      {"a version of its own", "{apiVersion: acme.example/v2, kind: Task, spec: {job: {pod: {spec: {containers: [{name: a}]}}}}}",
       "spec.job.pod.spec 1", false},
      {"a version nobody listed", "{apiVersion: acme.example/v3, kind: Task, spec: {pod: {spec: {containers: [{name: a}]}}}}",
       "spec.pod.spec 1", false},
      {"ConfigMap", "{apiVersion: v1, kind: ConfigMap, data: {a: b}}", "none", false},
      {"StatefulSet", "{apiVersion: apps/v1, kind: StatefulSet, spec: {template: {spec: {containers: [{name: a}]}}}}",
       "spec.template.spec 1", true},
      {"a Deployment without template", "{apiVersion: apps/v1, kind: Deployment, spec: {}}", "no spec 0", true},
      {"a Deployment without spec", "{apiVersion: apps/v1, kind: Deployment}", "no spec 0", true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Given given(c.manifest, world);
      CHECK(template_path(given.subject.object) == c.path);
      CHECK(is_scalable(given.subject, world.workload_kinds) == c.scalable);
    }
  }
}

TEST_CASE("a wrong type on the way to the template is seen (threats 32)", "[policy][subject]") {
  struct Case {
    const char *manifest, *misplaced;
  };
  const Case cases[] = {
      {"{apiVersion: apps/v1, kind: Deployment, spec: x}", "spec"},
      {"{apiVersion: apps/v1, kind: Deployment, spec: {template: [1]}}", "spec.template"},
      {"{apiVersion: batch/v1, kind: CronJob, spec: []}", "spec"},
      {"{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: x}}", "spec.jobTemplate"},
      {"{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: x}}}", "spec.jobTemplate.spec"},
      {"{apiVersion: v1, kind: PodTemplate, template: 5}", "template"},
      {"{apiVersion: v1, kind: Pod, spec: x}", "spec"},
      {"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: x}", "spec"},
  };
  World world;
  world.workload_kinds = {{"argoproj.io", "v1alpha1", "Rollout", {"spec", "template"}, {"spec", "replicas"}}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.manifest) {
      const Given given(c.manifest, world);
      REQUIRE(given.subject.object.templates.size() == 1);
      REQUIRE(given.subject.object.templates[0].misplaced);
      CHECK(given.subject.object.templates[0].misplaced.path() == c.misplaced);
    }
  }
}

TEST_CASE("a subject used again keeps nothing but memory", "[policy][subject]") {
  const Tree first =
      tree_of(workload("Deployment", "{containers: [{name: a}, {name: b}], volumes: []}", "{labels: {app: web}}", "replicas: 3, "));
  const Tree second = tree_of("{apiVersion: v1, kind: ConfigMap}");
  Subject subject;
  subject.group = "apps", subject.version = "v1", subject.kind = "Deployment";
  subject.object.root = first.root();
  read_object(subject, {});
  REQUIRE(subject.object.templates.size() == 1);
  CHECK(subject.object.replicas.integer() == 3);
  const Container* const memory = subject.object.templates[0].containers.data();

  subject.clear();
  CHECK_FALSE(subject.object.root);
  subject.kind = "ConfigMap", subject.version = "v1";
  subject.object.root = second.root();
  read_object(subject, {});
  CHECK(subject.object.templates.empty());
  CHECK_FALSE(subject.object.replicas);

  subject.clear();
  subject.group = "apps", subject.version = "v1", subject.kind = "Deployment";
  subject.object.root = first.root();
  read_object(subject, {});
  REQUIRE(subject.object.templates.size() == 1);
  CHECK(subject.object.templates[0].containers.data() == memory);
}

TEST_CASE("a Scale carries the replicas it asks for (threats 9)", "[policy][subject]") {
  World world;
  world.resource = "deployments", world.subresource = "scale";
  const Given given("{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web}, spec: {replicas: 5}}", world);
  CHECK(given.subject.object.replicas.integer() == 5);
  CHECK(given.subject.object.templates.empty());
}
