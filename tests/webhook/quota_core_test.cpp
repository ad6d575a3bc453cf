#include "webhook/quota_core.hpp"

#include <string>
#include <vector>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using policy::ChargeStatus;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Claim create(const std::string& uid, std::int64_t pods = 1, const std::string& name = "") {
  return {.object = {"pods", "acme-prod", name.empty() ? uid : name}, .uid = uid, .old_version = 0, .needs = {{"pods", 0, pods}}};
}

// One replica, an API server that takes every write, a clock of the test.
class Replica {
 public:
  explicit Replica(Amounts hard) : core_("a-1") {
    quota_.tenant = quota_.uid = "acme";
    quota_.version = 10;
    quota_.hard = std::move(hard);
    core_.obstacle("");
    core_.quota(quota_);
    see(0);
  }

  void see(std::int64_t pods, const std::vector<SeenObject>& seen = {}) {
    ++version_;
    core_.observe({.rv = {{"pods", version_}}, .used = {{"pods", pods}}}, seen);
  }
  std::uint64_t ask(Claim claim, Clock::duration patience = milliseconds(2'500)) {
    core_.charge(++ticket_, std::move(claim), now + patience, now);
    return ticket_;
  }
  // What the core wants now; answers are kept.
  QuotaActions act() {
    QuotaActions actions = core_.act(now);
    for (const auto& answer : actions.answers) answers_[answer.ticket] = answer.outcome;
    return actions;
  }
  // All writes and reads answered until nothing more is asked for.
  void settle() {
    for (int round = 0; round < 10; ++round) {
      const QuotaActions actions = act();
      if (actions.patch) {
        ++writes;
        apply(*actions.patch);
        core_.wrote(WriteResult::applied, quota_, now);
      } else if (actions.read) {
        ++reads;
        core_.read(quota_, now);
      } else {
        return;
      }
    }
  }
  void apply(const QuotaPatch& patch) {
    ++quota_.version;
    for (const std::string& key : patch.removed) quota_.holds.erase(key);
    if (patch.remove) {
      quota_.holds.erase(patch.key);
    } else {
      quota_.holds[patch.key] = patch.hold;
    }
  }
  // Another replica's doing.
  void other(const std::string& key, std::int64_t granted, std::int64_t released = 0) {
    ++quota_.version;
    quota_.holds[key] = {.granted = {{"pods", granted}}, .released = {{"pods", released}}, .as_of = {}, .rv = {}, .used = {}};
    core_.quota(quota_);
  }
  std::string said(std::uint64_t ticket) const {
    const auto found = answers_.find(ticket);
    if (found == answers_.end()) return "nothing";
    const policy::ChargeOutcome& outcome = found->second;
    switch (outcome.status) {
      case ChargeStatus::granted:
        return "granted";
      case ChargeStatus::unavailable:
        return "unavailable: " + outcome.why;
      case ChargeStatus::over:
      case ChargeStatus::reserved:
        break;
    }
    return std::string(outcome.status == ChargeStatus::over ? "over " : "reserved ") + outcome.resource + " " +
           std::to_string(outcome.used) + "+" + std::to_string(outcome.reserved) + "+" + std::to_string(outcome.added) + " of " +
           std::to_string(outcome.hard);
  }
  [[nodiscard]] std::int64_t held() const { return webhook::held(quota_.holds, "pods"); }

  Deadline now{seconds(1'000'000)};
  int writes = 0, reads = 0;
  QuotaCore core_;
  TenantQuota quota_;

 private:
  std::int64_t version_ = 0;
  std::uint64_t ticket_ = 0;
  std::map<std::uint64_t, policy::ChargeOutcome> answers_;
};

}  // namespace

TEST_CASE("quota core: those who wait share a write", "[webhook][quota]") {
  Replica replica({{"pods", 500}});
  std::vector<std::uint64_t> tickets{replica.ask(create("first"))};
  const QuotaActions first = replica.act();
  REQUIRE(first.patch);
  for (int index = 0; index < 99; ++index) tickets.push_back(replica.ask(create("x" + std::to_string(index))));
  CHECK(!replica.act().patch);  // one on its way
  replica.apply(*first.patch);
  replica.core_.wrote(WriteResult::applied, replica.quota_, replica.now);
  replica.settle();
  for (const std::uint64_t ticket : tickets) CHECK(replica.said(ticket) == "granted");
  CHECK(replica.writes == 1);
  CHECK(replica.held() == 100);
}

TEST_CASE("quota core: a denial for real usage is exact and costs nothing", "[webhook][quota]") {
  Replica replica({{"pods", 2}});
  replica.see(2);
  const std::uint64_t ticket = replica.ask(create("x"));
  CHECK(!replica.act().patch);
  CHECK(replica.said(ticket) == "over pods 2+0+1 of 2");
}

TEST_CASE("quota core: who waits for others' grants is let through when they go", "[webhook][quota]") {
  Replica replica({{"pods", 2}});
  replica.other("b-1", 2);
  const std::uint64_t ticket = replica.ask(create("x"));
  replica.settle();
  CHECK(replica.said(ticket) == "nothing");
  CHECK(replica.writes == 0);  // a write is not tried on suspicion
  replica.other("b-1", 2, 2);
  replica.settle();
  CHECK(replica.said(ticket) == "granted");
}

TEST_CASE("quota core: one that waited in vain is remembered", "[webhook][quota]") {
  Replica replica({{"pods", 2}});
  replica.other("b-1", 2);
  const std::uint64_t first = replica.ask(create("x"), seconds(1));
  replica.settle();
  replica.now += milliseconds(600);
  replica.settle();
  replica.now += milliseconds(600);
  replica.settle();
  CHECK(replica.said(first) == "reserved pods 0+2+1 of 2");
  const std::uint64_t second = replica.ask(create("y"));
  replica.settle();
  CHECK(replica.said(second) == "reserved pods 0+2+1 of 2");
  replica.other("b-1", 2, 1);
  const std::uint64_t third = replica.ask(create("z"));
  replica.settle();
  CHECK(replica.said(third) == "granted");
}

TEST_CASE("quota core: silence of the API server is no denial", "[webhook][quota]") {
  Replica replica({{"pods", 2}});
  replica.other("b-1", 2);
  const std::uint64_t ticket = replica.ask(create("x"), seconds(1));
  CHECK(replica.act().read);
  replica.core_.read_failed(replica.now);
  replica.now += seconds(2);
  replica.act();
  CHECK(replica.said(ticket) == "unavailable: no answer of the API server in time");
}

TEST_CASE("quota core: nobody smaller overtakes", "[webhook][quota]") {
  Replica replica({{"pods", 10}});
  replica.other("b-1", 4);
  const std::uint64_t large = replica.ask(create("x", 8)), small = replica.ask(create("y", 1));
  replica.settle();
  CHECK(replica.said(large) == "nothing");
  CHECK(replica.said(small) == "nothing");
  replica.other("b-1", 4, 4);
  replica.settle();
  CHECK(replica.said(large) == "granted");
  CHECK(replica.said(small) == "granted");
}

TEST_CASE("quota core: what was seen is released, what never came is looked for", "[webhook][quota]") {
  Replica replica({{"pods", 5}});
  replica.ask(create("seen"));
  replica.ask(create("lost"));
  replica.settle();
  REQUIRE(replica.held() == 2);
  replica.see(1, {{"seen", 7}});
  replica.settle();
  CHECK(replica.held() == 2);  // far from the limit nobody misses it yet
  replica.now += seconds(2);
  replica.settle();
  CHECK(replica.held() == 1);
  CHECK(replica.core_.waits_for("lost"));
  replica.now += seconds(60);
  const QuotaActions actions = replica.act();
  REQUIRE(actions.look);
  CHECK(actions.look->name == "lost");
  replica.core_.looked("", 0, replica.now);
  replica.settle();
  replica.now += seconds(2);
  replica.settle();
  CHECK(replica.held() == 0);
}

TEST_CASE("quota core: one name created many times is charged once", "[webhook][quota]") {
  Replica replica({{"pods", 5}});
  for (int index = 0; index < 50; ++index) replica.ask(create("uid-" + std::to_string(index), 1, "web"));
  replica.settle();
  CHECK(replica.held() == 1);
  replica.now += seconds(61);
  const QuotaActions actions = replica.act();
  REQUIRE(actions.look);
  replica.core_.looked("another", 3, replica.now);
  replica.settle();
  replica.now += seconds(2);
  replica.settle();
  CHECK(replica.held() == 0);
  CHECK(!replica.act().look);
}

TEST_CASE("quota core: obstacles", "[webhook][quota]") {
  struct Case {
    const char* name;
    void (*make)(Replica&);
    const char* said;
  };
  const Case cases[] = {
      {"a lease that lapsed", [](Replica& r) { r.core_.obstacle("the replica's lease is not held"); },
       "unavailable: the replica's lease is not held"},
      {"no TenantQuota", [](Replica& r) { r.core_.quota(std::nullopt); }, "unavailable: no TenantQuota"},
      {"a newer protocol",
       [](Replica& r) {
         r.quota_.protocol = 2;
         r.other("b-1", 0);
       },
       "unavailable: TenantQuota of a newer protocol"},
      {"a dimension the object lacks",
       [](Replica& r) {
         r.quota_.hard.clear();
         r.other("b-1", 0);
       },
       "unavailable: the TenantQuota lacks pods"},
      {"smaller in the documents",
       [](Replica& r) {
         r.core_.limits({{"pods", 0}});
       },
       "over pods 0+0+1 of 0"},
      {"larger in the documents",
       [](Replica& r) {
         r.core_.limits({{"pods", 100}});
       },
       "granted"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Replica replica({{"pods", 5}});
      c.make(replica);
      const std::uint64_t ticket = replica.ask(create("x"));
      replica.settle();
      CHECK(replica.said(ticket) == c.said);
    }
  }
}

TEST_CASE("quota core: writes refused for no reason end in words, not in a loop", "[webhook][quota]") {
  Replica replica({{"pods", 5}});
  const std::uint64_t ticket = replica.ask(create("x"));
  int writes = 0;
  for (int round = 0; round < 50; ++round) {
    const QuotaActions actions = replica.act();
    if (actions.patch) {
      ++writes;
      replica.core_.wrote(WriteResult::refused, std::nullopt, replica.now);
    }
    if (actions.read) replica.core_.read(replica.quota_, replica.now);
  }
  CHECK(writes == 3);
  CHECK(replica.said(ticket) == "unavailable: the API server refuses the ledger's writes");
}

TEST_CASE("quota core: asking what would be granted leaves no trace", "[webhook][quota]") {
  Replica replica({{"pods", 1}});
  replica.settle();
  const std::string before = replica.core_.text(replica.now);
  for (int index = 0; index < 1'000; ++index)
    CHECK(replica.core_.would_grant(create("x" + std::to_string(index))).status == ChargeStatus::granted);
  CHECK(replica.core_.text(replica.now) == before);
  CHECK(!replica.act().patch);
}

TEST_CASE("quota core: a clean end leaves no key behind", "[webhook][quota]") {
  Replica replica({{"pods", 5}});
  replica.ask(create("x"));
  replica.settle();
  replica.see(1, {{"x", 7}});
  replica.core_.stop();
  replica.now += milliseconds(30);
  SECTION("where another's view is as new") {
    replica.quota_.holds["b-1"].rv["pods"] = 100;
    ++replica.quota_.version;
    replica.core_.quota(replica.quota_);
    replica.settle();
    CHECK(!replica.quota_.holds.contains("a-1"));
  }
  SECTION("else one that holds nothing") {
    replica.settle();
    CHECK(replica.held() == 0);
    CHECK(replica.quota_.holds.contains("a-1"));
  }
  CHECK(replica.core_.stopped());
}

TEST_CASE("pending claims: attempts at one object do not add up", "[webhook][quota]") {
  const auto update = [](std::uint64_t found, std::int64_t from, std::int64_t to) {
    return Claim{.object = {"pods", "n", "x"}, .uid = "x", .old_version = found, .needs = {{"pods", from, to}}};
  };
  PendingClaims pending;
  const Deadline later = Clock::now() + seconds(60);
  pending.add(1, update(100, 2, 5));
  pending.let_through(1, later);
  CHECK(pending.growth(update(100, 2, 4)).empty());
  CHECK(pending.growth(update(110, 5, 9)) == Amounts{{"pods", 4}});
  pending.add(2, update(110, 5, 9));
  pending.let_through(2, later);
  CHECK(pending.sum() == Amounts{{"pods", 7}});
  CHECK(pending.seen("x", 100).empty());  // what the first one found
  CHECK(pending.sum() == Amounts{{"pods", 7}});
  pending.seen("x", 110);  // ends the first, stored or not
  CHECK(pending.sum() == Amounts{{"pods", 4}});
  pending.seen("x", 111);
  CHECK(pending.sum().empty());
  CHECK(pending.empty());
}

TEST_CASE("pending claims: objects of one name are one", "[webhook][quota]") {
  const auto claim = [](const char* uid, std::uint64_t found, std::int64_t from, std::int64_t to) {
    return Claim{.object = {"pods", "n", "web"}, .uid = uid, .old_version = found, .needs = {{"pods", from, to}}};
  };
  PendingClaims pending;
  pending.add(1, claim("a", 0, 0, 3));
  pending.add(2, claim("b", 0, 0, 2));
  CHECK(pending.sum() == Amounts{{"pods", 3}});
  // `b` was stored with 2; what raises it to 4 is not covered by what `a` may still come to.
  pending.let_through(2, Clock::now() + seconds(60));
  pending.seen("b", 7);
  CHECK(pending.growth(claim("b", 7, 2, 4)) == Amounts{{"pods", 1}});
}
