// Leases: the machine by a clock of its own, then two who want one against an API server in memory.
#include "kube/leases.hpp"
#include "net/background.hpp"
#include "tests/catch.hpp"
#include "tests/kube/fake_api.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using namespace portcullis::kube::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* leases = "/apis/coordination.k8s.io/v1/leases";

LeaseOptions lease(const std::string& identity) {
  LeaseOptions options;
  options.name_space = "system";
  options.name = "certs";
  options.identity = identity;
  options.labels = {{"app", "portcullis"}};
  return options;
}

json lease_object(const std::string& holder, const std::string& version, int duration = 15) {
  return {{"metadata", {{"name", "certs"}, {"namespace", "system"}, {"resourceVersion", version}, {"uid", "u"}}},
          {"spec", {{"holderIdentity", holder}, {"leaseDurationSeconds", duration}, {"leaseTransitions", 3}}}};
}

struct Machine {
  LeaseMachine machine{lease("me")};
  BootClock::time_point now{BootClock::duration(1'000s)};
  WallClock::time_point wall{std::chrono::sys_days(std::chrono::year(2026) / 11 / 24)};
  json body;

  // "GET", "POST", "PATCH", "wait 2000".
  std::string next() {
    const LeaseMachine::Action action = machine.next(now, wall);
    if (action.step == LeaseMachine::Step::wait)
      return "wait " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(action.wait).count());
    body = action.request.body.empty() ? json() : json::parse(action.request.body);
    return action.request.method;
  }
  void answer(int status, const json& object = json::object()) { machine.answered(now, ApiResponse{status, object.dump(), "", {}}); }
  void answer_lost() { machine.answered(now, fail(ErrorKind::unavailable, "peer", "cut off")); }
  bool held() const { return now < machine.valid_until(); }
  void hold() {
    next();
    answer(404);
    next();
    answer(201, lease_object("me", "5"));
  }
};

}  // namespace

TEST_CASE("a lease that nobody has is created and renewed", "[kube]") {
  Machine m;
  CHECK(m.next() == "GET");
  m.answer(404);
  CHECK(m.next() == "POST");
  CHECK(m.body["spec"]["holderIdentity"] == "me");
  CHECK(m.body["spec"]["renewTime"] == "2026-11-24T00:00:00.000000Z");
  CHECK(m.body["metadata"]["labels"]["app"] == "portcullis");
  CHECK_FALSE(m.held());
  m.now += 1s;
  m.answer(201, lease_object("me", "5"));
  CHECK(m.held());
  CHECK(m.machine.valid_until() == m.now + 14s);  // from when it was sent
  CHECK(m.next() == "wait 1000");
  m.now += 1s;
  CHECK(m.next() == "PATCH");
  CHECK(m.body["metadata"]["resourceVersion"] == "5");
  CHECK_FALSE(m.body["spec"].contains("acquireTime"));
  m.answer(200, lease_object("me", "6"));
  CHECK(m.machine.valid_until() == m.now + 15s);
}

TEST_CASE("another's lease is taken when it stood still for as long as it says", "[kube]") {
  Machine m;
  m.next();
  m.answer(200, lease_object("other", "5", 10));
  CHECK(m.next() == "wait 2000");
  std::string version = "5";
  for (int renewals = 0; renewals < 3; ++renewals) {  // it lives
    m.now += 9s;
    version += "0";
    CHECK(m.next() == "GET");
    m.answer(200, lease_object("other", version, 10));
    CHECK(m.next() == "wait 2000");
  }
  m.now += 10s;
  CHECK(m.next() == "GET");
  m.answer(200, lease_object("other", version, 10));
  CHECK(m.next() == "wait 1000");  // and a tenth more
  m.now += 1s;
  CHECK(m.next() == "GET");
  m.answer(200, lease_object("other", version, 10));
  CHECK(m.next() == "PATCH");
  CHECK(m.body["spec"]["leaseTransitions"] == 4);
  SECTION("and one is faster") {
    m.answer(409);
    CHECK_FALSE(m.held());
    m.now += 1s;
    CHECK(m.next() == "GET");
  }
  SECTION("and it is ours") {
    m.answer(200, lease_object("me", "70"));
    CHECK(m.held());
  }
}

TEST_CASE("a lease given back is taken at once", "[kube]") {
  Machine m;
  m.next();
  m.answer(200, lease_object("", "5"));
  CHECK(m.next() == "PATCH");
}

TEST_CASE("without answers a lease ends by itself, and a lost answer is looked up", "[kube]") {
  Machine m;
  m.hold();
  const auto until = m.machine.valid_until();
  m.now += 2s;
  CHECK(m.next() == "PATCH");
  m.answer_lost();
  CHECK(m.machine.valid_until() == until);
  CHECK(m.next() == "wait 1000");
  m.now += 1s;
  CHECK(m.next() == "GET");
  m.answer(200, lease_object("me", "6"));
  CHECK(m.machine.valid_until() == until);  // reading proves nothing
  CHECK(m.next() == "PATCH");
  m.answer(200, lease_object("me", "7"));
  CHECK(m.machine.valid_until() == m.now + 15s);
  m.now += 16s;
  CHECK_FALSE(m.held());
}

TEST_CASE("a lease that was deleted under its holder is created anew", "[kube]") {
  Machine m;
  m.hold();
  m.now += 2s;
  CHECK(m.next() == "PATCH");
  m.answer(404);
  CHECK(m.next() == "wait 1000");
  m.now += 1s;
  CHECK(m.next() == "POST");
}

TEST_CASE("a lease that is older than it was, or gone: the API server went back in time", "[kube]") {
  Machine m;
  m.hold();
  m.now += 2s;
  m.next();
  m.answer(200, lease_object("me", "60"));
  m.now += 2s;
  CHECK(m.next() == "PATCH");
  SECTION("the lease is an older one") {
    m.answer(409);
    m.now += 1s;
    CHECK(m.next() == "GET");
    m.answer(200, lease_object("me", "5"));
    CHECK(m.machine.went_back());  // before it can be held again
    CHECK(m.next() == "PATCH");
    m.answer(200, lease_object("me", "61"));
    CHECK(m.held());
    CHECK(m.machine.went_back());
  }
  SECTION("the lease was not there yet") {
    m.answer(404);
    m.now += 1s;
    CHECK(m.next() == "POST");
    CHECK_FALSE(m.machine.went_back());
    m.answer(201, lease_object("me", "100"));
    CHECK(m.machine.went_back());
  }
  SECTION("it was no API server that did not know it") {
    m.answer(404);
    m.now += 1s;
    CHECK(m.next() == "POST");
    m.answer(409);
    m.now += 1s;
    CHECK(m.next() == "GET");
    m.answer(200, lease_object("me", "60"));
    CHECK_FALSE(m.machine.went_back());
  }
  SECTION("somebody wrote it") {
    m.answer(409);
    m.now += 1s;
    CHECK(m.next() == "GET");
    m.answer(200, lease_object("me", "61"));
    CHECK_FALSE(m.machine.went_back());
  }
}

TEST_CASE("giving back", "[kube]") {
  Machine m;
  CHECK_FALSE(m.machine.release(false, m.wall));
  m.hold();
  const auto freed = m.machine.release(false, m.wall);
  REQUIRE(freed);
  CHECK(json::parse(freed->body)["spec"]["holderIdentity"] == "");
  CHECK_FALSE(m.held());
  const auto removed = m.machine.release(true, m.wall);
  REQUIRE(removed);
  CHECK(removed->method == "DELETE");
  CHECK(json::parse(removed->body)["preconditions"]["uid"] == "u");
}

TEST_CASE("of two who want a lease one has it, and the other when it is given back", "[kube]") {
  FakeApi api;
  api.serve(leases);
  net::Background background("kube-test");
  {
    LeaseOptions a = lease("a"), b = lease("b");
    a.renewal = b.renewal = 20ms;
    Lease first(background, api, a), second(background, api, b);
    LeaseWatch watch(background, api, "system", "app=portcullis");
    watch.start();
    first.start();
    REQUIRE(eventually([&] { return first.held(); }));
    second.start();
    REQUIRE(eventually([&] { return api.requests("GET /apis/coordination.k8s.io/v1/namespaces/system/leases/certs") > 3; }));
    CHECK_FALSE(second.held());
    std::atomic<bool> seen{false};
    CHECK(eventually([&] {
      background.post([&] {
        seen = watch.synced() && watch.names() == std::vector<std::string>{"certs"} && Clock::now() - watch.silent_since("certs") < 5s;
      });
      return seen.load();
    }));
    background.spawn("release", [&] { return first.release(Lease::Release::free, Clock::now() + 5s); });
    CHECK(eventually([&] { return second.held(); }));
    CHECK_FALSE(first.held());
    CHECK(api.get(leases, "system/certs")["spec"]["holderIdentity"] == "b");
    background.spawn("release", [&] { return second.release(Lease::Release::remove, Clock::now() + 5s); });
    CHECK(eventually([&] { return api.get(leases, "system/certs").is_null(); }));
    CHECK(background.stop(Clock::now() + 5s));
  }
}
