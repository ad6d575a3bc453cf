#include "policy/object/pod_template.hpp"

#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using portcullis::policy::testing::tree_of;

namespace {

std::string listed(const PodTemplate& pod) {
  std::string text;
  for (const Container& container : pod.containers) {
    const char* kinds[] = {"init", "sidecar", "main", "ephemeral"};
    text += (text.empty() ? "" : " ") + std::string(kinds[static_cast<int>(container.kind)]) + ":" +
            (container.well_formed ? std::string(container.name.text()) : "?");
  }
  return text;
}

}  // namespace

TEST_CASE("a pod template shows containers of all sorts (threats 3, 4)", "[policy][template]") {
  const Tree tree = tree_of(R"(
metadata: {labels: {app: web}, annotations: {a: b}}
spec:
  restartPolicy: Always
  initContainers:
    - {name: migrate, image: odoo:17}
    - {name: proxy, restartPolicy: Always, image: "corp/proxy"}
  containers:
    - {name: web, image: "registry.corp/odoo@sha256:zz", resources: {}, env: [], envFrom: [], command: [a], args: [b], restartPolicy: Always}
  ephemeralContainers: [{name: debug}]
  volumes: []
  affinity: {}
  topologySpreadConstraints: []
  resources: {limits: {}}
)");
  PodTemplate pod;
  read_pod_template(tree.root(), pod);
  CHECK(listed(pod) == "init:migrate sidecar:proxy main:web ephemeral:debug");
  CHECK(pod.labels["app"].text() == "web");
  CHECK(pod.annotations["a"].text() == "b");
  CHECK(pod.volumes.path() == "spec.volumes");
  CHECK(pod.affinity.path() == "spec.affinity");
  CHECK(pod.topology_spread.path() == "spec.topologySpreadConstraints");
  CHECK(pod.resources.path() == "spec.resources");
  CHECK(pod.restart_policy.text() == "Always");
  CHECK_FALSE(pod.misplaced);
  const Container& web = pod.containers[2];
  CHECK(web.env.is(ValueKind::array));
  CHECK(web.env_from.is(ValueKind::array));
  CHECK(web.command.size() == 1);
  CHECK(web.args.size() == 1);
  CHECK(web.resources.is(ValueKind::object));
  CHECK_FALSE(web.reference);  // present, but no reference
  CHECK(pod.containers[0].reference->repository() == "docker.io/library/odoo");

  SECTION("reading again keeps nothing of it") {
    const Tree other = tree_of("{spec: {containers: [{name: db}]}}");
    read_pod_template(other.root(), pod);
    CHECK(listed(pod) == "main:db");
    CHECK_FALSE(pod.labels);
    CHECK_FALSE(pod.affinity);
    CHECK_FALSE(pod.containers[0].env);
    CHECK_FALSE(pod.containers[0].reference);
  }
}

TEST_CASE("what stands in the wrong place is seen (threats 30, 31, 32)", "[policy][template]") {
  struct Case {
    const char *holder, *containers, *misplaced;
  };
  const Case cases[] = {
      {"{t: null}", "", ""},
      {"{t: {}}", "", ""},
      {"{t: {spec: null, metadata: null}}", "", ""},
      {"{t: {spec: {containers: null}}}", "", ""},
      {"{t: {spec: {containers: []}}}", "", ""},
      {"{t: x}", "", "t"},
      {"{t: []}", "", "t"},
      {"{t: {spec: x}}", "", "t.spec"},
      {"{t: {spec: {containers: {}}}}", "", "t.spec.containers"},
      {"{t: {spec: {containers: x, initContainers: 5}}}", "", "t.spec.containers"},
      {"{t: {spec: {initContainers: {a: b}}}}", "", "t.spec.initContainers"},
      {"{t: {spec: {ephemeralContainers: true, containers: [{name: a}]}}}", "main:a", "t.spec.ephemeralContainers"},
      {"{t: {spec: {volumes: {}}}}", "", "t.spec.volumes"},
      {"{t: {spec: {containers: [null, {name: a}, x, []]}}}", "main:? main:a main:? main:?", ""},
      {"{t: {metadata: x, spec: {containers: [{name: a}]}}}", "main:a", ""},
      {"{t: {metadata: {labels: x}}}", "", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.holder) {
      const Tree tree = tree_of(c.holder);
      PodTemplate pod;
      read_pod_template(tree.root()["t"], pod);
      CHECK(listed(pod) == c.containers);
      CHECK((pod.misplaced ? pod.misplaced.path() : "") == c.misplaced);
    }
  }
}
