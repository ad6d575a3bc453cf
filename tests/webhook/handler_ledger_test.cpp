// Reviews that wait for the ledger: asked once, judged again with its word, and nothing left behind when nobody waits.
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "net/waker.hpp"
#include "tests/catch.hpp"
#include "tests/temp_dir.hpp"
#include "tests/webhook/door_parts.hpp"
#include "webhook/handler.hpp"

using namespace portcullis;
using nlohmann::json;
using policy::ChargeStatus;

namespace {

constexpr const char* documents = R"(
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
    - {name: acme-open, environment: staging, tenancy: dedicated}
  budget: {pods: "4"}
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: budgets}
spec: {match: {namespaces: [acme-prod]}, rules: [{id: tenant-budget}]}
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: open}
spec: {match: {namespaces: [acme-open]}, failureMode: allow, rules: [{id: tenant-budget}, {id: replica-floor, with: {min: 2}}]}
)";

// Answers when the test says so.
class SlowLedger final : public webhook::Ledger {
 public:
  void charge(policy::Charge charge, Deadline, Done done) override { asked.emplace_back(std::move(charge), std::move(done)); }
  policy::ChargeOutcome would_grant(const policy::Charge&) override {
    ++looked;
    return {.status = ChargeStatus::over, .resource = "pods", .hard = 4, .used = 4, .reserved = 0, .added = 1, .why = {}};
  }
  void deleted(std::string_view resource, std::string_view name_space, std::string_view name) override {
    gone.push_back(std::string(resource) + ' ' + std::string(name_space) + ' ' + std::string(name));
  }
  void say(policy::ChargeOutcome outcome) {
    asked.front().second(std::move(outcome));
    asked.pop_front();
  }

  std::deque<std::pair<policy::Charge, Done>> asked;
  std::vector<std::string> gone;
  int looked = 0;
};

class Door {
 public:
  Door() {
    webhook::WebhookOptions options;
    options.ledger = &ledger;
    handler_ = webhook::make_handlers(*store_, *log_, metrics, std::move(options))(0);
    handler_->attach(waker_);
  }

  net::Response post(const std::string& name, const std::string& operation = "CREATE", bool dry_run = false,
                     const std::string& name_space = "acme-prod") {
    const json pod{{"apiVersion", "v1"},
                   {"kind", "Pod"},
                   {"metadata", {{"name", name}, {"namespace", name_space}, {"uid", "u-" + name}}},
                   {"spec", {{"containers", {{{"name", "web"}, {"image", "registry.hoster.example/odoo:17.0"}}}}}}};
    const bool removes = operation == "DELETE";
    const json review{{"apiVersion", "admission.k8s.io/v1"},
                      {"kind", "AdmissionReview"},
                      {"request",
                       {{"uid", "r-" + name},
                        {"kind", {{"group", ""}, {"version", "v1"}, {"kind", "Pod"}}},
                        {"resource", {{"group", ""}, {"version", "v1"}, {"resource", "pods"}}},
                        {"name", name},
                        {"namespace", name_space},
                        {"operation", operation},
                        {"userInfo", {{"username", "ana"}, {"groups", {"system:authenticated"}}}},
                        {"object", removes ? json(nullptr) : pod},
                        {"oldObject", removes ? pod : json(nullptr)},
                        {"dryRun", dry_run},
                        {"options", nullptr}}}};
    return test::answer_of(*handler_, {.target = "/validate?timeout=10s", .body = review.dump()});
  }
  // What the loop would do with what was woken.
  std::vector<net::Response> woken() {
    std::vector<std::uint64_t> tickets;
    waker_->take(tickets);
    std::vector<net::Response> responses;
    for (const std::uint64_t ticket : tickets) handler_->finish(ticket, responses.emplace_back());
    return responses;
  }
  void leave(std::uint64_t ticket) { handler_->abandoned(ticket); }

  SlowLedger ledger;
  webhook::WebhookMetrics metrics;

 private:
  tests::TempDir dir_;
  std::unique_ptr<config::Store> store_ = test::open_store(dir_.path(), documents);
  std::unique_ptr<audit::Log> log_ = test::open_log(dir_.path());
  std::shared_ptr<net::Waker> waker_ = std::make_shared<net::Waker>();
  std::unique_ptr<net::Handler> handler_;
};

json answer(const net::Response& response) {
  REQUIRE(response.status == 200);
  return json::parse(response.body).at("response");
}

}  // namespace

TEST_CASE("ledger at the door: granted", "[webhook]") {
  Door door;
  CHECK(door.post("a").waits());
  REQUIRE(door.ledger.asked.size() == 1);
  CHECK(door.ledger.asked.front().first.tenant == "acme");
  CHECK(door.ledger.asked.front().first.object_uid == "u-a");
  CHECK(door.woken().empty());
  door.ledger.say({.status = ChargeStatus::granted, .resource = {}, .why = {}});
  const auto responses = door.woken();
  REQUIRE(responses.size() == 1);
  const json said = answer(responses.front());
  CHECK(said.at("allowed") == true);
  CHECK(said.at("uid") == "r-a");
}

TEST_CASE("ledger at the door: several wait, each gets its own answer", "[webhook]") {
  Door door;
  for (const char* name : {"a", "b", "c"}) CHECK(door.post(name).waits());
  door.ledger.say({.status = ChargeStatus::granted, .resource = {}, .why = {}});
  door.ledger.say({.status = ChargeStatus::over, .resource = "pods", .hard = 4, .used = 4, .reserved = 0, .added = 1, .why = {}});
  door.ledger.say({.status = ChargeStatus::granted, .resource = {}, .why = {}});
  const auto responses = door.woken();
  REQUIRE(responses.size() == 3);
  CHECK(answer(responses[0]).at("uid") == "r-a");
  const json denied = answer(responses[1]);
  CHECK(denied.at("uid") == "r-b");
  CHECK(denied.at("allowed") == false);
  CHECK(denied.at("status").at("code") == 403);
  CHECK(denied.at("status").at("details").at("causes").at(0).at("reason") == "tenant-budget");
  CHECK(answer(responses[2]).at("allowed") == true);
}

TEST_CASE("ledger at the door: no word is no denial", "[webhook]") {
  Door door;
  CHECK(door.post("a").waits());
  door.ledger.say({.status = ChargeStatus::unavailable, .resource = {}, .why = "the API server does not answer"});
  const auto responses = door.woken();
  REQUIRE(responses.size() == 1);
  CHECK(responses.front().status == 503);
  REQUIRE_FALSE(responses.front().headers().empty());
  CHECK(responses.front().headers().front().name == "retry-after");
  CHECK(responses.front().body.find("the API server does not answer") != std::string::npos);
  CHECK(door.metrics.unavailable.value() == 1);
}

TEST_CASE("ledger at the door: failureMode allow lets through, and counts it", "[webhook]") {
  Door door;
  CHECK(door.post("a", "CREATE", false, "acme-open").waits());
  door.ledger.say({.status = ChargeStatus::unavailable, .resource = {}, .why = "the API server does not answer"});
  const auto responses = door.woken();
  REQUIRE(responses.size() == 1);
  CHECK(answer(responses.front()).at("allowed") == true);
  CHECK(door.metrics.failed_open.value() == 1);
}

TEST_CASE("ledger at the door: a dry run is looked at and reserves nothing", "[webhook]") {
  Door door;
  const net::Response response = door.post("a", "CREATE", true);
  CHECK_FALSE(response.waits());
  CHECK(door.ledger.asked.empty());
  CHECK(door.ledger.looked == 1);
  CHECK(answer(response).at("allowed") == false);
}

TEST_CASE("ledger at the door: who left is forgotten, and the word for it is nobody's", "[webhook]") {
  Door door;
  CHECK(door.post("a").waits());
  door.leave(1);
  door.ledger.say({.status = ChargeStatus::granted, .resource = {}, .why = {}});
  const auto responses = door.woken();  // a loop would not even ask
  REQUIRE(responses.size() == 1);
  CHECK(responses.front().status == 500);
}

TEST_CASE("ledger at the door: no more wait than there is room for", "[webhook]") {
  Door door;
  for (std::size_t i = 0; i < webhook::waiting_reviews_max; ++i) REQUIRE(door.post("p" + std::to_string(i)).waits());
  const net::Response refused = door.post("one-more");
  CHECK_FALSE(refused.waits());
  CHECK(refused.status == 503);
  CHECK(door.ledger.asked.size() == webhook::waiting_reviews_max);
}

TEST_CASE("ledger at the door: deletions are told", "[webhook]") {
  Door door;
  CHECK(answer(door.post("a", "DELETE")).at("allowed") == true);
  CHECK(door.ledger.asked.empty());
  CHECK(door.ledger.gone == std::vector<std::string>{"pods acme-prod a"});
  door.post("b", "DELETE", true);
  CHECK(door.ledger.gone.size() == 1);
}
