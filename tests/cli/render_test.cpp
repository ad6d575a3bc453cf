// portcullis render, as a user calls it; what the objects hold is in render_webhooks_test.cpp and render_rights_test.cpp.
#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;

namespace {

constexpr const char* platform =
    "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: hoster}\nspec: {environments: [production]}\n";
constexpr const char* tenants =
    "apiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n  tier: 1\n  timeZone: Europe/Zurich\n"
    "  budget: {pods: \"30\", requests.cpu: 1500m, requests.memory: 1.5Gi, count/deployments.apps: \"4\"}\n"
    "  namespaces:\n    - {name: acme-prod, environment: production, tenancy: dedicated}\n"
    "    - {pattern: \"acme-proj-*\", environment: production, tenancy: dedicated, budget: {pods: \"3\"}}\n"
    "---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: globex}\nspec:\n  tier: 2\n  timeZone: Europe/Zurich\n"
    "  namespaces: [{name: globex-prod, environment: production, tenancy: dedicated}]\n";

}  // namespace

TEST_CASE("render crds prints every kind, and needs no documents", "[cli][render]") {
  const Answer answer = run_program({"render", "crds"});
  CHECK(answer.code == 0);
  CHECK(answer.err.empty());
  for (const char* plural : {"platforms", "tenants", "policies", "policyexceptions", "guardpolicies", "calendars", "tenantquotas"})
    CHECK(answer.out.find("name: " + std::string(plural) + ".portcullis.dev") != std::string::npos);
  CHECK(run_program({"render", "crds", "--config", "nowhere"}).out == answer.out);
}

TEST_CASE("render tenant-quotas prints budgets in base units", "[cli][render]") {
  const TempDir dir;
  (void)dir.write("platform.yaml", platform);
  (void)dir.write("tenants.yaml", tenants);
  const std::string acme =
      "apiVersion: portcullis.dev/v1\nkind: TenantQuota\nmetadata: {name: acme, labels: {app.kubernetes.io/part-of: portcullis}}\n"
      "spec: {tenant: acme, hard: {count/deployments.apps: 4, pods: 30, requests.cpu: 1500, requests.memory: 1610612736, "
      "acme-proj-*/pods: 3}}\n";
  const Answer all = run_program({"render", "tenant-quotas", "--config", dir.path()});
  CHECK(all.code == 0);
  CHECK(all.out == acme);
  CHECK(run_program({"render", "tenant-quotas", "--config", dir.path(), "--tenant", "acme"}).out == acme);
  const Answer none = run_program({"render", "tenant-quotas", "--config", dir.path(), "--tenant", "globex"});
  CHECK(none.code == 0);
  CHECK(none.out.empty());
  CHECK(none.err == "note: no budget in these documents\n");
  const Answer unknown = run_program({"render", "tenant-quotas", "--config", dir.path(), "--tenant", "acmee"});
  CHECK(unknown.code == 2);
  CHECK(unknown.err == "error: unknown tenant `acmee` (did you mean `acme`?)\n");
}

TEST_CASE("render refuses what config validate refuses", "[cli][render]") {
  const TempDir dir;
  (void)dir.write("platform.yaml",
                  "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: hoster}\nspec: {enviroments: [production]}\n");
  for (const char* what : {"webhook-config", "rbac", "tenant-quotas"}) {
    const Answer answer = run_program({"render", what, "--config", dir.path()});
    CHECK(answer.code == 2);
    CHECK(answer.out.empty());
    CHECK(answer.err.find("platform.yaml:4:8: spec.enviroments: found the unknown field") != std::string::npos);
  }
  CHECK(run_program({"render", "webhook-config"}).code == 2);
  CHECK(run_program({"render", "webhook-config", "--config", "manifests/base/documents", "--namespace", "A b"})
            .err.find("want a DNS label") != std::string::npos);
}

TEST_CASE("render says which kinds cannot be asked for", "[cli][render]") {
  const TempDir dir;
  (void)dir.write("platform.yaml", platform);
  (void)dir.write("policy.yaml",
                  "apiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: odd}\nspec: {match: {kinds: [Odoo]}, rules: [{id: "
                  "no-inline-secret}]}\n");
  const Answer answer = run_program({"render", "webhook-config", "--config", dir.path()});
  CHECK(answer.code == 0);
  CHECK(answer.err == "note: policy odd names the kind `Odoo` without its group, so it is not sent; write `Odoo.<group>`\n");
}
