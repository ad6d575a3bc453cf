// Self-checks of a whole Cluster against an API server in memory that now and then keeps an event to itself.
#include "kube/self_checks.hpp"

#include <atomic>

#include "kube/cluster.hpp"
#include "net/background.hpp"
#include "tests/catch.hpp"
#include "tests/kube/fake_api.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using namespace portcullis::kube::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* pods = "/api/v1/pods";
constexpr const char* namespaces = "/api/v1/namespaces";

json object(const std::string& name_space, const std::string& name, const std::string& label = "1") {
  json out = {{"metadata", {{"name", name}, {"labels", {{"round", label}}}}}};
  if (!name_space.empty()) out["metadata"]["namespace"] = name_space;
  return out;
}

// Pods are counted and namespaces are facts; both are checked all the time.
struct World {
  FakeApi api;
  net::Background background{"check-test"};
  Cluster cluster{background, api, options()};

  World() {
    for (int count = 0; count < 1'100; ++count) api.put(pods, object("a", "p" + std::to_string(count)));
    api.put(namespaces, object("", "a"));
    api.put(namespaces, object("", "b"));
    cluster.want({.facts = {policy::FactKind::namespaces}, .counted = {"pods"}, .workload_kinds = {}});
    cluster.start();
    REQUIRE(eventually([&] { return cluster.status().synced(); }));
  }
  ~World() {
    cluster.stop();
    background.stop(Clock::now() + 5s);
  }
  static ClusterOptions options() {
    ClusterOptions options;
    options.start_spread = 0ms;
    options.seed = 7;
    options.self_check.interval = 60ms;
    options.self_check.retry = 30ms;
    return options;
  }
  ResourceStatus of(const std::string& resource) const {
    for (const ResourceStatus& each : cluster.status().resources)
      if (each.resource == resource) return each;
    return {};
  }
  // So many verdicts more.
  bool checked(const std::string& resource, std::uint64_t more) {
    const std::uint64_t before = of(resource).checks.checks;
    return eventually([&] { return of(resource).checks.checks >= before + more; });
  }
};

}  // namespace

TEST_CASE("self-checks: what is the same is left alone", "[kube]") {
  World w;
  for (const char* resource : {"pods", "namespaces"}) {
    CAPTURE(resource);
    CHECK(w.checked(resource, 3));
    const ResourceStatus status = w.of(resource);
    CHECK(status.checks.inconsistencies == 0);
    CHECK(status.checks.failures == 0);
    CHECK(status.counts.relists == 0);
    CHECK(status.rv_lag.has_value());
  }
}

TEST_CASE("self-checks: an event that was lost is found, counted, and what it left mended", "[kube]") {
  struct Case {
    const char *name, *resource, *collection, *name_space, *object, *other;
    bool is_removed;
  };
  const Case cases[] = {
      {"a pod that came", "pods", pods, "a", "new", "p1", false},
      {"a pod that changed", "pods", pods, "a", "p7", "p1", false},
      {"a pod that went", "pods", pods, "a", "p7", "p1", true},
      {"a namespace that changed", "namespaces", namespaces, "", "a", "b", false},
      {"a namespace that went", "namespaces", namespaces, "", "a", "b", true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      World w;
      w.api.lose_events(1);
      if (c.is_removed) w.api.remove(c.collection, std::string(c.name_space) + "/" + c.object);
      if (!c.is_removed) w.api.put(c.collection, object(c.name_space, c.object, "2"));
      w.api.put(c.collection, object(c.name_space, c.other, "2"));  // the watch goes on as if nothing had been
      CHECK(eventually([&] { return w.of(c.resource).checks.inconsistencies == 1; }));
      CHECK(eventually([&] { return w.of(c.resource).counts.relists >= 1; }));
      CHECK(w.checked(c.resource, 3));
      CHECK(w.of(c.resource).checks.inconsistencies == 1);
      CHECK(w.of(c.resource).counts.relists <= 2);  // of pods as a stream first, which this server lacks
    }
  }
}

TEST_CASE("self-checks: changes while it lists are no difference", "[kube]") {
  World w;
  std::atomic<int> lists = 0;
  // With each page a pod comes, one changes, one goes: heard of by the watch before the page is here.
  w.api.slow_answers(15ms);
  w.api.on_call([&](const std::string& call) {
    if (call.find("GET /api/v1/pods?limit=500") == std::string::npos) return;
    const std::string number = std::to_string(++lists);
    w.api.put(pods, object("b", "during-" + number));
    w.api.put(pods, object("a", "p7", number));
    w.api.remove(pods, "a/p" + std::to_string(100 + lists));
  });
  CHECK(w.checked("pods", 4));
  CHECK(lists >= 12);
  CHECK(w.of("pods").checks.inconsistencies == 0);
  CHECK(w.of("pods").counts.relists == 0);
  w.api.on_call({});
}

TEST_CASE("self-checks: without a list there is no verdict, and it is tried again", "[kube]") {
  World w;
  CHECK(w.checked("pods", 1));
  w.api.refuse("/api/v1/pods?limit=500", 500);
  const std::uint64_t failures = w.of("pods").checks.failures;
  CHECK(eventually([&] { return w.of("pods").checks.failures >= failures + 2; }));
  CHECK(w.checked("namespaces", 1));  // others go on
  CHECK(w.of("pods").checks.inconsistencies == 0);
  CHECK(w.of("pods").counts.relists == 0);
  w.api.refuse("/api/v1/pods?limit=500", 0);
  CHECK(w.checked("pods", 1));
}
