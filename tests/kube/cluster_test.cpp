// The whole of list+watch against an API server in memory: facts as rules see them, usage as the ledger hears it.
#include "kube/cluster.hpp"

#include <fstream>
#include <mutex>
#include <sstream>

#include "net/background.hpp"
#include "tests/catch.hpp"
#include "tests/kube/fake_api.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using namespace portcullis::kube::testing;
using namespace std::chrono_literals;
using policy::FactKind;

namespace {

json object(const std::string& name_space, const std::string& name, json more = json::object()) {
  json out = {{"metadata", {{"name", name}}}};
  if (!name_space.empty()) out["metadata"]["namespace"] = name_space;
  out.merge_patch(more);
  return out;
}

json pod(const std::string& name_space, const std::string& name, const std::string& cpu) {
  return object(name_space, name, {{"spec", {{"containers", {{{"name", "c"}, {"resources", {{"requests", {{"cpu", cpu}}}}}}}}}}});
}

json deployment(const std::string& name, int replicas) {
  return object("a", name,
                {{"spec",
                  {{"replicas", replicas},
                   {"template", {{"spec", {{"containers", {{{"name", "c"}, {"resources", {{"requests", {{"cpu", "250m"}}}}}}}}}}}}}}});
}

// The sum of what is used, as an observer that keeps only sums has it.
class Sums final : public UsageObserver {
 public:
  void on_object(const UsageChange& change) override {
    const std::lock_guard lock(mutex_);
    const auto add = [&](const policy::Usage* usage, int sign) {
      if (!usage) return;
      for (const auto& [name, quantity] : *usage) sums_[name] += sign * static_cast<long>(quantity.nanos() / 1'000'000);
    };
    add(change.usage, 1);
    add(change.before, -1);
    ++changes_;
  }
  void on_progress(std::string_view resource, std::string_view version) override {
    const std::lock_guard lock(mutex_);
    progress_[std::string(resource)] = version;
  }
  void on_replaced(std::string_view resource, std::string_view version) override {
    const std::lock_guard lock(mutex_);
    replaced_[std::string(resource)] = version;
  }
  long milli(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = sums_.find(name);
    return found == sums_.end() ? 0 : found->second;
  }
  std::string replaced(const std::string& resource) const {
    const std::lock_guard lock(mutex_);
    const auto found = replaced_.find(resource);
    return found == replaced_.end() ? "never" : found->second;
  }
  std::string progress(const std::string& resource) const {
    const std::lock_guard lock(mutex_);
    const auto found = progress_.find(resource);
    return found == progress_.end() ? "never" : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, long> sums_;
  std::map<std::string, std::string> progress_, replaced_;
  int changes_ = 0;
};

// An API server with the built-in kinds, a Background and a Cluster on it.
struct World {
  FakeApi api;
  Sums sums;
  net::Background background{"kube-test"};
  Cluster cluster{background, api, options()};

  World() {
    for (const char* each :
         {"/api/v1/namespaces", "/api/v1/pods", "/api/v1/services", "/api/v1/replicationcontrollers", "/apis/apps/v1/deployments",
          "/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets", "/apis/apps/v1/replicasets", "/apis/batch/v1/jobs",
          "/apis/batch/v1/cronjobs", "/apis/autoscaling/v2/horizontalpodautoscalers"})
      api.serve(each);
  }
  ~World() {
    cluster.stop();
    background.stop(Clock::now() + 5s);
  }
  void want(const Wanted& wanted) {
    cluster.observe(sums);
    cluster.want(wanted);
    cluster.start();
  }
  bool synced() {
    return eventually([&] { return cluster.status().synced(); });
  }
  static ClusterOptions options() {
    ClusterOptions options;
    options.start_spread = 0ms;
    options.discovery_interval = 1s;
    options.seed = 7;
    return options;
  }
};

json discovery(const std::vector<std::string>& versions) {
  json group = {{"metadata", {{"name", "argoproj.io"}}}, {"versions", json::array()}};
  for (const std::string& version : versions)
    group["versions"].push_back({{"version", version},
                                 {"resources",
                                  {{{"resource", "rollouts"},
                                    {"responseKind", {{"kind", "Rollout"}}},
                                    {"scope", "Namespaced"},
                                    {"verbs", {"get", "list", "watch"}}}}}});
  json items = json::array();
  if (!versions.empty()) items.push_back(group);
  return {{"kind", "APIGroupDiscoveryList"}, {"items", items}};
}

}  // namespace

TEST_CASE("facts follow the cluster", "[kube]") {
  World w;
  w.api.put("/api/v1/namespaces", object("", "a", {{"metadata", {{"labels", {{"tier", "1"}}}}}}));
  w.api.put("/apis/apps/v1/deployments", deployment("web", 3));
  w.api.put("/apis/autoscaling/v2/horizontalpodautoscalers",
            object("a", "web-hpa",
                   {{"spec",
                     {{"minReplicas", 2},
                      {"maxReplicas", 9},
                      {"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}}}}}));
  CHECK_FALSE(w.cluster.status().synced());  // nobody said yet what is wanted
  w.want({.facts = {FactKind::namespaces, FactKind::workloads, FactKind::autoscalers}, .counted = {}, .workload_kinds = {}});
  REQUIRE(w.synced());
  ClusterReader reader(w.cluster);
  const auto knows = [&](FactKind kind) { return reader.facts().knows(kind); };
  REQUIRE(eventually([&] { return knows(FactKind::namespaces) && knows(FactKind::workloads) && knows(FactKind::autoscalers); }));
  CHECK_FALSE(knows(FactKind::budgets));

  const policy::NamespaceFact* a = reader.facts().name_space("a");
  REQUIRE(a);
  CHECK(a->labels == policy::Labels{{"tier", "1"}});
  CHECK_FALSE(reader.facts().name_space("b"));
  const policy::WorkloadFact* web = reader.facts().workload("apps", "Deployment", "a", "web");
  REQUIRE(web);
  CHECK(web->replicas == 3);
  CHECK(web->pod_usage.at("requests.cpu").text() == "250m");
  CHECK_FALSE(reader.facts().workload("apps", "StatefulSet", "a", "web"));
  CHECK_FALSE(reader.facts().workload("apps", "Deployment", "b", "web"));
  const policy::AutoscalerFact* hpa = reader.facts().autoscaler_of("apps", "Deployment", "a", "web");
  REQUIRE(hpa);
  CHECK(hpa->replicas_min == 2);
  CHECK_FALSE(reader.facts().autoscaler_of("apps", "Deployment", "a", "other"));

  w.api.put("/apis/apps/v1/deployments", deployment("web", 5));
  w.api.put("/api/v1/namespaces", object("", "b"));
  w.api.remove("/apis/autoscaling/v2/horizontalpodautoscalers", "a/web-hpa");
  CHECK(eventually([&] { return reader.facts().workload("apps", "Deployment", "a", "web")->replicas == 5; }));
  CHECK(eventually([&] { return reader.facts().name_space("b") != nullptr; }));
  CHECK(eventually([&] { return reader.facts().autoscaler_of("apps", "Deployment", "a", "web") == nullptr; }));
  CHECK_FALSE(reader.facts().knows(FactKind::namespaces, Clock::now() + 1'000s));

  auto budgets = std::make_shared<BudgetTable>();
  (*budgets)[{"acme", ""}].push_back({"pods", 10, 4, 1});
  w.cluster.publish_budgets(budgets, Clock::now());
  CHECK(eventually([&] { return knows(FactKind::budgets); }));
  CHECK_FALSE(reader.facts().knows(FactKind::budgets, Clock::now() + 1'000s));
  REQUIRE(reader.facts().budgets("acme", "").size() == 1);
  CHECK(reader.facts().budgets("acme", "").front().hard == 10);
  CHECK(reader.facts().budgets("other", "").empty());
}

TEST_CASE("usage is told object by object, and nothing is lost over cuts and relists", "[kube]") {
  World w;
  for (int count = 0; count < 1'200; ++count) w.api.put("/api/v1/pods", pod("a", "p" + std::to_string(count), "100m"));
  w.want({.facts = {}, .counted = {"pods", "services", "deployments.apps", "rollouts.argoproj.io"}, .workload_kinds = {}});
  REQUIRE(w.synced());
  CHECK(w.sums.milli("pods") == 1'200'000);
  CHECK(w.sums.milli("requests.cpu") == 120'000);
  CHECK(w.sums.replaced("services") != "never");
  CHECK(w.sums.replaced("rollouts.argoproj.io") == "");  // not served: there are none
  CHECK(w.api.requests("GET /api/v1/pods") >= 3);        // pages of 500, after the stream that this server lacks

  w.api.put("/api/v1/pods", pod("a", "p1", "300m"));
  w.api.remove("/api/v1/pods", "a/p2");
  CHECK(eventually([&] { return w.sums.milli("requests.cpu") == 120'100; }));
  w.api.put("/apis/apps/v1/deployments", deployment("web", 1));
  CHECK(eventually([&] { return w.sums.milli("count/deployments.apps") == 1'000; }));

  w.api.cut_watches();
  w.api.remove("/api/v1/pods", "a/p3");
  CHECK(eventually([&] { return w.sums.milli("pods") == 1'198'000; }));
  const auto lists = w.api.requests("GET /api/v1/pods");
  w.api.cut_watches();
  w.api.remove("/api/v1/pods", "a/p4");
  w.api.put("/api/v1/pods", pod("b", "new", "1"));
  w.api.compact();  // the watch cannot be resumed
  CHECK(eventually([&] { return w.sums.milli("requests.cpu") == 120'900 && w.sums.milli("pods") == 1'198'000; }));
  CHECK(w.api.requests("GET /api/v1/pods") > lists);
  w.api.bookmark();
  CHECK(eventually([&] { return w.sums.progress("pods") == w.api.version(); }));
  CHECK(eventually([&] {
    w.api.bookmark();  // to the watches that are open: after a cut they are opened one by one
    return w.sums.progress("services") == w.api.version();
  }));
}

TEST_CASE("deleted and created anew under its name is two changes", "[kube]") {
  World w;
  w.api.put("/api/v1/pods", pod("a", "db-0", "1"));
  w.want({.facts = {}, .counted = {"pods"}, .workload_kinds = {}});
  REQUIRE(w.synced());
  w.api.refuse("/api/v1/pods", 500);
  w.api.cut_watches();
  w.api.remove("/api/v1/pods", "a/db-0");
  w.api.put("/api/v1/pods", pod("a", "db-0", "2"));
  w.api.compact();
  w.api.refuse("/api/v1/pods", 0);
  CHECK(eventually([&] { return w.sums.milli("requests.cpu") == 2'000; }));
  CHECK(w.sums.milli("pods") == 1'000);
}

TEST_CASE("a pod whose grace has passed stops counting without an event", "[kube]") {
  World w;
  const Instant soon = std::chrono::floor<std::chrono::seconds>(WallClock::now()) + 1s;
  json leaving = pod("a", "p", "1");
  leaving["metadata"]["deletionTimestamp"] = write_time(soon);
  leaving["metadata"]["deletionGracePeriodSeconds"] = 0;
  w.api.put("/api/v1/pods", leaving);
  w.want({.facts = {}, .counted = {"pods"}, .workload_kinds = {}});
  REQUIRE(w.synced());
  CHECK(w.sums.milli("count/pods") == 1'000);
  CHECK(eventually([&] { return w.sums.milli("pods") == 0 && w.sums.milli("requests.cpu") == 0; }));
  CHECK(w.sums.milli("count/pods") == 1'000);
  w.api.remove("/api/v1/pods", "a/p");
  CHECK(eventually([&] { return w.sums.milli("count/pods") == 0; }));
}

TEST_CASE("a kind that may not be there appears and vanishes", "[kube]") {
  World w;
  w.api.discover(discovery({}), "1");
  const TemplatedKind rollout{"argoproj.io", "v1alpha1", "Rollout", {"spec", "template"}, {"spec", "replicas"}};
  w.want({.facts = {FactKind::workloads}, .counted = {}, .workload_kinds = {rollout}});
  REQUIRE(w.synced());  // not served: there are none, which is known
  ClusterReader reader(w.cluster);
  CHECK(eventually([&] { return reader.facts().knows(FactKind::workloads); }));
  CHECK(w.api.requests("rollouts") == 0);

  const std::string path = "/apis/argoproj.io/v1alpha1/rollouts";
  w.api.serve(path);
  w.api.put(path, object("a", "web", {{"spec", {{"replicas", 4}}}}));
  w.api.discover(discovery({"v1alpha1"}), "2");
  const auto found = [&] { return reader.facts().workload("argoproj.io", "Rollout", "a", "web"); };
  REQUIRE(eventually([&] { return found() != nullptr; }));
  CHECK(found()->replicas == 4);

  w.api.discover(discovery({}), "3");
  w.api.unserve(path);
  CHECK(eventually([&] { return found() == nullptr; }));
  CHECK(eventually([&] { return reader.facts().knows(FactKind::workloads); }));
}

TEST_CASE("what is not wanted any more is forgotten, and what is wanted anew is fetched", "[kube]") {
  World w;
  w.api.put("/api/v1/pods", pod("a", "p", "1"));
  w.api.put("/apis/apps/v1/deployments", deployment("web", 1));
  w.want({.facts = {}, .counted = {"pods", "deployments.apps"}, .workload_kinds = {}});
  REQUIRE(w.synced());
  CHECK(w.sums.milli("pods") == 1'000);
  // The deployment was read without its spec; now that is wanted too.
  w.cluster.want({.facts = {FactKind::workloads}, .counted = {"deployments.apps"}, .workload_kinds = {}});
  REQUIRE(w.synced());
  CHECK(w.sums.milli("pods") == 0);
  CHECK(w.sums.milli("count/deployments.apps") == 1'000);
  ClusterReader reader(w.cluster);
  CHECK(eventually([&] { return reader.facts().knows(FactKind::workloads); }));
  CHECK(reader.facts().workload("apps", "Deployment", "a", "web")->pod_usage.at("requests.cpu").text() == "250m");
  w.cluster.want({});
  CHECK(eventually([&] { return w.cluster.status().current && w.cluster.status().resources.empty(); }));
  CHECK(w.sums.milli("count/deployments.apps") == 0);
}

TEST_CASE("what cannot be read is said by name", "[kube]") {
  World w;
  w.api.refuse("/api/v1/namespaces", 403);
  w.want({.facts = {FactKind::namespaces}, .counted = {}, .workload_kinds = {}});
  REQUIRE(eventually([&] { return w.cluster.status().trouble() == "namespaces: 403, want the verbs list and watch of namespaces"; }));
  CHECK_FALSE(w.cluster.status().synced());
  observe::Metrics metrics;
  w.cluster.add_metrics(metrics);
  std::istringstream page(metrics.expose());
  std::stringstream docs;
  docs << std::ifstream(PORTCULLIS_SOURCE_DIR "/docs/metrics.md").rdbuf();
  int types = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    const std::string name = line.substr(7, line.find(' ', 7) - 7);
    CAPTURE(name);
    CHECK(docs.str().find("| `" + name + "` |") != std::string::npos);
    ++types;
  }
  CHECK(types >= 9);
}
