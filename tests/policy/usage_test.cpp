#include "policy/object/usage.hpp"

#include <fstream>
#include <string>

#include "policy/document/budget.hpp"
#include "policy/object/amount.hpp"
#include "policy/object/read_facts.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using portcullis::policy::testing::tree_of;

namespace {

std::string decimal(Quantity::Nanos nanos) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(nanos % 10)));
    nanos /= 10;
  } while (nanos > 0);
  return digits;
}

std::string text_of(const Usage& usage) {
  std::string text;
  for (const auto& [name, quantity] : usage) text += (text.empty() ? "" : " ") + name + "=" + quantity.text();
  return text;
}

std::string used(std::string_view object, std::string_view resource, std::string_view group = "") {
  const Tree tree = tree_of(object);
  return text_of(usage_of(tree.root(), resource, group, Instant{}));
}

}  // namespace

// Recorded from Kubernetes' own evaluators by tests/e2e/quota_differential_test.py --record.
TEST_CASE("usage is what Kubernetes' quota evaluators say", "[policy][usage]") {
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/tests/data/usage.jsonl");
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const Result<Tree> tree = Tree::parse_copy(line);
    REQUIRE(tree);
    const Value root = tree->root();
    const Instant now{std::chrono::seconds(root["now"].integer().value())};
    const PodDefaults defaults = root["defaults"].is_true() ? PodDefaults::applied : PodDefaults::as_stored;
    const Usage usage = usage_of(root["object"], root["resource"].text(), root["group"].text(), now, defaults);
    CAPTURE(line);
    CHECK(usage.size() == root["usage"].size());
    for (const auto& [name, quantity] : usage) {
      CAPTURE(name);
      CHECK(root["usage"][name].text() == decimal(quantity.nanos()));
    }
  }
  CHECK(cases >= 200);
}

TEST_CASE("usage of odd objects", "[policy][usage]") {
  CHECK(used("{}", "pods") == "count/pods=1 pods=1");
  CHECK(used("{spec: [], status: 3, metadata: x}", "pods") == "count/pods=1 pods=1");
  CHECK(used("{spec: {containers: {a: 1}, initContainers: [null, 7, {resources: []}]}}", "pods") == "count/pods=1 pods=1");
  CHECK(used("{spec: {containers: [{resources: {requests: {cpu: two, memory: 1Gi}}}]}}", "pods") ==
        "count/pods=1 memory=1Gi pods=1 requests.memory=1Gi");
  CHECK(used("{spec: {containers: [{resources: {requests: {cpu: null}}}]}}", "pods") == "count/pods=1 pods=1");
  CHECK(used("{}", "persistentvolumeclaims") == "count/persistentvolumeclaims=1 persistentvolumeclaims=1");
  CHECK(used("{spec: {type: LoadBalancer, ports: 7}}", "services") ==
        "count/services=1 services=1 services.loadbalancers=1 services.nodeports=0");
  CHECK(used("{}", "pods", "metrics.k8s.io") == "count/pods.metrics.k8s.io=1");
  CHECK(used("{}", "secrets") == "count/secrets=1 secrets=1");
}

TEST_CASE("a terminating pod stops counting when its grace has passed", "[policy][usage]") {
  const Tree tree = tree_of("{metadata: {deletionTimestamp: '2026-11-24T12:00:00Z', deletionGracePeriodSeconds: 30}}");
  const std::optional<Instant> end = usage_ends(tree.root());
  REQUIRE(end);
  using namespace std::chrono;
  CHECK(*end == Instant(sys_days(year(2026) / November / 24)) + hours(12) + seconds(30));
  CHECK(text_of(usage_of(tree.root(), "pods", "", *end)) == "count/pods=1 pods=1");
  CHECK(text_of(usage_of(tree.root(), "pods", "", *end + seconds(1))) == "count/pods=1");
  const Tree living = tree_of("{metadata: {deletionGracePeriodSeconds: 30}}");
  CHECK_FALSE(usage_ends(living.root()));
  const Tree huge = tree_of("{metadata: {deletionTimestamp: '2026-11-24T12:00:00Z', deletionGracePeriodSeconds: 9223372036854775807}}");
  CHECK(usage_ends(huge.root()));
}

TEST_CASE("amounts are whole base units, rounded up", "[policy][usage]") {
  const auto units = [](std::string_view resource, const char* text) {
    return base_units(resource, Quantity::parse(std::string_view(text)).value());
  };
  CHECK(units("requests.cpu", "1.5") == 1500);
  CHECK(units("limits.cpu", "1u") == 1);
  CHECK(units("cpu", "0") == 0);
  CHECK(units("acme-*/cpu", "2") == 2000);
  CHECK(units("requests.memory", "1Gi") == 1'073'741'824);
  CHECK(units("requests.memory", "1m") == 1);
  CHECK(units("pods", "180") == 180);
  CHECK(units("pods", "-3") == 0);
  CHECK(units("requests.storage", "9E") == units_max);
  CHECK(amount_text("requests.cpu", 1500) == "1.5");
  CHECK(amount_text("acme-prod/limits.memory", 1'073'741'824) == "1Gi");
  CHECK(amount_text("pods", 3) == "3");

  const auto split = [](std::string_view dimension) {
    const Dimension parts = split_dimension(dimension);
    return std::string(parts.entry) + "|" + std::string(parts.resource);
  };
  CHECK(split("pods") == "|pods");
  CHECK(split("count/deployments.apps") == "|count/deployments.apps");
  CHECK(split("requests.nvidia.com/gpu") == "|requests.nvidia.com/gpu");
  CHECK(split("gold.storageclass.storage.k8s.io/requests.storage") == "|gold.storageclass.storage.k8s.io/requests.storage");
  CHECK(split("acme-*/pods") == "acme-*|pods");
  CHECK(split("acme-prod/count/deployments.apps") == "acme-prod|count/deployments.apps");
  CHECK(split("acme/gold.storageclass.storage.k8s.io/requests.storage") == "acme|gold.storageclass.storage.k8s.io/requests.storage");
}

TEST_CASE("what a budget may bound", "[policy][usage]") {
  for (const char* name : {"pods", "cpu", "requests.cpu", "limits.memory", "requests.storage", "services.nodeports", "count/pods",
                           "count/widgets.example.com", "hugepages-2Mi", "requests.hugepages-1Gi", "requests.nvidia.com/gpu",
                           "gold.storageclass.storage.k8s.io/requests.storage", "resourcequotas", "configmaps"}) {
    CAPTURE(name);
    CHECK(budget_resource_refusal(name) == "");
  }
  for (const char* name : {"", "pod", "storage", "requests.pods", "limits.storage", "count/", "count/Deployments", "nvidia.com/gpu",
                           "hugepages-", "gold.storageclass.storage.k8s.io/pods", ".storageclass.storage.k8s.io/requests.storage", "a/b/c",
                           "requests.kubernetes.io/x", "limits.nvidia.com/gpu", "secrets", "count/secrets"}) {
    CAPTURE(name);
    CHECK(budget_resource_refusal(name) != "");
  }
  CHECK(budget_resource_refusal("nvidia.com/gpu").starts_with("requests.nvidia.com/gpu"));
}

TEST_CASE("objects as facts", "[policy][usage]") {
  const Tree tree = tree_of(
      "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-5d, namespace: acme, uid: u2, labels: {b: '2', a: '1', c: 3}, "
      "ownerReferences: [{kind: X}, {apiVersion: extensions/v1beta1, kind: Deployment, name: web, uid: u1, controller: true}]}, spec: "
      "{replicas: 3, template: {spec: {containers: [{name: a, resources: {limits: {cpu: 1}}}]}}}}");
  const auto fact = read_workload_fact(tree.root(), "apps", "v1", "ReplicaSet", {});
  REQUIRE(fact);
  CHECK(fact->name == "web-5d");
  CHECK(fact->uid == "u2");
  CHECK(fact->replicas == 3);
  CHECK(fact->labels == Labels{{"a", "1"}, {"b", "2"}});
  REQUIRE(fact->owner);
  CHECK(fact->owner->group == "apps");
  CHECK(fact->owner->name == "web");
  CHECK(text_of(fact->pod_usage) == "count/pods=1 cpu=1 limits.cpu=1 pods=1 requests.cpu=1");
  CHECK_FALSE(read_workload_fact(tree.root(), "", "v1", "Pod", {}));
  CHECK_FALSE(read_workload_fact(tree.root(), "", "v1", "ConfigMap", {}));

  const Tree scaler = tree_of(
      "{metadata: {name: h, namespace: acme}, spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}");
  const AutoscalerFact autoscaler = read_autoscaler_fact(scaler.root());
  CHECK(autoscaler.target_group == "apps");
  CHECK(autoscaler.replicas_min == 1);
  CHECK(autoscaler.replicas_max == 9);
}
