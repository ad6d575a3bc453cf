// The ledger beside an API server in memory: its watches, requests and leases, end to end.
#include "webhook/quota_ledger.hpp"

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>

#include "tests/catch.hpp"
#include "tests/kube/fake_api.hpp"
#include "tests/temp_dir.hpp"
#include "webhook/quota_loop.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using kube::testing::eventually;
using kube::testing::FakeApi;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr const char* quotas = "/apis/portcullis.dev/v1/tenantquotas";
constexpr const char* pods = "/api/v1/pods";
constexpr const char* leases = "/apis/coordination.k8s.io/v1/leases";

std::string documents(bool charged, int most = 2) {
  return R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production], systemNamespaces: [kube-system]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Madrid
  budget: {pods: )" +
         std::to_string(most) + R"(}
  namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: production}
spec:
  rules: [)" +
         (charged ? "{id: tenant-budget}" : "{id: no-inline-secret}") + "]\n";
}

json pod(const std::string& name, const std::string& uid) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", name}, {"namespace", "acme-prod"}, {"uid", uid}}},
          {"spec", {{"containers", {{{"name", "odoo"}}}}}},
          {"status", {{"phase", "Running"}}}};
}

policy::Charge charge(const std::string& uid) {
  policy::Charge charge;
  charge.tenant = "acme";
  charge.added = {{"pods", 1}};
  charge.object_uid = uid;
  charge.resource = "pods";
  charge.name_space = "acme-prod";
  charge.name = uid;
  charge.usage = {{"pods", policy::Quantity::of_units(1)}};
  return charge;
}

class Gate {
 public:
  explicit Gate(bool charged = true, std::int64_t hard = 2) {
    write(charged);
    auto store = config::Store::open(dir_.path(), false);
    REQUIRE(store);
    store_ = std::move(*store);
    for (const char* each : {pods, quotas, leases}) api_.serve(each);
    if (hard >= 0) put_quota(hard);
    kube::ClusterOptions cluster_options;
    cluster_options.start_spread = milliseconds(0);
    cluster_ = std::make_unique<kube::Cluster>(background_, api_, cluster_options);
    kube::Wanted wanted;
    wanted.counted = {"pods"};
    cluster_->want(wanted);
    cluster_->start();
    ledger_ = std::make_unique<QuotaLedger>(background_, api_, *cluster_, *store_, options());
    ledger_->start();
  }
  ~Gate() {
    cluster_->stop();
    background_.stop(Clock::now() + seconds(5));
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  static QuotaLedgerOptions options() {
    QuotaLedgerOptions options;
    options.name_space = "portcullis-system";
    options.replica = "webhook-0";
    options.start_spread = milliseconds(0);
    options.sum_interval = milliseconds(50);
    options.times.settle_far = options.times.settle = milliseconds(20);
    return options;
  }
  void write(bool charged, int most = 2) { std::ofstream(dir_.path() / "documents.yaml") << documents(charged, most); }
  void put_quota(std::int64_t hard) {
    api_.put(quotas, {{"apiVersion", "portcullis.dev/v1"},
                      {"kind", "TenantQuota"},
                      {"metadata", {{"name", "acme"}}},
                      {"spec", {{"tenant", "acme"}, {"hard", {{"pods", hard}}}}}});
  }
  bool ready() {
    return eventually([this] { return ledger_->not_ready_because().empty(); });
  }
  // What the ledger says, in a word.
  std::string ask(const std::string& uid, Clock::duration patience = seconds(3)) {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<policy::ChargeOutcome> said;
    ledger_->charge(charge(uid), Clock::now() + patience, [&](policy::ChargeOutcome outcome) {
      const std::lock_guard lock(mutex);
      REQUIRE(!said);
      said = std::move(outcome);
      came.notify_all();
    });
    std::unique_lock lock(mutex);
    if (!came.wait_for(lock, seconds(20), [&] { return said.has_value(); })) return "nothing";
    switch (said->status) {
      case policy::ChargeStatus::granted:
        return "granted";
      case policy::ChargeStatus::over:
        return "over";
      case policy::ChargeStatus::reserved:
        return "reserved";
      case policy::ChargeStatus::unavailable:
        break;
    }
    return said->why;
  }
  // granted - released of all keys.
  std::int64_t held() {
    std::int64_t sum = 0;
    const json quota = api_.get(quotas, "/acme");
    if (!quota.contains("status")) return 0;
    const json holds = quota["status"].value("holds", json::object());
    for (const auto& [key, hold] : holds.items())
      for (const auto& [field, sign] : {std::pair{"granted", 1}, std::pair{"released", -1}})
        if (hold.contains(field) && hold[field].is_object()) sum += sign * hold[field].value("pods", 0);
    return sum;
  }

  tests::TempDir dir_;
  FakeApi api_;
  net::Background background_{"kube"};
  std::unique_ptr<config::Store> store_;
  std::unique_ptr<kube::Cluster> cluster_;
  std::unique_ptr<QuotaLedger> ledger_, late_;
  std::shared_ptr<QuotaLoop> loop_;
};

}  // namespace

TEST_CASE("quota ledger: granted, seen, released, and full", "[webhook][quota]") {
  Gate gate;
  REQUIRE(gate.ready());
  CHECK(gate.ask("x") == "granted");
  CHECK(gate.held() == 1);
  gate.api_.put(pods, pod("x", "x"));
  CHECK(eventually([&] { return gate.held() == 0; }));
  CHECK(gate.ask("y") == "granted");
  CHECK(gate.ask("z", milliseconds(1'500)) == "reserved");
  gate.api_.put(pods, pod("y", "y"));
  CHECK(eventually([&] { return gate.held() == 0; }));
  CHECK(gate.ask("z") == "over");
  CHECK(eventually([&] { return gate.ledger_->would_grant(charge("w")).status == policy::ChargeStatus::over; }));
  gate.api_.remove(pods, "acme-prod/x");
  CHECK(eventually([&] { return gate.ledger_->would_grant(charge("w")).status == policy::ChargeStatus::granted; }));
  CHECK(gate.ask("z") == "granted");
}

TEST_CASE("quota ledger: a lost answer is looked up", "[webhook][quota]") {
  Gate gate;
  REQUIRE(gate.ready());
  gate.api_.refuse(leases, 0);
  const std::size_t reads = gate.api_.requests("GET " + std::string(quotas) + "/acme");
  std::string said;
  // The lease is renewed meanwhile and may lose its answer in our place: ask until one of ours did.
  for (int attempt = 0; attempt < 20 && gate.api_.requests("GET " + std::string(quotas) + "/acme") == reads; ++attempt) {
    gate.api_.lose_answers(1);
    said = gate.ask("x");
  }
  CHECK(said == "granted");
  CHECK(gate.held() == 1);
}

TEST_CASE("quota ledger: without a TenantQuota nothing can be said", "[webhook][quota]") {
  Gate gate(true, -1);
  REQUIRE(gate.ready());
  CHECK(gate.ask("x") == "no TenantQuota");
  gate.put_quota(2);
  CHECK(eventually([&] { return gate.ask("x") == "granted"; }));
}

TEST_CASE("quota ledger: the smaller of document and object counts", "[webhook][quota]") {
  Gate gate(true, 1);
  REQUIRE(gate.ready());
  CHECK(gate.ask("x") == "granted");
  CHECK(gate.ask("y", milliseconds(300)) != "granted");
  observe::Metrics metrics;
  gate.ledger_->add_metrics(metrics);
  CHECK(metrics.expose().find("portcullis_quota_drift{tenant=\"acme\"} 1") != std::string::npos);
}

TEST_CASE("quota ledger: what no rule charges is not watched", "[webhook][quota]") {
  Gate gate(false);
  REQUIRE(gate.ready());
  CHECK(gate.api_.requests(quotas) == 0);
  CHECK(gate.api_.requests(leases) == 0);
  gate.write(true);
  REQUIRE(gate.store_->reload().empty());
  CHECK(eventually([&] { return gate.ask("x") == "granted"; }));
}

TEST_CASE("quota ledger: documents that change are counted anew", "[webhook][quota]") {
  Gate gate(true, 5);
  gate.api_.put(pods, pod("a", "a"));
  gate.api_.put(pods, pod("b", "b"));
  REQUIRE(gate.ready());
  CHECK(eventually([&] { return gate.ask("x") == "over"; }));
  gate.write(true, 3);
  REQUIRE(gate.store_->reload().empty());
  CHECK(eventually([&] { return gate.ask("x") == "granted"; }));
  CHECK(gate.ask("y", milliseconds(300)) != "granted");
}

TEST_CASE("quota ledger: nothing is granted by what was known before the API server went back in time", "[webhook][quota]") {
  Gate gate;
  REQUIRE(gate.ready());
  for (const char* name : {"x", "y"}) gate.api_.put(pods, pod(name, name));
  CHECK(eventually([&] { return gate.ledger_->would_grant(charge("z")).status == policy::ChargeStatus::over; }));
  gate.api_.back_up();
  const std::string renewal = "PATCH /apis/coordination.k8s.io/v1/namespaces/portcullis-system/leases/";
  const std::size_t renewals = gate.api_.requests(renewal);
  for (const char* name : {"acme-prod/x", "acme-prod/y"}) gate.api_.remove(pods, name);
  CHECK(eventually([&] { return gate.ledger_->would_grant(charge("z")).status == policy::ChargeStatus::granted; }));
  CHECK(eventually([&] { return gate.api_.requests(renewal) > renewals; }));
  gate.api_.restore();
  observe::Metrics metrics;
  gate.ledger_->add_metrics(metrics);
  CHECK(metrics.expose().find("portcullis_quota_went_back 0") != std::string::npos);
  CHECK(eventually([&] { return metrics.expose().find("portcullis_quota_went_back 1") != std::string::npos; }));
  CHECK(gate.ask("z").starts_with("the API server has forgotten this replica's lease"));
  CHECK(eventually(
      [&] { return gate.ledger_->would_grant(charge("z")).why.starts_with("the API server has forgotten this replica's lease"); }));
  CHECK(gate.held() == 0);
}

TEST_CASE("quota ledger: what is there before it starts is counted once", "[webhook][quota]") {
  Gate gate(true, 5);
  gate.api_.put(pods, pod("a", "a"));
  gate.api_.put(pods, pod("b", "b"));
  REQUIRE(gate.ready());
  REQUIRE(eventually([&] { return gate.cluster_->status().resources.at(0).objects == 2; }));
  QuotaLedgerOptions options = Gate::options();
  options.sum_interval = seconds(3'600);  // but for the first, before the observer is told anything
  gate.late_ = std::make_unique<QuotaLedger>(gate.background_, gate.api_, *gate.cluster_, *gate.store_, options);
  observe::Metrics metrics;
  gate.late_->add_metrics(metrics);
  gate.late_->start();
  const std::string used = "portcullis_quota_used{tenant=\"acme\",dimension=\"pods\"} ";
  REQUIRE(eventually([&] { return gate.late_->not_ready_because().empty() && metrics.expose().find(used) != std::string::npos; }));
  CHECK(metrics.expose().find(used + "2\n") != std::string::npos);
  CHECK(metrics.expose().find("portcullis_quota_usage_corrections_total 0\n") != std::string::npos);
}

TEST_CASE("quota ledger: usage that went astray is summed up anew, counted, and granted by", "[webhook][quota]") {
  Gate gate(true, 2);
  gate.api_.put(pods, pod("a", "a"));
  REQUIRE(gate.ready());
  gate.loop_ = std::make_shared<QuotaLoop>(gate.background_, gate.api_, *gate.cluster_, *gate.store_, Gate::options());
  observe::Metrics metrics;
  metrics.add_source([&loop = *gate.loop_](observe::Scrape& scrape) { loop.expose(scrape); });
  gate.cluster_->observe(*gate.loop_);
  gate.background_.post([loop = gate.loop_] { loop->start(); });
  const auto shows = [&](const std::string& line) {
    return eventually([&] { return metrics.expose().find(line + "\n") != std::string::npos; });
  };
  const std::string used = "portcullis_quota_used{tenant=\"acme\",dimension=\"pods\"} ";
  REQUIRE(shows(used + "1"));
  CHECK(shows("portcullis_quota_usage_corrections_total 0"));
  // A change that never was.
  gate.background_.post([loop = gate.loop_] {
    const policy::Usage usage{{"pods", policy::Quantity::of_units(5)}};
    loop->on_object({"pods", {"acme-prod", "ghost"}, "ghost", "7", &usage, nullptr});
  });
  CHECK(shows("portcullis_quota_usage_corrections_total 1"));
  CHECK(shows(used + "1"));
}

TEST_CASE("quota ledger: a clean end leaves nothing held and no lease", "[webhook][quota]") {
  Gate gate;
  REQUIRE(gate.ready());
  CHECK(gate.ask("x") == "granted");
  gate.api_.put(pods, pod("x", "x"));
  CHECK(gate.ledger_->stop(Clock::now() + seconds(5)));
  CHECK(gate.held() == 0);
  CHECK(gate.api_.requests("DELETE " + std::string("/apis/coordination.k8s.io/v1/namespaces/portcullis-system/leases/")) == 1);
  CHECK(gate.ask("y") == "the ledger is shutting down");
}
