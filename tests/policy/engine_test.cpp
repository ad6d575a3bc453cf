#include "policy/engine.hpp"

#include <cstdlib>
#include <new>
#include <string>

#include "policy/document/load.hpp"
#include "policy/rule/rule.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using portcullis::policy::testing::Given;
using portcullis::policy::testing::World;

namespace {

constexpr const char* platform_and_tenants = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec:
  systemNamespaces: [kube-system, portcullis-system]
  environments: [sandbox, staging, production]
  controllers: ["system:serviceaccount:cert-manager:cert-manager", "rotator"]
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Madrid
  namespaces:
    - {name: acme-prod, environment: production, tenancy: dedicated}
    - {name: acme-staging, environment: staging, tenancy: multi-tenant, tier: 2}
    - {pattern: "acme-proj-*", environment: sandbox, tenancy: multi-tenant, tier: 3}
    - {pattern: "acme-proj-long-*", environment: staging, tenancy: multi-tenant, tier: 2}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: globex}
spec:
  tier: 2
  timeZone: Europe/Madrid
  namespaces: [{name: globex-prod, environment: production, tenancy: multi-tenant}]
)";

std::string policy_document(const std::string& name, const std::string& spec) {
  return "---\napiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}

std::shared_ptr<const PolicySnapshot> compile_documents(const std::string& more) {
  auto documents = load_documents({{"documents.yaml", platform_and_tenants + more}});
  if (!documents) {
    for (const Error& error : documents.error()) UNSCOPED_INFO(error.message());
    FAIL("the documents of the test were refused");
  }
  auto snapshot = PolicySnapshot::compile(std::move(*documents));
  if (!snapshot) {
    for (const Error& error : snapshot.error()) UNSCOPED_INFO(error.message());
    FAIL("the rules of the test were refused");
  }
  return *snapshot;
}

Instant at(int days_from_2026_11_23 = 0) {
  using namespace std::chrono;
  return sys_days(year(2026) / November / 23) + hours(12) + days(days_from_2026_11_23);
}

Decision judge(const PolicySnapshot& snapshot, const Subject& subject, Instant now = at()) {
  PolicySnapshot::Scratch scratch;
  Decision decision;
  snapshot.judge(subject, now, scratch, decision);
  return decision;
}

// "deny replica-floor/p1 (enforce)" for every finding, in order.
std::string summary(const Decision& decision) {
  std::string text(verdict_name(decision.verdict));
  if (!decision.skipped.empty()) text += " [" + std::string(decision.skipped) + "]";
  for (const PolicyFinding& finding : decision.findings) {
    text += " " + std::string(finding.rule) + "/" + std::string(finding.policy);
    if (finding.mode != Mode::enforce) text += ":" + std::string(mode_name(finding.mode));
    if (finding.kept) text += ":kept";
    if (!finding.exception.empty()) text += ":" + std::string(finding.exception);
  }
  return text;
}

std::string deployment(const std::string& spec_fields, const std::string& metadata = "{name: web, namespace: acme-prod}") {
  return "{apiVersion: apps/v1, kind: Deployment, metadata: " + metadata + ", spec: {" + spec_fields +
         "selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "
         "r.example/a/b}]}}}}";
}

World in(const std::string& name_space) {
  World world;
  world.name_space = name_space;
  return world;
}

}  // namespace

TEST_CASE("who owns a namespace", "[policy][engine]") {
  const auto snapshot = compile_documents("");
  const auto owner = [&](const char* name) {
    const auto found = snapshot->owner_of(name);
    return found ? found.tenant->name + "/" + found.name_space->environment + "/" + std::to_string(found.tier) : std::string("nobody");
  };
  CHECK(owner("acme-prod") == "acme/production/1");
  CHECK(owner("acme-staging") == "acme/staging/2");
  CHECK(owner("acme-proj-x") == "acme/sandbox/3");
  CHECK(owner("acme-proj-long-x") == "acme/staging/2");  // the longest pattern
  CHECK(owner("acme-proj") == "nobody");
  CHECK(owner("acme-prod2") == "nobody");
  CHECK(owner("") == "nobody");
}

TEST_CASE("every part of match binds", "[policy][engine]") {
  struct Case {
    const char *name, *match, *bound_in, *free_in;  // namespaces
  };
  const Case cases[] = {
      {"tiers, the namespace's own first", "{tiers: [2]}", "acme-staging", "acme-prod"},
      {"environments", "{environments: [production]}", "globex-prod", "acme-staging"},
      {"tenancies", "{tenancies: [dedicated]}", "acme-prod", "globex-prod"},
      {"tenants", "{tenants: [globex]}", "globex-prod", "acme-prod"},
      {"namespaces", "{namespaces: [acme-prod]}", "acme-prod", "acme-staging"},
      {"all parts must hold", "{tenants: [acme], environments: [staging]}", "acme-staging", "acme-prod"},
      {"tenant and namespace", "{tenants: [acme], namespaces: [acme-staging]}", "acme-staging", "acme-prod"},
      {"a pattern's namespace", "{tiers: [3]}", "acme-proj-7", "acme-prod"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto snapshot =
          compile_documents(policy_document("p", std::string("{match: ") + c.match + ", rules: [{id: replica-floor, with: {min: 2}}]}"));
      Given bound(deployment("replicas: 1, ", std::string("{name: web, namespace: ") + c.bound_in + "}"), in(c.bound_in));
      CHECK(summary(judge(*snapshot, bound.subject)) == "deny replica-floor/p");
      Given free(deployment("replicas: 1, ", std::string("{name: web, namespace: ") + c.free_in + "}"), in(c.free_in));
      CHECK(summary(judge(*snapshot, free.subject)) == "allow");
    }
  }
}

TEST_CASE("kinds, operations, groups and selector bind what they name", "[policy][engine]") {
  const auto bound = [](const char* match, const World& world = in("acme-prod"), const std::string& labels = "{app: web}") {
    const auto snapshot =
        compile_documents(policy_document("p", std::string("{match: ") + match + ", rules: [{id: replica-floor, with: {min: 2}}]}"));
    Given given(deployment("replicas: 1, ", "{name: web, namespace: acme-prod, labels: " + labels + "}"), world);
    return summary(judge(*snapshot, given.subject)) == "deny replica-floor/p";
  };
  CHECK(bound("{kinds: [Deployment]}"));
  CHECK(bound("{kinds: [StatefulSet, Deployment.apps]}"));
  CHECK_FALSE(bound("{kinds: [Deployment.example.org]}"));
  CHECK(bound("{operations: [CREATE]}"));
  CHECK_FALSE(bound("{operations: [UPDATE]}"));
  World dev = in("acme-prod");
  dev.groups = {"developers"};
  CHECK(bound("{groups: [developers, operators]}", dev));
  CHECK_FALSE(bound("{groups: [operators]}", dev));
  CHECK(bound("{selector: {matchLabels: {app: web}}}"));
  CHECK_FALSE(bound("{selector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}"));
}

TEST_CASE("A53: a label taken off by the write itself does not free it", "[policy][engine]") {
  const auto snapshot = compile_documents(
      policy_document("p", "{match: {selector: {matchLabels: {judged: \"yes\"}}}, rules: [{id: replica-floor, with: {min: 2}}]}"));
  World world = in("acme-prod");
  world.operation = Operation::update;
  world.old = deployment("replicas: 2, ", "{name: web, namespace: acme-prod, labels: {judged: \"yes\"}}");
  Given given(deployment("replicas: 1, ", "{name: web, namespace: acme-prod}"), world);
  CHECK(summary(judge(*snapshot, given.subject)) == "deny replica-floor/p");
}

TEST_CASE("modes: the strictest decides, the same rule is reported for each policy", "[policy][engine]") {
  Given given(deployment("replicas: 1, "), in("acme-prod"));
  struct Case {
    const char *name, *first, *second, *wanted;
  };
  const Case cases[] = {
      {"enforce beats warn", "mode: warn, ", "mode: enforce, ", "deny replica-floor/a:warn replica-floor/b"},
      {"warn alone", "mode: warn, ", "mode: audit, ", "warn replica-floor/a:warn replica-floor/b:audit"},
      {"audit is never shown", "mode: audit, ", "mode: audit, ", "allow replica-floor/a:audit replica-floor/b:audit"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto snapshot =
          compile_documents(policy_document("a", std::string("{") + c.first + "rules: [{id: replica-floor, with: {min: 2}}]}") +
                            policy_document("b", std::string("{") + c.second + "rules: [{id: replica-floor, with: {min: 2}}]}"));
      CHECK(summary(judge(*snapshot, given.subject)) == c.wanted);
    }
  }
  const auto own = compile_documents(policy_document("a", "{mode: enforce, rules: [{id: replica-floor, mode: warn, with: {min: 2}}]}"));
  CHECK(summary(judge(*own, given.subject)) == "warn replica-floor/a:warn");
}

TEST_CASE("namespaces without a tenant, and those never judged", "[policy][engine]") {
  const std::string rule = policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}]}");
  const auto snapshot = compile_documents(rule);
  Given unknown(deployment("replicas: 3, ", "{name: web, namespace: elsewhere}"), in("elsewhere"));
  CHECK(summary(judge(*snapshot, unknown.subject)) == "deny unknown-namespace/hoster");
  Given both(deployment("replicas: 1, ", "{name: web, namespace: elsewhere}"), in("elsewhere"));
  CHECK(summary(judge(*snapshot, both.subject)) == "deny unknown-namespace/hoster replica-floor/p");
  Given system(deployment("replicas: 1, ", "{name: web, namespace: kube-system}"), in("kube-system"));
  CHECK(summary(judge(*snapshot, system.subject)) == "allow [system namespace]");
  Given similar(deployment("replicas: 3, ", "{name: web, namespace: kube-system-x}"), in("kube-system-x"));  // A51
  CHECK(summary(judge(*snapshot, similar.subject)) == "deny unknown-namespace/hoster");
  World gone = in("elsewhere");
  gone.operation = Operation::remove;
  gone.old = deployment("replicas: 1, ", "{name: web, namespace: elsewhere}");
  Given removed(gone.old, gone);
  CHECK(summary(judge(*snapshot, removed.subject)) == "allow");
}

TEST_CASE("cluster-scoped objects", "[policy][engine]") {
  const auto snapshot = compile_documents(policy_document("p", "{match: {tiers: [1]}, rules: [{id: no-inline-secret}]}") +
                                          policy_document("q", "{rules: [{id: no-inline-secret}]}"));
  const auto of = [&](const std::string& manifest) {
    Given given(manifest, in(""));
    return summary(judge(*snapshot, given.subject));
  };
  const std::string secret = "annotations: {note: \"postgres://odoo:hunter2hunter2@db/odoo\"}";
  CHECK(of("{apiVersion: v1, kind: Namespace, metadata: {name: acme-prod, " + secret + "}}") ==
        "deny no-inline-secret/p no-inline-secret/q");
  CHECK(of("{apiVersion: v1, kind: Namespace, metadata: {name: acme-staging, " + secret + "}}") == "deny no-inline-secret/q");
  CHECK(of("{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}") == "deny unknown-namespace/hoster");
  CHECK(of("{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, " + secret + "}}") == "deny no-inline-secret/q");
}

TEST_CASE("a namespace's status and finalize: nobody's namespace can be ended, and its labels are no way around", "[policy][engine]") {
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}]}"));
  const std::string plain = "{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}";
  const std::string claims = "{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere, labels: {portcullis.dev/tenant: acme}}}";
  for (const char* subresource : {"status", "finalize"}) {
    World world = in("");
    world.operation = Operation::update;
    world.resource = "namespaces";
    world.subresource = subresource;
    world.old = plain;
    CHECK(summary(judge(*snapshot, Given(plain, world).subject)) == "allow");
    CHECK(summary(judge(*snapshot, Given(claims, world).subject)) == "deny namespace-tenancy/hoster");
  }
}

TEST_CASE("controllers' writes are known by userInfo alone", "[policy][engine]") {
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}]}"));
  struct Case {
    const char *name, *user;
    std::vector<std::string> groups;
    bool controller;
  };
  const Case cases[] = {
      {"deployment controller", "system:serviceaccount:kube-system:deployment-controller", {"system:serviceaccounts:kube-system"}, true},
      {"A57: a certificate with that name", "system:serviceaccount:kube-system:deployment-controller", {"system:authenticated"}, false},
      {"controller manager", "system:kube-controller-manager", {}, true},
      {"scheduler", "system:kube-scheduler", {}, true},
      {"a node", "system:node:worker-1", {"system:nodes"}, true},
      {"A14: a node by name only", "system:node:worker-1", {}, false},
      {"listed by the Platform", "system:serviceaccount:cert-manager:cert-manager", {"system:serviceaccounts:cert-manager"}, true},
      {"listed, without its group", "system:serviceaccount:cert-manager:cert-manager", {}, false},
      {"listed user", "rotator", {}, true},
      {"a person", "alice", {"system:masters"}, false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      World world = in("acme-prod");
      world.user = c.user;
      world.groups = c.groups;
      Given given(deployment("replicas: 1, ", "{name: web, namespace: acme-prod, ownerReferences: [{kind: ReplicaSet, name: x, uid: y}]}"),
                  world);  // A13
      CHECK(summary(judge(*snapshot, given.subject)) == (c.controller ? "allow" : "deny replica-floor/p"));
    }
  }
}

TEST_CASE("exceptions cover whole findings, for their time", "[policy][engine]") {
  const auto exception = [](const std::string& name, const std::string& rules, const std::string& objects) {
    return "---\napiVersion: portcullis.dev/v1\nkind: PolicyException\nmetadata: {name: " + name + "}\nspec: {rules: " + rules +
           ", match: {tenants: [acme], namespaces: [acme-prod], objects: " + objects +
           "}, reason: r, ticket: CHG1, approvedBy: a@b, validFrom: 2026-11-20T00:00:00Z, expiresAt: 2026-12-31T00:00:00Z}\n";
  };
  const std::string rules = policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}, {id: anti-affinity}]}");
  const auto summary_of = [&](const std::string& documents, const std::string& metadata = "{name: web, namespace: acme-prod}",
                              Instant now = at(), const std::string& name_space = "acme-prod") {
    Given given(deployment("replicas: 1, ", metadata), in(name_space));
    return summary(judge(*compile_documents(rules + documents), given.subject, now));
  };
  const std::string named = exception("bridge", "[replica-floor, anti-affinity]", "[{kind: Deployment, name: web}]");
  CHECK(summary_of(named) == "allow replica-floor/p:bridge anti-affinity/p:bridge");
  CHECK(summary_of(exception("bridge", "[replica-floor]", "[{kind: Deployment, name: web}]")) ==
        "deny replica-floor/p:bridge anti-affinity/p");
  CHECK(summary_of(named, "{name: web2, namespace: acme-prod}") == "deny replica-floor/p anti-affinity/p");
  CHECK(summary_of(named, "{name: web, namespace: acme-staging}", at(), "acme-staging") == "deny replica-floor/p anti-affinity/p");
  CHECK(summary_of(exception("bridge", "[replica-floor, anti-affinity]", "[{kind: StatefulSet, name: web}]")) ==
        "deny replica-floor/p anti-affinity/p");
  // Half-open in time; warns in its last seven days.
  CHECK(summary_of(named, "{name: web, namespace: acme-prod}", at(-4)) == "deny replica-floor/p anti-affinity/p");
  CHECK(summary_of(named, "{name: web, namespace: acme-prod}", at(31)) == "warn replica-floor/p:bridge anti-affinity/p:bridge");
  CHECK(summary_of(named, "{name: web, namespace: acme-prod}", at(38)) == "deny replica-floor/p anti-affinity/p");
  // A48: generated names only where the exception says so.
  const std::string prefix = exception("bridge", "[replica-floor, anti-affinity]", "[{kind: Deployment, name: \"web-*\"}]");
  CHECK(summary_of(prefix, "{name: web-1, namespace: acme-prod}") == "allow replica-floor/p:bridge anti-affinity/p:bridge");
  CHECK(summary_of(prefix, "{generateName: web-, namespace: acme-prod}") == "deny replica-floor/p anti-affinity/p");
  const std::string generated =
      exception("bridge", "[replica-floor, anti-affinity]", "[{kind: Deployment, name: \"web-*\", generated: true}]");
  CHECK(summary_of(generated, "{generateName: web-, namespace: acme-prod}") == "allow replica-floor/p:bridge anti-affinity/p:bridge");
  CHECK(summary_of(generated, "{generateName: we, namespace: acme-prod}") == "deny replica-floor/p anti-affinity/p");
}

TEST_CASE("an UPDATE must not get worse", "[policy][engine]") {
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: image-digest, with: {require: digest}}]}"));
  const auto pod_spec = [](const std::string& image, const std::string& more = "") {
    return "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: \"" + image + "\"" + more + "}]}}";
  };
  const auto object = [&](const std::string& image, int replicas, const std::string& annotations = "{}", const std::string& more = "") {
    return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: acme-prod, annotations: " + annotations +
           "}, spec: {replicas: " + std::to_string(replicas) + ", selector: {matchLabels: {app: web}}, " + pod_spec(image, more) + "}}";
  };
  const auto update = [&](const std::string& before, const std::string& now) {
    World world = in("acme-prod");
    world.operation = Operation::update;
    world.old = before;
    Given given(now, world);
    return summary(judge(*snapshot, given.subject));
  };
  const std::string flawed = object("r.example/a/b:1", 2);
  CHECK(update(flawed, object("r.example/a/b:1", 2, "{note: x}")) == "warn image-digest/p:kept");
  CHECK(update(flawed, flawed) == "warn image-digest/p:kept");
  CHECK(update(flawed, object("r.example/a/b:1", 1)) == "warn image-digest/p:kept");                      // fewer of it
  CHECK(update(flawed, object("r.example/a/b:1", 20)) == "deny image-digest/p");                          // A71: more of it
  CHECK(update(flawed, object("r.example/a/b:2", 2)) == "deny image-digest/p");                           // A71: another flaw in its place
  CHECK(update(flawed, object("r.example/a/b:1", 2, "{}", ", command: [sh]")) == "deny image-digest/p");  // inside the flawed part
  const std::string digest = "r.example/a/b@sha256:" + std::string(64, 'a');
  CHECK(update(flawed, object(digest, 2)) == "allow");
  CHECK(update(object(digest, 2), flawed) == "deny image-digest/p");
}

TEST_CASE("an object being deleted may only lose finalizers", "[policy][engine]") {
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}]}"));
  const auto object = [](const std::string& finalizers, int replicas, const std::string& labels = "{}") {
    return deployment("replicas: " + std::to_string(replicas) + ", ",
                      "{name: web, namespace: acme-prod, deletionTimestamp: \"2026-11-23T10:00:00Z\", labels: " + labels +
                          ", finalizers: " + finalizers + "}");
  };
  const auto update = [&](const std::string& before, const std::string& now) {
    World world = in("acme-prod");
    world.operation = Operation::update;
    world.old = before;
    Given given(now, world);
    return summary(judge(*snapshot, given.subject));
  };
  CHECK(update(object("[a, b]", 3), object("[a]", 3)) == "allow [being deleted]");
  CHECK(update(object("[a]", 1), object("[]", 1)) == "allow [being deleted]");
  CHECK(update(object("[a, b]", 3), object("[a]", 1)) == "deny replica-floor/p");  // A70: a change hidden in a deletion
  CHECK(update(object("[a]", 3), object("[a, b]", 1)) == "deny replica-floor/p");
  CHECK(update(object("[a, b]", 3), object("[a]", 3, "{x: y}")) == "allow");         // judged, and well
  CHECK(update(object("[a]", 1), object("[c]", 1)) == "warn replica-floor/p:kept");  // judged: no finalizer was lost
}

TEST_CASE("subresources are judged where a rule asks for them", "[policy][engine]") {
  const auto snapshot =
      compile_documents(policy_document("p", "{match: {kinds: [Deployment]}, rules: [{id: replica-floor, with: {min: 2}}]}"));
  World world = in("acme-prod");
  world.operation = Operation::update;
  world.resource = "deployments";
  world.subresource = "scale";
  world.old = "{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: acme-prod}, spec: {replicas: 3}}";
  Given down("{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: acme-prod}, spec: {replicas: 1}}", world);
  down.subject.resource_group = "apps";
  CHECK(summary(judge(*snapshot, down.subject)) == "deny replica-floor/p");
  world.subresource = "status";
  Given status(deployment("replicas: 1, "), world);
  CHECK(summary(judge(*snapshot, status.subject)) == "allow");
}

TEST_CASE("findings come in the object's order and hostile ones are bounded", "[policy][engine]") {
  const auto snapshot = compile_documents(
      policy_document("p", "{rules: [{id: image-digest, with: {require: digest}}, {id: replica-floor, with: {min: 2}}]}"));
  Given given(deployment("replicas: 1, "), in("acme-prod"));
  CHECK(summary(judge(*snapshot, given.subject)) == "deny replica-floor/p image-digest/p");
  std::string containers;
  for (int i = 0; i < 5'000; ++i) containers += (i ? ", " : "") + std::string("{name: c") + std::to_string(i) + ", image: r.example/a/b:1}";
  Given many("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: acme-prod}, spec: {containers: [" + containers + "]}}",
             in("acme-prod"));
  const Decision decision = judge(*snapshot, many.subject);
  CHECK(decision.verdict == Verdict::deny);
  CHECK(decision.findings.size() == findings_max);
  REQUIRE(decision.notes.size() == 1);
  CHECK(decision.notes[0] == "image-digest: 4900 further findings are not listed");
}

TEST_CASE("mending asks only rules with inject, and never in audit", "[policy][engine]") {
  Given given(deployment("replicas: 2, "), in("acme-prod"));
  const auto patch_of = [&](const std::string& spec) {
    PolicySnapshot::Scratch scratch;
    Patch patch;
    compile_documents(policy_document("p", spec))->mend(given.subject, at(), scratch, patch);
    return patch.operations().size();
  };
  CHECK(patch_of("{rules: [{id: anti-affinity, inject: true}]}") == 1);
  CHECK(patch_of("{rules: [{id: anti-affinity}]}") == 0);
  CHECK(patch_of("{mode: audit, rules: [{id: anti-affinity, inject: true}]}") == 0);
  CHECK(patch_of("{match: {tenants: [globex]}, rules: [{id: anti-affinity, inject: true}]}") == 0);
}
