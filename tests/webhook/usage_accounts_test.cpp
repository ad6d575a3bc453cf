// Usage kept up object by object, and the full sum that it has to be.
#include "webhook/usage_accounts.hpp"

#include <fstream>
#include <string>

#include "tests/catch.hpp"
#include "tests/temp_dir.hpp"

using namespace portcullis;
using namespace portcullis::webhook;

namespace {

constexpr const char* documents = R"(
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
  budget: {pods: 9, services: 9}
  namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: zeta}
spec:
  tier: 1
  timeZone: Europe/Madrid
  budget: {pods: 9}
  namespaces: [{name: zeta-prod, environment: production, tenancy: dedicated}]
)";

policy::Usage of(const char* what, int count) { return {{what, policy::Quantity::of_units(count)}}; }

struct World {
  tests::TempDir dir;
  std::unique_ptr<config::Store> store;
  UsageAccounts accounts;

  World() {
    std::ofstream(dir.path() / "documents.yaml") << documents;
    auto opened = config::Store::open(dir.path(), false);
    REQUIRE(opened);
    store = std::move(*opened);
    accounts.open(store->current());
  }
  void change(const char* name_space, const policy::Usage& usage) { accounts.change(name_space, &usage, nullptr); }
  std::int64_t used(const char* tenant, const char* dimension) const {
    return amount_of(accounts.accounts().find(tenant)->second.used, dimension);
  }
  // "acme/pods 3->2 ", "" when nothing was corrected.
  std::string verify(const char* resource, const std::vector<std::pair<const char*, policy::Usage>>& objects) {
    std::string text;
    const auto corrections = accounts.verify(resource, [&](const UsageAccounts::Tell& tell) {
      for (const auto& [name_space, usage] : objects) tell(name_space, usage);
    });
    for (const UsageAccounts::Correction& each : corrections)
      text += each.tenant + "/" + each.dimension + " " + std::to_string(each.kept) + "->" + std::to_string(each.summed) + " ";
    return text;
  }
};

}  // namespace

TEST_CASE("usage accounts: the full sum of a resource", "[webhook][quota]") {
  World w;
  CHECK(w.accounts.resources() == std::set<std::string, std::less<>>{"pods", "services"});
  CHECK(w.accounts.counts("acme", "services"));
  CHECK_FALSE(w.accounts.counts("zeta", "services"));
  w.change("acme-prod", of("pods", 1));
  w.change("acme-prod", of("pods", 2));
  w.change("acme-prod", of("services", 4));
  w.change("zeta-prod", of("pods", 5));
  w.change("nobodys", of("pods", 7));
  const std::vector<std::pair<const char*, policy::Usage>> pods{
      {"acme-prod", of("pods", 1)}, {"acme-prod", of("pods", 2)}, {"zeta-prod", of("pods", 5)}, {"nobodys", of("pods", 7)}};
  SECTION("agrees; what others use is not its matter") {
    CHECK(w.verify("pods", pods).empty());
    CHECK(w.used("acme", "services") == 4);
  }
  SECTION("more was kept than there is") {
    w.change("acme-prod", of("pods", 3));
    CHECK(w.verify("pods", pods) == "acme/pods 6->3 ");
    CHECK(w.used("acme", "pods") == 3);
    CHECK(w.verify("pods", pods).empty());
  }
  SECTION("less was kept than there is") {
    const policy::Usage gone = of("pods", 5);
    w.accounts.change("zeta-prod", nullptr, &gone);
    CHECK(w.verify("pods", pods) == "zeta/pods 0->5 ");
  }
  SECTION("nothing is left of it") {
    CHECK(w.verify("services", {}) == "acme/services 4->0 ");
    CHECK(w.used("acme", "pods") == 3);
  }
}
