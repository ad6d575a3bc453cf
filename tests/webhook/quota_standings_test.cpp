// What other threads are told of budgets.
#include "webhook/quota_standings.hpp"

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using policy::ChargeStatus;

TEST_CASE("quota standings: would it be granted", "[webhook][quota]") {
  QuotaStandings standings;
  policy::Charge charge;
  charge.tenant = "acme";
  charge.added = {{"pods", 2}};
  CHECK(standings.would_grant(charge).why == "not started");
  standings.trouble("");
  CHECK(standings.would_grant(charge).why == "the budget is not known");
  struct Case {
    const char* name;
    QuotaCore::Standing pods, services;
    ChargeStatus status;
    const char* resource;
  };
  const Case cases[] = {
      {"fits exactly", {10, 6, 2}, {1, 0, 0}, ChargeStatus::granted, ""},
      {"reservations are in the way", {10, 7, 2}, {1, 0, 0}, ChargeStatus::reserved, "pods"},
      {"usage is", {10, 9, 0}, {1, 0, 0}, ChargeStatus::over, "pods"},
      {"the second dimension", {10, 0, 0}, {1, 1, 0}, ChargeStatus::over, "services"},
      {"over says more than reserved", {10, 7, 2}, {1, 1, 0}, ChargeStatus::over, "services"},
  };
  charge.added.push_back({"services", 1});
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      standings.publish({{"acme", {{"pods", c.pods}, {"services", c.services}}}});
      const policy::ChargeOutcome outcome = standings.would_grant(charge);
      CHECK(outcome.status == c.status);
      CHECK(outcome.resource == c.resource);
    }
  }
  standings.publish({{"acme", {{"pods", {10, 0, 0}}}}});
  CHECK(standings.would_grant(charge).why == "the budget is not known");
}
