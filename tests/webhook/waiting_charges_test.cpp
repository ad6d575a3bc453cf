// Who waits for an answer, and which objects are looked out for.
#include "webhook/waiting_charges.hpp"

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;

TEST_CASE("waiting charges: each is answered once and counted", "[webhook][quota]") {
  QuotaMetrics metrics;
  WaitingCharges waiting(metrics);
  int granted = 0, refused = 0;
  const auto done = [&](const policy::ChargeOutcome& outcome) { ++(outcome.status == policy::ChargeStatus::granted ? granted : refused); };
  policy::ChargeOutcome yes;
  yes.status = policy::ChargeStatus::granted;
  const std::uint64_t first = waiting.add("acme", "x", Clock::now(), done), second = waiting.add("acme", "x", Clock::now(), done);
  CHECK(first != second);
  CHECK(waiting.tenant_of("x") == "acme");
  waiting.answer(first, yes);
  waiting.answer(first, yes);  // nobody waits under that ticket any more
  CHECK(granted == 1);
  CHECK(metrics.charges[0].value() == 1);
  CHECK(waiting.waits_for("x"));
  waiting.refuse_all("the end");
  CHECK(refused == 1);
  waiting.answer(second, yes);
  CHECK(granted == 1);
}

TEST_CASE("waiting charges: an object is looked out for after its answer, until it is forgotten", "[webhook][quota]") {
  QuotaMetrics metrics;
  WaitingCharges waiting(metrics);
  const std::uint64_t ticket = waiting.add("acme", "x", Clock::now(), [](const policy::ChargeOutcome&) {});
  waiting.add("zeta", "y", Clock::now(), [](const policy::ChargeOutcome&) {});
  waiting.answer(ticket, policy::unavailable("later"));
  CHECK_FALSE(waiting.waits_for("x"));
  CHECK(waiting.tenant_of("x") == "acme");
  waiting.forget_if([](const std::string& tenant, const std::string& uid) { return tenant == "acme" && uid == "x"; });
  CHECK(waiting.tenant_of("x").empty());
  CHECK(waiting.tenant_of("y") == "zeta");
  waiting.forget("y");
  CHECK(waiting.tenant_of("y").empty());
  CHECK_FALSE(waiting.waits_for("y"));
}
