// How far TenantQuotas are from documents, and when people are told.
#include "webhook/quota_drift.hpp"

#include <optional>
#include <string>

#include "observe/log.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;

namespace {

TenantQuota quota(Amounts hard) {
  TenantQuota quota;
  quota.hard = std::move(hard);
  return quota;
}

}  // namespace

TEST_CASE("quota drift: counted by dimension, from either side", "[webhook][quota]") {
  struct Case {
    const char* name;
    std::optional<Amounts> limits, hard;
    std::size_t different;
  };
  const Case cases[] = {
      {"neither", {}, {}, 0},
      {"the same", Amounts{{"pods", 2}}, Amounts{{"pods", 2}}, 0},
      {"another amount", Amounts{{"pods", 2}}, Amounts{{"pods", 3}}, 1},
      {"zero is not absent", Amounts{{"pods", 0}}, Amounts{}, 1},
      {"only documents", Amounts{{"pods", 2}, {"services", 1}}, Amounts{{"pods", 2}}, 1},
      {"only the object", Amounts{{"pods", 2}}, Amounts{{"pods", 2}, {"services", 1}}, 1},
      {"no object", Amounts{{"pods", 2}, {"services", 1}}, {}, 2},
      {"no budget in the documents", {}, Amounts{{"pods", 2}}, 1},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      QuotaDrift drift;
      const TenantQuota object = quota(c.hard.value_or(Amounts{}));
      drift.compare("acme", c.limits ? &*c.limits : nullptr, c.hard ? &object : nullptr, true);
      CHECK(drift.of("acme") == c.different);
      observe::Metrics metrics;
      metrics.add_source([&](observe::Scrape& scrape) { drift.expose(scrape); });
      const std::string sample = "portcullis_quota_drift{tenant=\"acme\"} " + std::to_string(c.different);
      CHECK((metrics.expose().find(sample) != std::string::npos) == (c.different > 0));
    }
  }
}

TEST_CASE("quota drift: told once, when all objects are known, and again when it is another", "[webhook][quota]") {
  int told = 0;
  observe::set_log_sink(
      [&](std::string_view line) { told += line.find("quota_differs_from_documents") != std::string_view::npos ? 1 : 0; });
  QuotaDrift drift;
  const Amounts limits{{"pods", 2}, {"services", 1}};
  const TenantQuota half = quota({{"pods", 2}}), whole = quota(limits);
  drift.compare("acme", &limits, nullptr, false);
  CHECK(told == 0);
  drift.compare("acme", &limits, nullptr, true);
  CHECK(told == 1);
  drift.compare("acme", &limits, nullptr, true);
  CHECK(told == 1);
  drift.compare("acme", &limits, &half, true);
  CHECK(told == 2);
  drift.compare("acme", &limits, &whole, true);
  drift.compare("acme", &limits, &half, true);
  CHECK(told == 3);
  observe::set_log_sink({});
}
