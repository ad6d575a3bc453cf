// Judging an object that is well allocates nothing: counted by this program's own operator new.
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

#include "policy/document/load.hpp"
#include "policy/engine.hpp"
#include "policy/object/json_reader.hpp"
#include "tests/catch.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

using namespace portcullis;
using namespace portcullis::policy;

namespace {

constexpr const char* documents = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: meridian-advisory}
spec:
  tier: 1
  timeZone: Europe/Zurich
  budget: {services.loadbalancers: "0", requests.storage: 6Ti}
  namespaces: [{name: meridian-finance-prod, environment: production, tenancy: dedicated}]
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: production}
spec:
  match: {tiers: [1], environments: [production]}
  rules:
    - {id: container-bounds, with: {require: [requests.cpu, requests.memory, limits.memory]}}
    - {id: replica-floor, with: {min: 2}}
    - {id: anti-affinity, with: {topologyKey: topology.kubernetes.io/zone}}
    - {id: image-registry, with: {allow: ["registry.hoster.example/odoo/**"]}}
    - {id: image-digest, with: {require: digest}}
    - {id: no-inline-secret}
    - {id: secret-reference}
    - {id: tenant-budget}
)";

std::string file(const char* name) {
  std::stringstream text;
  text << std::ifstream(std::string(PORTCULLIS_SOURCE_DIR) + "/" + name).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("judging the reference review allocates nothing", "[policy][engine]") {
  auto loaded = load_documents({{"documents.yaml", documents}});
  REQUIRE(loaded);
  const auto snapshot = PolicySnapshot::compile(std::move(*loaded));
  REQUIRE(snapshot);

  std::string text = file("bench/data/review-10k.json");
  const std::size_t size = text.size();
  REQUIRE(size > 10'000);
  text.resize(size + 64);
  Tree tree;
  JsonReader reader;
  REQUIRE(reader.read({text.data(), size}, JsonShape::review, {}, tree).error == nullptr);
  Subject subject;
  subject.operation = Operation::create;
  subject.group = "apps";
  subject.version = "v1";
  subject.kind = "Deployment";
  subject.resource = "deployments";
  subject.name_space = "meridian-finance-prod";
  subject.name = "odoo";
  subject.user.name = "alice";
  subject.object.root = tree.root()["request"]["object"];
  read_object(subject, {});

  PolicySnapshot::Scratch scratch;
  Decision decision;
  const Instant now(std::chrono::sys_days(std::chrono::year(2026) / 11 / 23));
  (*snapshot)->judge(subject, now, scratch, decision);  // memory of the thread is made here
  REQUIRE(decision.verdict == Verdict::allow);
  REQUIRE(decision.skipped.empty());
  REQUIRE(decision.findings.empty());

  const std::size_t before = allocations.load();
  for (int round = 0; round < 100; ++round) (*snapshot)->judge(subject, now, scratch, decision);
  CHECK(allocations.load() == before);
  {
    const std::string counted(100, 'x');
    CHECK(allocations.load() > before);  // the counter counts
  }
}
