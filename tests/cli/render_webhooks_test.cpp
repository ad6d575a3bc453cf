// What the API server is told to send, by what the documents say.
#include "cli/render_webhooks.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "policy/document/load.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::cli;
using Json = nlohmann::ordered_json;

namespace {

std::string document(const std::string& kind, const std::string& name, const std::string& spec) {
  return "---\napiVersion: portcullis.dev/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}

policy::DocumentSet documents(const std::string& more, const std::string& platform = "unknownNamespace: allow") {
  const std::string text = document("Platform", "hoster", "{environments: [sandbox, production], " + platform + "}") + more;
  auto set = policy::load_documents({{"all.yaml", text}});
  if (!set) FAIL(set.error().front().message());
  return *std::move(set);
}

const std::string tenants =
    document("Tenant", "acme",
             "{tier: 1, timeZone: Europe/Zurich, namespaces: [{name: acme-prod, environment: production, tenancy: dedicated},"
             " {pattern: 'acme-proj-*', environment: sandbox, tenancy: multi-tenant, tier: 3}]}") +
    document("Tenant", "globex",
             "{tier: 2, timeZone: Europe/Zurich, namespaces: [{name: globex-prod, environment: production, tenancy: multi-tenant}]}");

std::string policy_of(const std::string& spec) { return document("Policy", "p", spec); }

// "pods CREATE,UPDATE; pods/resize UPDATE", sorted, of the entry with this name.
std::string sent(const Json& configuration, const std::string& name) {
  std::set<std::string> lines;
  for (const Json& webhook : configuration["webhooks"]) {
    if (webhook["name"] != name) continue;
    for (const Json& rule : webhook["rules"]) {
      std::string operations;
      for (const Json& operation : rule["operations"]) operations += (operations.empty() ? "" : ",") + operation.get<std::string>();
      for (const Json& resource : rule["resources"]) lines.insert(resource.get<std::string>() + " " + operations);
    }
  }
  std::string out;
  for (const std::string& line : lines) out += (out.empty() ? "" : "; ") + line;
  return out;
}

// Does the entry take namespaces of this name and with this label? "": without it.
bool selects(const Json& webhook, const std::string& name, const std::string& tier) {
  for (const Json& expression : webhook["namespaceSelector"]["matchExpressions"]) {
    const std::string value = expression["key"] == "portcullis.dev/tier" ? tier : name;
    const Json& values = expression["values"];
    const bool in = std::find(values.begin(), values.end(), value) != values.end();
    if (in != (expression["operator"] == "In")) return false;
  }
  return true;
}

std::string tier_entry(int tier) { return "validate-tier-" + std::to_string(tier) + ".portcullis.dev"; }

}  // namespace

TEST_CASE("a tier waits for the gate where an enforced rule of it fails closed", "[cli][render]") {
  struct Case {
    const char *name, *platform, *policy, *closed;  // closed: the tiers
  };
  const Case cases[] = {
      {"no policy", "unknownNamespace: allow", "", ""},
      {"everybody's", "unknownNamespace: allow", "{rules: [{id: image-digest}]}", "123"},
      {"audit only", "unknownNamespace: allow", "{mode: audit, rules: [{id: image-digest}]}", ""},
      {"one rule enforced", "unknownNamespace: allow", "{mode: warn, rules: [{id: image-digest}, {id: no-inline-secret, mode: enforce}]}",
       "123"},
      {"enforced but open", "unknownNamespace: allow", "{failureMode: allow, rules: [{id: image-digest}]}", ""},
      {"enforced, warns when it cannot", "unknownNamespace: allow", "{failureMode: warn, rules: [{id: image-digest}]}", ""},
      {"one rule of it closed", "unknownNamespace: allow", "{failureMode: allow, rules: [{id: image-digest, failureMode: deny}]}", "123"},
      {"by tier", "unknownNamespace: allow", "{match: {tiers: [1, 2]}, rules: [{id: image-digest}]}", "12"},
      {"by environment", "unknownNamespace: allow", "{match: {environments: [production]}, rules: [{id: image-digest}]}", "12"},
      {"by tenancy", "unknownNamespace: allow", "{match: {tenancies: [dedicated]}, rules: [{id: image-digest}]}", "1"},
      {"by tenant", "unknownNamespace: allow", "{match: {tenants: [globex]}, rules: [{id: image-digest}]}", "2"},
      {"by namespace of a pattern", "unknownNamespace: allow", "{match: {namespaces: [acme-proj-one]}, rules: [{id: image-digest}]}", "3"},
      {"unknown namespaces denied", "unknownNamespace: deny", "", "1"},
      {"unknown namespaces warned of", "unknownNamespace: warn", "", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto set = documents(tenants + (*c.policy ? policy_of(c.policy) : ""), c.platform);
      std::string closed;
      for (const int tier : {1, 2, 3})
        if (fails_closed(set, tier)) closed += std::to_string(tier);
      CHECK(closed == c.closed);
      const Json validating = validating_configuration(set, {}), mutating = mutating_configuration(set, {});
      for (const Json& webhook : validating["webhooks"]) {
        const std::string name = webhook["name"];
        const bool wanted = name.starts_with("validate-tier-")            ? closed.find(name[14]) != std::string::npos
                            : name == "validate-namespace.portcullis.dev" ? !closed.empty()
                                                                          : false;  // a dead gate keeps no namespace
        CHECK(webhook["failurePolicy"] == (wanted ? "Fail" : "Ignore"));
      }
      for (const Json& webhook : mutating["webhooks"]) CHECK(webhook["failurePolicy"] == "Ignore");
    }
  }
}

TEST_CASE("only what loaded rules judge is sent", "[cli][render]") {
  struct Case {
    const char *name, *platform, *policy, *validated, *mended, *mended_later = "";
  };
  const char* const workloads =
      "cronjobs CREATE,UPDATE; daemonsets CREATE,UPDATE; deployments CREATE,UPDATE; jobs CREATE,UPDATE; pods CREATE,UPDATE; "
      "podtemplates CREATE,UPDATE; replicasets CREATE,UPDATE; replicationcontrollers CREATE,UPDATE; statefulsets CREATE,UPDATE";
  const std::string bounds = std::string(workloads).insert(std::string(workloads).find("; podtemplates"), "; pods/resize UPDATE");
  const Case cases[] = {
      {"nothing", "unknownNamespace: allow", "{match: {kinds: [Lease.coordination.k8s.io]}, rules: [{id: image-digest}]}", "", ""},
      {"unknown namespaces", "unknownNamespace: deny", "{match: {kinds: [Pod]}, rules: [{id: anti-affinity}]}", workloads, ""},
      {"one kind", "unknownNamespace: allow", "{match: {kinds: [Deployment.apps]}, rules: [{id: replica-floor, with: {min: 2}}]}",
       "deployments CREATE,UPDATE; deployments/scale UPDATE", ""},
      {"one operation", "unknownNamespace: allow", "{match: {kinds: [Pod], operations: [CREATE]}, rules: [{id: image-digest}]}",
       "pods CREATE", ""},
      {"a resize", "unknownNamespace: allow", "{rules: [{id: container-bounds}]}", bounds.c_str(), ""},
      {"mended", "unknownNamespace: allow",
       "{match: {kinds: [Pod, Job, Deployment, ReplicaSet]}, rules: [{id: container-bounds, inject: true, with: {defaults: {limits.memory: "
       "1Gi}}}]}",
       "deployments CREATE,UPDATE; jobs CREATE,UPDATE; pods CREATE,UPDATE; pods/resize UPDATE; replicasets CREATE,UPDATE",
       "deployments CREATE; jobs CREATE; pods CREATE", "deployments UPDATE"},
      {"mended, updates only", "unknownNamespace: allow",
       "{match: {kinds: [Pod, Deployment], operations: [UPDATE]}, rules: [{id: anti-affinity, inject: true}]}",
       "deployments UPDATE; pods UPDATE", "", "deployments UPDATE"},
      {"what only looks on mends nothing", "unknownNamespace: allow",
       "{mode: audit, match: {kinds: [Deployment]}, rules: [{id: anti-affinity, inject: true}]}", "deployments CREATE,UPDATE", ""},
      {"a kind that only the policy knows", "unknownNamespace: allow",
       "{match: {kinds: [Odoo.bemade.org, Repository.bemade.org]}, rules: [{id: no-inline-secret}]}",
       "odoos CREATE,UPDATE; repositories CREATE,UPDATE", ""},
      {"a secret is never sent", "unknownNamespace: allow", "{match: {kinds: [Secret]}, rules: [{id: no-inline-secret}]}", "", ""},
      {"our own are never sent", "unknownNamespace: allow", "{match: {kinds: [Policy.portcullis.dev]}, rules: [{id: no-inline-secret}]}",
       "", ""},
      {"a workload of the platform's",
       "unknownNamespace: allow, workloadKinds: [{apiVersion: bemade.org/v1, kind: Odoo, podTemplate: spec.template, replicas: "
       "spec.replicas}]",
       "{match: {kinds: [Odoo]}, rules: [{id: replica-floor, with: {min: 2}}]}", "odoos CREATE,UPDATE; odoos/scale UPDATE", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto set = documents(policy_of(c.policy), c.platform);
      const Json validating = validating_configuration(set, {}), mutating = mutating_configuration(set, {});
      for (const int tier : {1, 2, 3}) CHECK(sent(validating, tier_entry(tier)) == c.validated);
      CHECK(sent(mutating, "mutate.portcullis.dev") == c.mended);
      CHECK(sent(mutating, "mutate-update.portcullis.dev") == c.mended_later);
      CHECK(sent(validating, "validate-namespace.portcullis.dev") == "namespaces CREATE,UPDATE");
      CHECK(sent(validating, "validate-namespace-parts.portcullis.dev") == "namespaces/finalize UPDATE; namespaces/status UPDATE");
      CHECK(sent(mutating, "mutate-namespace.portcullis.dev") == "namespaces CREATE,UPDATE");
    }
  }
}

TEST_CASE("budgets are asked for what may use them", "[cli][render]") {
  const std::string acme = document("Tenant", "acme",
                                    "{tier: 1, timeZone: Europe/Zurich, budget: {count/widgets.example.org: '2', configmaps: '4'},"
                                    " namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]}");
  const auto set = documents(acme + policy_of("{match: {kinds: [Pod, ConfigMap]}, rules: [{id: tenant-budget}]}"));
  const Json configuration = validating_configuration(set, {});
  CHECK(sent(configuration, tier_entry(1)) == "configmaps CREATE; pods CREATE,UPDATE; pods/resize UPDATE; widgets CREATE");
  CHECK(configuration["webhooks"][0]["sideEffects"] == "NoneOnDryRun");
  CHECK(configuration["webhooks"][3]["sideEffects"] == "None");
  const auto every = documents(acme + policy_of("{mode: warn, rules: [{id: tenant-budget}]}"));
  const std::string all = sent(validating_configuration(every, {}), tier_entry(3));
  for (const char* wanted :
       {"pods CREATE,UPDATE;", "pods/resize UPDATE;", "persistentvolumeclaims CREATE,UPDATE;", "services CREATE,UPDATE;",
        "deployments/scale UPDATE;", "deployments CREATE,UPDATE;", "horizontalpodautoscalers CREATE,UPDATE;"})
    CHECK(all.find(wanted) != std::string::npos);
  CHECK(all.find("secrets") == std::string::npos);
  const auto others = documents(acme + policy_of("{rules: [{id: no-inline-secret}, {id: replica-floor, with: {min: 2}}]}"));
  CHECK(sent(validating_configuration(others, {}), tier_entry(1)).find("horizontalpodautoscalers") == std::string::npos);
  CHECK(validating_configuration(every, {})["webhooks"][0]["sideEffects"] == "None");
}

TEST_CASE("an object matches one validating entry, and never one of the system's or our own", "[cli][render]") {
  const auto set = documents(policy_of("{rules: [{id: image-digest}]}"), "systemNamespaces: [kube-system]");
  const Json configuration = validating_configuration(set, {.name_space = "gate", .service = "door"});
  for (const std::string tier : {"", "1", "2", "3", "7"}) {
    for (const std::string name : {"acme-prod", "kube-system", "gate"}) {
      CAPTURE(tier, name);
      int matching = 0;
      for (const Json& webhook : configuration["webhooks"]) {
        CHECK(webhook["clientConfig"]["service"]["name"] == "door");
        CHECK(webhook["clientConfig"]["service"]["namespace"] == "gate");
        matching += webhook["rules"][0]["scope"] == "Namespaced" && selects(webhook, name, tier) ? 1 : 0;
      }
      CHECK(matching == (name == "acme-prod" ? 1 : 0));
    }
  }
}

TEST_CASE("mending is asked for where a policy may mend", "[cli][render]") {
  struct Case {
    const char *name, *policies, *tiers;  // 0: a namespace without the label
  };
  const Case cases[] = {
      {"everywhere", "{rules: [{id: anti-affinity, inject: true}]}", "0123"},
      {"by tier", "{match: {tiers: [1]}, rules: [{id: anti-affinity, inject: true}]}", "01"},
      {"by environment", "{match: {environments: [sandbox]}, rules: [{id: anti-affinity, inject: true}]}", "03"},
      {"a tier looks on", "{match: {tiers: [2]}, mode: audit, rules: [{id: anti-affinity, inject: true}, {id: image-digest}]}", ""},
      {"one of its rules", "{match: {tiers: [2]}, mode: audit, rules: [{id: anti-affinity, inject: true, mode: enforce}]}", "02"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Json configuration = mutating_configuration(documents(tenants + policy_of(c.policies)), {});
      for (const char* entry : {"mutate.portcullis.dev", "mutate-update.portcullis.dev"}) {
        std::string tiers;
        for (const Json& webhook : configuration["webhooks"]) {
          if (webhook["name"] != entry) continue;
          CHECK(webhook.contains("matchConditions") == (webhook["name"] == "mutate-update.portcullis.dev"));
          CHECK_FALSE(selects(webhook, "kube-system", "1"));
          for (const char tier : {'0', '1', '2', '3'})
            if (selects(webhook, "acme-prod", tier == '0' ? "" : std::string(1, tier))) tiers += tier;
        }
        CHECK(tiers == c.tiers);
      }
    }
  }
}
