// What keeping up with a cluster costs: a changed object from its bytes to the next snapshot, and the memory of 2,000 namespaces and
// 10,000 pods with their Deployments and ReplicaSets.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "kube/intake.hpp"
#include "kube/watch_lines.hpp"

namespace {

using namespace portcullis;
using namespace portcullis::kube;

constexpr int namespaces = 2'000, pods = 10'000, workloads = 2'500;

// As large as what the API server sends: managed fields are half of it.
std::string managed_fields() {
  std::string fields = R"("managedFields":[)";
  for (int manager = 0; manager < 3; ++manager) {
    fields += manager ? "," : "";
    fields +=
        R"({"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-11-24T20:00:00Z","fieldsType":"FieldsV1","fieldsV1":{)";
    for (int field = 0; field < 25; ++field)
      fields += (field ? "," : "") + ("\"f:field" + std::to_string(field)) + R"(":{".":{},"f:name":{},"f:x":{}})";
    fields += "}}";
  }
  return fields + "]";
}

std::string metadata(const std::string& name_space, const std::string& name, int index, const std::string& version) {
  return R"("metadata":{"name":")" + name + R"(","namespace":")" + name_space + R"(","uid":"7589967c-14df-4089-b4a7-)" +
         std::to_string(100'000'000'000 + index) + R"(","resourceVersion":")" + version +
         R"(","labels":{"app.kubernetes.io/name":"odoo","app.kubernetes.io/instance":")" + name + R"("},)" + managed_fields() + "}";
}

std::string containers(int index) {
  return R"("containers":[{"name":"odoo","image":"registry.hoster.example/odoo/odoo:18.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",)"
         R"("resources":{"requests":{"cpu":")" +
         std::to_string(100 + index % 40 * 25) +
         R"(m","memory":"512Mi"},"limits":{"cpu":"1","memory":"1Gi"}},"env":[{"name":"PGHOST","value":"db"},{"name":"WORKERS","value":"4"}],)"
         R"("volumeMounts":[{"name":"data","mountPath":"/var/lib/odoo"}]}],"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data"}}])";
}

std::string place(int index) { return "tenant-" + std::to_string(index % namespaces); }
std::string pod(int index, int version) {
  return "{" + metadata(place(index), "odoo-5c9f7d6b8-" + std::to_string(index), index, std::to_string(version)) + R"(,"spec":{)" +
         containers(index) + R"(},"status":{"phase":"Running","podIP":"10.0.0.1","conditions":[{"type":"Ready","status":"True"}]}})";
}
std::string workload(int index, int version) {
  return "{" + metadata(place(index), "odoo-" + std::to_string(index), index, std::to_string(version)) +
         R"(,"spec":{"replicas":4,"template":{"spec":{)" + containers(index) + "}}}}";
}
std::string name_space(int index) { return "{" + metadata("", place(index), index, "1") + "}"; }

Intake::Owner nobody() {
  return {[] {}, [] {}, [](const UsageChange&) {}, [](std::string_view) {}, [](std::string_view) {}};
}

Roles counted() {
  Roles roles;
  roles.counted = true;
  return roles;
}
Roles facts(FactRole role) {
  Roles roles;
  roles.facts = role;
  if (role == FactRole::workloads) roles.layout = WorkloadLayout{"apps", "Deployment", {"spec", "template"}, {"spec", "replicas"}};
  return roles;
}

void fill(Intake& intake, int count, std::string (*object)(int)) {
  ObjectReader reader;
  intake.begin();
  for (int index = 0; index < count; ++index) {
    std::string text = object(index);
    intake.take(*reader.object(pad(text)));
  }
  intake.replaced("1");
}

std::size_t heap() { return mallinfo2().uordblks; }

// One event from bytes to a published table: the worst case of one event a publication.
void event_to_snapshot(benchmark::State& state, Intake& intake, std::string (*object)(int, int), bool publish) {
  WatchLines lines;
  int version = 2;
  std::size_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::string line = R"({"type":"MODIFIED","object":)" + object(version % 1'000, version) + "}\n";
    ++version;
    bytes += line.size();
    state.ResumeTiming();
    const auto went_on = lines.feed(line, [&](const WatchEvent& event) {
      intake.changed(event);
      return true;
    });
    if (!went_on) state.SkipWithError("not read");
    if (publish) benchmark::DoNotOptimize(intake.workloads());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void pod_event(benchmark::State& state) {
  Intake intake("pods", "", counted(), std::make_shared<UsageShapes>(), nobody());
  fill(intake, pods, [](int index) { return pod(index, 1); });
  event_to_snapshot(state, intake, pod, false);
}
BENCHMARK(pod_event);

void workload_event_published(benchmark::State& state) {
  Intake intake("deployments", "apps", facts(FactRole::workloads), std::make_shared<UsageShapes>(), nobody());
  fill(intake, pods, [](int index) { return workload(index, 1); });
  (void)intake.workloads();
  event_to_snapshot(state, intake, workload, true);
}
BENCHMARK(workload_event_published);

void lookup(benchmark::State& state) {
  Intake intake("deployments", "apps", facts(FactRole::workloads), std::make_shared<UsageShapes>(), nobody());
  fill(intake, pods, [](int index) { return workload(index, 1); });
  ClusterSnapshot snapshot{std::chrono::seconds(150)};
  snapshot.workloads.push_back({"apps", "Deployment", {true, Clock::now()}, intake.workloads()});
  int index = 0;
  for (auto _ : state) {
    index = (index + 7) % pods;
    benchmark::DoNotOptimize(snapshot.workload("apps", "Deployment", "tenant-7", "odoo-7"));
  }
}
BENCHMARK(lookup);

// Bytes of heap that the facts of a whole cluster hold, by what they are of.
void memory(benchmark::State& state) {
  for (auto _ : state) {
    const std::size_t before = heap();
    auto shapes = std::make_shared<UsageShapes>();
    Intake pods_intake("pods", "", counted(), shapes, nobody());
    fill(pods_intake, pods, [](int index) { return pod(index, 1); });
    const std::size_t with_pods = heap();
    Intake namespaces_intake("namespaces", "", facts(FactRole::namespaces), shapes, nobody());
    fill(namespaces_intake, namespaces, name_space);
    (void)namespaces_intake.namespaces();
    const std::size_t with_namespaces = heap();
    Intake workloads_intake("deployments", "apps", facts(FactRole::workloads), shapes, nobody());
    fill(workloads_intake, workloads, [](int index) { return workload(index, 1); });
    (void)workloads_intake.workloads();
    const std::size_t with_workloads = heap();
    state.counters["bytes_a_pod"] = static_cast<double>(with_pods - before) / pods;
    state.counters["bytes_a_namespace"] = static_cast<double>(with_namespaces - with_pods) / namespaces;
    state.counters["bytes_a_workload"] = static_cast<double>(with_workloads - with_namespaces) / workloads;
    state.counters["bytes"] = static_cast<double>(with_workloads - before);
    state.counters["shapes"] = static_cast<double>(shapes->size());
  }
}
BENCHMARK(memory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
