// The webhook's rights, by what the documents' rules ask to know.
#include <map>
#include <set>
#include <string>

#include "cli/render_rbac.hpp"
#include "policy/document/load.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::cli;

namespace {

std::shared_ptr<const policy::PolicySnapshot> snapshot(const std::string& policies) {
  const std::string text =
      "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: hoster}\nspec: {environments: [production], "
      "workloadKinds: [{apiVersion: bemade.org/v1, kind: Odoo, podTemplate: spec.template}]}\n"
      "---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tier: 1, timeZone: Europe/Zurich, "
      "budget: {pods: '3', requests.storage: 1Ti, count/widgets.example.org: '2'}, "
      "namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]}\n" +
      policies;
  auto set = policy::load_documents({{"all.yaml", text}});
  if (!set) FAIL(set.error().front().message());
  auto compiled = policy::PolicySnapshot::compile(*std::move(set));
  if (!compiled) FAIL(compiled.error().front().message());
  return *compiled;
}

std::string policy_of(const std::string& rule) {
  return "---\napiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec: {rules: [" + rule + "]}\n";
}

// "resource.group: verbs" of the ClusterRole.
std::map<std::string, std::string> granted(const policy::PolicySnapshot& from) {
  std::map<std::string, std::string> out;
  const auto objects = webhook_rights(from, "gate");
  for (const auto& rule : objects.front()["rules"]) {
    std::string verbs;
    for (const auto& verb : rule["verbs"]) verbs += (verbs.empty() ? "" : " ") + verb.get<std::string>();
    for (const auto& resource : rule["resources"]) out[resource.get<std::string>() + "." + rule["apiGroups"][0].get<std::string>()] = verbs;
  }
  return out;
}

const std::map<std::string, std::string> own{{"validatingwebhookconfigurations.admissionregistration.k8s.io", "get patch"},
                                             {"mutatingwebhookconfigurations.admissionregistration.k8s.io", "get patch"}};

}  // namespace

TEST_CASE("rules that ask nothing of a cluster get nothing", "[cli][render]") {
  CHECK(granted(*snapshot(policy_of("{id: image-digest}, {id: container-bounds}"))) == own);
}

TEST_CASE("what a rule asks to know may be read, and no more", "[cli][render]") {
  auto wanted = own;
  wanted["horizontalpodautoscalers.autoscaling"] = "list watch";
  auto found = granted(*snapshot(policy_of("{id: replica-floor, with: {min: 2}}")));
  for (const auto& [resource, verbs] : wanted) CHECK(found[resource] == verbs);
  for (const auto& [resource, verbs] : found) {
    CAPTURE(resource);
    CHECK(verbs.find("create") == std::string::npos);
    CHECK(!resource.starts_with("secrets."));
    CHECK(!resource.starts_with("pods."));
  }
}

TEST_CASE("budgets may be counted, and granted by the status alone", "[cli][render]") {
  const auto found = granted(*snapshot(policy_of("{id: tenant-budget}")));
  for (const char* resource : {"pods.", "persistentvolumeclaims.", "services.", "widgets.example.org", "tenantquotas.portcullis.dev"}) {
    CAPTURE(resource);
    REQUIRE(found.contains(resource));
    CHECK(found.at(resource) == "get list watch");
  }
  CHECK(found.at("tenantquotas/status.portcullis.dev") == "get patch");
  CHECK(found.at("odoos.bemade.org") == "list watch");  // controllers are told early
  CHECK_FALSE(found.contains("secrets."));
}

TEST_CASE("nobody's rights read a Secret", "[cli][render]") {
  for (const auto& object : webhook_rights(*snapshot(policy_of("{id: secret-reference}, {id: no-inline-secret}")), "gate")) {
    if (!object.contains("rules")) continue;
    for (const auto& rule : object["rules"]) {
      std::set<std::string> resources, verbs;
      for (const auto& resource : rule["resources"]) resources.insert(resource.get<std::string>());
      for (const auto& verb : rule["verbs"]) verbs.insert(verb.get<std::string>());
      CHECK_FALSE(resources.contains("*"));
      CHECK_FALSE(verbs.contains("*"));
      if (!resources.contains("secrets")) continue;
      CHECK(verbs == std::set<std::string>{"patch"});
      CHECK(rule["resourceNames"] == nlohmann::ordered_json{"portcullis-webhook-tls"});
    }
  }
}
