#include "webhook/embedded_ledger.hpp"

#include <atomic>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"
#include "tests/temp_dir.hpp"

using namespace portcullis;
using policy::ChargeStatus;

namespace {

class Budgets {
 public:
  explicit Budgets(std::size_t objects_max = webhook::EmbeddedLedger::objects_max) {
    write("4", "2");
    auto opened = config::Store::open(dir_.path(), false);
    REQUIRE(opened);
    store_ = std::move(*opened);
    ledger_.emplace(*store_, objects_max);
  }

  void write(const std::string& pods, const std::string& staging) {
    std::ofstream(dir_.path() / "documents.yaml") << R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Madrid
  namespaces:
    - {name: acme-prod, environment: production, tenancy: dedicated}
    - {name: acme-staging, environment: staging, tenancy: dedicated, budget: {pods: ")"
                                                  << staging << R"("}}
  budget: {pods: ")" << pods << R"(", requests.cpu: "2"}
)";
    if (store_) REQUIRE(store_->reload().empty());
  }

  static policy::Charge pod(const std::string& name_space, const std::string& name, const char* cpu = "250m") {
    policy::Charge charge;
    charge.tenant = "acme";
    charge.resource = "pods";
    charge.name_space = name_space;
    charge.name = name;
    charge.usage = {{"pods", policy::Quantity::of_units(1)}, {"requests.cpu", *policy::Quantity::parse(cpu)}};
    charge.added = {
        {"pods", 1},
        {"requests.cpu",
         policy::Quantity::parse(cpu)->nanos() > 0 ? static_cast<std::int64_t>(policy::Quantity::parse(cpu)->nanos() / 1'000'000) : 0}};
    if (name_space == "acme-staging") charge.added.push_back({"acme-staging/pods", 1});
    return charge;
  }
  policy::ChargeOutcome ask(policy::Charge charge) {
    policy::ChargeOutcome said;
    ledger_->charge(std::move(charge), Clock::now(), [&](policy::ChargeOutcome outcome) { said = std::move(outcome); });
    return said;
  }
  webhook::EmbeddedLedger& ledger() { return *ledger_; }

 private:
  portcullis::tests::TempDir dir_;
  std::unique_ptr<config::Store> store_;
  std::optional<webhook::EmbeddedLedger> ledger_;
};

}  // namespace

TEST_CASE("embedded ledger: grants what fits, and says what does not", "[webhook]") {
  Budgets budgets;
  CHECK(budgets.ask(Budgets::pod("acme-prod", "a")).status == ChargeStatus::granted);
  CHECK(budgets.ask(Budgets::pod("acme-staging", "b")).status == ChargeStatus::granted);
  CHECK(budgets.ask(Budgets::pod("acme-staging", "c")).status == ChargeStatus::granted);
  const policy::ChargeOutcome entry = budgets.ask(Budgets::pod("acme-staging", "d"));
  CHECK(entry.status == ChargeStatus::over);
  CHECK(entry.resource == "acme-staging/pods");
  CHECK((entry.hard == 2 && entry.used == 2 && entry.added == 1));
  CHECK(budgets.ask(Budgets::pod("acme-prod", "e")).status == ChargeStatus::granted);
  const policy::ChargeOutcome tenant = budgets.ask(Budgets::pod("acme-prod", "f"));
  CHECK(tenant.status == ChargeStatus::over);
  CHECK(tenant.resource == "pods");
}

TEST_CASE("embedded ledger: a deletion makes room, once", "[webhook]") {
  Budgets budgets;
  for (const char* name : {"a", "b", "c", "d"}) CHECK(budgets.ask(Budgets::pod("acme-prod", name)).status == ChargeStatus::granted);
  CHECK(budgets.ledger().would_grant(Budgets::pod("acme-prod", "e")).status == ChargeStatus::over);
  budgets.ledger().deleted("pods", "acme-prod", "a");
  budgets.ledger().deleted("pods", "acme-prod", "a");
  budgets.ledger().deleted("pods", "acme-prod", "never-there");
  CHECK(budgets.ledger().would_grant(Budgets::pod("acme-prod", "e")).status == ChargeStatus::granted);
  CHECK(budgets.ask(Budgets::pod("acme-prod", "e")).status == ChargeStatus::granted);
  CHECK(budgets.ask(Budgets::pod("acme-prod", "f")).status == ChargeStatus::over);
}

TEST_CASE("embedded ledger: the same name again is one object", "[webhook]") {
  Budgets budgets;
  for (int i = 0; i < 20; ++i) CHECK(budgets.ask(Budgets::pod("acme-prod", "a")).status == ChargeStatus::granted);
  // It grows from 250m to 2, all there is, and no further.
  CHECK(budgets.ask(Budgets::pod("acme-prod", "a", "2")).status == ChargeStatus::granted);
  const policy::ChargeOutcome more = budgets.ask(Budgets::pod("acme-prod", "a", "2500m"));
  CHECK(more.status == ChargeStatus::over);
  CHECK(more.resource == "requests.cpu");
  CHECK(more.added == 500);
}

TEST_CASE("embedded ledger: other documents, other budgets", "[webhook]") {
  Budgets budgets;
  for (const char* name : {"a", "b", "c", "d"}) CHECK(budgets.ask(Budgets::pod("acme-prod", name)).status == ChargeStatus::granted);
  budgets.write("5", "2");
  CHECK(budgets.ask(Budgets::pod("acme-prod", "e")).status == ChargeStatus::granted);
  budgets.write("3", "2");
  const policy::ChargeOutcome lowered = budgets.ask(Budgets::pod("acme-prod", "f"));
  CHECK(lowered.status == ChargeStatus::over);
  CHECK((lowered.hard == 3 && lowered.used == 5));
  policy::Charge unknown = Budgets::pod("acme-prod", "g");
  unknown.added = {{"services", 1}};
  CHECK(budgets.ask(std::move(unknown)).status == ChargeStatus::unavailable);
}

TEST_CASE("embedded ledger: full is not judged", "[webhook]") {
  Budgets budgets(1);
  CHECK(budgets.ask(Budgets::pod("acme-prod", "a")).status == ChargeStatus::granted);
  CHECK(budgets.ask(Budgets::pod("acme-prod", "b")).status == ChargeStatus::unavailable);
  CHECK(budgets.ask(Budgets::pod("acme-prod", "a")).status == ChargeStatus::granted);
}

TEST_CASE("embedded ledger: never more than there is, whoever asks at once", "[webhook]") {
  Budgets budgets;
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i)
        budgets.ledger().charge(Budgets::pod("acme-prod", std::to_string(t) + "-" + std::to_string(i), "1m"), Clock::now(),
                                [&](const policy::ChargeOutcome& said) { granted += said.status == ChargeStatus::granted; });
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(granted == 4);
}
