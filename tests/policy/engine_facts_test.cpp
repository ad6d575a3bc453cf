// Judging with the facts of a cluster: what is not known, who owns what, what a Scale stands for, and budgets that are asked for.
#include <string>

#include "policy/document/load.hpp"
#include "policy/engine.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"
#include "tests/policy/known_facts.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

constexpr const char* platform_and_tenant = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [sandbox, production], unknownNamespace: warn}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Madrid
  budget: {pods: "10", requests.storage: 1Ti}
  namespaces:
    - {name: acme-prod, environment: production, tenancy: dedicated}
    - {pattern: "acme-dev-*", environment: sandbox, tenancy: multi-tenant, tier: 3, budget: {pods: "3"}}
)";

std::string policy_document(const std::string& name, const std::string& spec) {
  return "---\napiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}

std::string exception_for(const std::string& rules, const std::string& objects) {
  return "---\napiVersion: portcullis.dev/v1\nkind: PolicyException\nmetadata: {name: bridge}\nspec: {rules: " + rules +
         ", match: {tenants: [acme], namespaces: [acme-prod], objects: " + objects +
         "}, reason: r, ticket: CHG1, approvedBy: a@b, validFrom: 2026-11-20T00:00:00Z, expiresAt: 2026-12-31T00:00:00Z}\n";
}

std::shared_ptr<const PolicySnapshot> compile_documents(const std::string& more) {
  auto documents = load_documents({{"documents.yaml", platform_and_tenant + more}});
  if (!documents) FAIL(documents.error().front().message());
  auto snapshot = PolicySnapshot::compile(std::move(*documents));
  if (!snapshot) FAIL(snapshot.error().front().message());
  return *snapshot;
}

Decision judge(const PolicySnapshot& snapshot, const Subject& subject, const ClusterFacts* facts, const ChargeOutcome* outcome = nullptr) {
  using namespace std::chrono;
  PolicySnapshot::Scratch scratch;
  Decision decision;
  snapshot.judge(subject, sys_days(year(2026) / November / 24), scratch, decision, facts, outcome);
  return decision;
}

// "deny replica-floor/p", "allow charge", "allow [replica-floor could not be judged: ... ]".
std::string summary(const Decision& decision) {
  std::string text(verdict_name(decision.verdict));
  for (const PolicyFinding& finding : decision.findings) {
    text += " " + std::string(finding.rule) + "/" + std::string(finding.policy);
    if (finding.mode != Mode::enforce) text += ":" + std::string(mode_name(finding.mode));
    if (finding.finding.advice) text += ":advice";
    if (finding.kept) text += ":kept";
    if (!finding.exception.empty()) text += ":" + std::string(finding.exception);
  }
  if (decision.charge) text += " charge";
  if (!decision.unavailable.empty()) text += " unavailable";
  for (const Unjudged& each : decision.unjudged)
    text += " ?" + std::string(each.rule) + "/" + std::string(each.policy) + ":" + std::string(failure_mode_name(each.effect()));
  return text;
}

World in(const std::string& name_space) {
  World world;
  world.name_space = name_space;
  return world;
}

World by_controller(const std::string& name_space = "acme-prod") {
  World world = in(name_space);
  world.user = "system:serviceaccount:kube-system:replicaset-controller";
  world.groups = {"system:serviceaccounts:kube-system"};
  return world;
}

std::string web(int replicas) {
  return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: acme-prod}, spec: {replicas: " +
         std::to_string(replicas) +
         ", selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "
         "r.example/a/b}]}}}}";
}

std::string pod(const std::string& metadata = "") {
  return "{apiVersion: v1, kind: Pod, metadata: {name: web-5d-x, namespace: acme-prod, uid: p1" + metadata +
         "}, spec: {containers: [{name: web, image: r.example/a/b}]}}";
}

std::string owned_by(const std::string& kind, const std::string& api_version, const std::string& name, const std::string& uid) {
  return ", ownerReferences: [{apiVersion: " + api_version + ", kind: " + kind + ", name: " + name + ", uid: " + uid +
         ", controller: true}]";
}

WorkloadFact& add_workload(KnownFacts& facts, const std::string& group, const std::string& kind, const std::string& name,
                           const std::string& uid) {
  WorkloadFact& fact = facts.workloads.emplace_back();
  fact.group = group, fact.kind = kind, fact.name_space = "acme-prod", fact.name = name, fact.uid = uid;
  return fact;
}

}  // namespace

TEST_CASE("facts that are not known go by the failure mode", "[policy][engine][facts]") {
  const auto with = [](const std::string& modes) {
    return compile_documents(policy_document("p", "{" + modes + "rules: [{id: replica-floor, with: {min: 2}}]}"));
  };
  KnownFacts facts;
  const Given low(web(1), in("acme-prod"));
  CHECK(summary(judge(*with(""), low.subject, nullptr)) == "deny replica-floor/p");
  CHECK(summary(judge(*with(""), low.subject, &facts)) == "deny replica-floor/p");
  facts.unknown = {FactKind::autoscalers};
  CHECK(summary(judge(*with(""), low.subject, &facts)) == "allow unavailable ?replica-floor/p:deny");
  CHECK(summary(judge(*with("failureMode: warn, "), low.subject, &facts)) == "warn ?replica-floor/p:warn");
  CHECK(summary(judge(*with("failureMode: allow, "), low.subject, &facts)) == "allow ?replica-floor/p:allow");
  CHECK(summary(judge(*with("mode: warn, "), low.subject, &facts)) == "warn ?replica-floor/p:warn");
  CHECK(summary(judge(*with("mode: audit, "), low.subject, &facts)) == "allow ?replica-floor/p:allow");
  SECTION("the rule's own over the policy's") {
    const auto own = compile_documents(policy_document("p", "{rules: [{id: replica-floor, failureMode: allow, with: {min: 2}}]}"));
    CHECK(summary(judge(*own, low.subject, &facts)) == "allow ?replica-floor/p:allow");
  }
  SECTION("why, in words") {
    const Decision decision = judge(*with(""), low.subject, &facts);
    CHECK(decision.unavailable == "replica-floor could not be judged: autoscalers are not known (policy p)");
    CHECK(decision.found() == Verdict::allow);
  }
  SECTION("a denial that needs no facts stands") {
    const auto both = compile_documents(policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}, {id: image-digest}]}"));
    CHECK(summary(judge(*both, low.subject, &facts)) == "deny image-digest/p ?replica-floor/p:deny");
  }
  SECTION("who is not asked does not miss them") {
    CHECK(summary(judge(*with(""), Given(web(0), in("acme-prod")).subject, &facts)) == "allow");
    CHECK(summary(judge(*with(""), Given(pod(), in("acme-prod")).subject, &facts)) == "allow");
  }
}

TEST_CASE("an autoscaler's floor counts, on scale too", "[policy][engine][facts]") {
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: replica-floor, with: {min: 2}}]}"));
  KnownFacts facts;
  AutoscalerFact& autoscaler = facts.autoscalers.emplace_back();
  autoscaler.name_space = "acme-prod", autoscaler.name = "web";
  autoscaler.target_group = "apps", autoscaler.target_kind = "Deployment", autoscaler.target_name = "web";
  World world = in("acme-prod");
  world.operation = Operation::update;
  world.resource = "deployments", world.subresource = "scale";
  const auto scale = [](int replicas) {
    return "{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: acme-prod}, spec: {replicas: " +
           std::to_string(replicas) + "}}";
  };
  world.old = scale(3);
  const Given low(web(1), in("acme-prod")), high(web(3), in("acme-prod")), down(scale(1), world);
  autoscaler.replicas_min = 3;
  CHECK(summary(judge(*snapshot, low.subject, &facts)) == "allow");
  CHECK(summary(judge(*snapshot, down.subject, &facts)) == "allow");
  autoscaler.replicas_min = 1;
  CHECK(summary(judge(*snapshot, high.subject, &facts)) == "deny replica-floor/p");
  CHECK(summary(judge(*snapshot, down.subject, &facts)) == "deny replica-floor/p");
  CHECK(judge(*snapshot, high.subject, &facts).findings[0].finding.where == "HorizontalPodAutoscaler/web spec.minReplicas");
}

TEST_CASE("a Scale is judged with the labels of its workload", "[policy][engine][facts]") {
  const auto snapshot = compile_documents(
      policy_document("p", "{match: {selector: {matchLabels: {judged: \"yes\"}}}, rules: [{id: replica-floor, with: {min: 2}}]}"));
  World world = in("acme-prod");
  world.operation = Operation::update;
  world.resource = "deployments", world.subresource = "scale";
  world.old = "{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: acme-prod}, spec: {replicas: 3}}";
  const Given down("{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: acme-prod}, spec: {replicas: 1}}", world);
  KnownFacts facts;
  CHECK(summary(judge(*snapshot, down.subject, &facts)) == "allow unavailable ?replica-floor/p:deny");  // not seen yet
  WorkloadFact& workload = add_workload(facts, "apps", "Deployment", "web", "d1");
  CHECK(summary(judge(*snapshot, down.subject, &facts)) == "allow");
  workload.labels = {{"app", "web"}, {"judged", "yes"}};
  CHECK(summary(judge(*snapshot, down.subject, &facts)) == "deny replica-floor/p");
  facts.unknown = {FactKind::workloads};
  CHECK(summary(judge(*snapshot, down.subject, &facts)) == "allow unavailable ?replica-floor/p:deny");
  CHECK(summary(judge(*snapshot, down.subject, nullptr)) == "allow");
  CHECK(snapshot->facts_wanted() == FactKinds{FactKind::autoscalers, FactKind::workloads});
}

TEST_CASE("exceptions follow the live chain of owners", "[policy][engine][facts]") {
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: image-digest}]}") +
                                          exception_for("[image-digest]", "[{kind: Deployment, name: web}]"));
  const std::string by_set = owned_by("ReplicaSet", "apps/v1", "web-5d", "r1");
  KnownFacts facts;
  WorkloadFact& set = add_workload(facts, "apps", "ReplicaSet", "web-5d", "r1");
  set.owner = OwnerFact{"apps", "Deployment", "web", "d1"};
  add_workload(facts, "apps", "Deployment", "web", "d1");
  const auto says = [&](const std::string& manifest, const World& world) {
    return summary(judge(*snapshot, Given(manifest, world).subject, &facts));
  };
  const std::string excepted = "allow image-digest/p:bridge", denied = "deny image-digest/p",
                    unknown = "allow unavailable ?image-digest/p:deny";
  CHECK(says(pod(by_set), by_controller()) == excepted);
  SECTION("what a person writes proves nothing") {
    CHECK(says(pod(by_set), in("acme-prod")) == denied);
    CHECK(says(pod(owned_by("Deployment", "apps/v1", "web", "d1")), in("acme-prod")) == denied);
  }
  SECTION("the uid must be the live one, all the way up") {
    CHECK(says(pod(owned_by("ReplicaSet", "apps/v1", "web-5d", "r2")), by_controller()) == unknown);
    CHECK(says(pod(owned_by("ReplicaSet", "apps/v1", "web-5d", "''")), by_controller()) == unknown);
    CHECK(says(pod(owned_by("ReplicaSet", "apps/v1", "other", "r1")), by_controller()) == unknown);
    set.owner->uid = "d2";
    CHECK(says(pod(by_set), by_controller()) == unknown);
    set.owner = OwnerFact{"apps", "StatefulSet", "web", "d1"};
    CHECK(says(pod(by_set), by_controller()) == unknown);
  }
  SECTION("an owner of another name, or none") {
    set.owner.reset();
    CHECK(says(pod(by_set), by_controller()) == denied);
    set.owner = OwnerFact{"apps", "Deployment", "shop", "d3"};
    add_workload(facts, "apps", "Deployment", "shop", "d3");
    CHECK(says(pod(by_set), by_controller()) == denied);
    CHECK(says(pod(), by_controller()) == denied);
    CHECK(says(pod(owned_by("Cluster", "postgresql.cnpg.io/v1", "db", "c1")), by_controller()) == denied);
    CHECK(says(pod(", ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5d, uid: r1}]"), by_controller()) == denied);
  }
  SECTION("a chain that bites its tail ends") {
    set.owner = OwnerFact{"apps", "ReplicaSet", "web-5d", "r1"};
    CHECK(says(pod(by_set), by_controller()) == denied);
  }
  SECTION("facts that are not known, and no cluster at all") {
    facts.unknown = {FactKind::workloads};
    CHECK(says(pod(by_set), by_controller()) == unknown);
    CHECK(summary(judge(*snapshot, Given(pod(by_set), by_controller()).subject, nullptr)) == denied);
  }
  SECTION("only where an exception could cover") {
    facts.unknown = {FactKind::workloads};
    const auto plain = compile_documents(policy_document("p", "{rules: [{id: image-digest}]}"));
    CHECK(summary(judge(*plain, Given(pod(by_set), by_controller()).subject, &facts)) == denied);
    CHECK(plain->facts_wanted() == FactKinds{});
    CHECK(snapshot->facts_wanted() == FactKinds{FactKind::workloads});
  }
  SECTION("CronJob, Job, Pod") {
    const auto jobs = compile_documents(policy_document("p", "{rules: [{id: image-digest}]}") +
                                        exception_for("[image-digest]", "[{kind: CronJob, name: \"night*\"}]"));
    add_workload(facts, "batch", "Job", "nightly-1", "j1").owner = OwnerFact{"batch", "CronJob", "nightly", "c1"};
    add_workload(facts, "batch", "CronJob", "nightly", "c1");
    const Given made(pod(owned_by("Job", "batch/v1", "nightly-1", "j1")), by_controller());
    CHECK(summary(judge(*jobs, made.subject, &facts)) == excepted);
  }
}

TEST_CASE("a write that draws on a budget is asked for", "[policy][engine][facts]") {
  const std::string rule = "rules: [{id: tenant-budget}]}";
  const auto snapshot = compile_documents(policy_document("p", "{" + rule));
  KnownFacts facts;
  facts.all_budgets[""] = {{"pods", 10, 10, 0}, {"requests.storage", 1'000, 0, 0}};
  const Given given(pod(), in("acme-prod"));
  const ChargeOutcome over{ChargeStatus::over, "pods", 10, 10, 0, 1, {}}, granted{ChargeStatus::granted, "", 0, 0, 0, 0, {}};
  SECTION("the ledger is asked, not the facts") {
    const Decision decision = judge(*snapshot, given.subject, &facts);
    CHECK(summary(decision) == "allow charge");
    REQUIRE(decision.charge->added.size() == 1);
    CHECK(decision.charge->tenant == "acme");
    CHECK(decision.charge->object_uid == "p1");
    CHECK(summary(judge(*snapshot, given.subject, nullptr)) == "allow charge");
    CHECK(summary(judge(*snapshot, given.subject, &facts, &over)) == "deny tenant-budget/p");
    CHECK(summary(judge(*snapshot, given.subject, &facts, &granted)) == "warn tenant-budget/p:advice");
    CHECK(summary(judge(*snapshot, given.subject, nullptr, &granted)) == "allow");
    CHECK(snapshot->facts_wanted() == FactKinds{FactKind::budgets, FactKind::workloads});
  }
  SECTION("by namespace") {
    const Decision decision = judge(*snapshot, Given(pod(), in("acme-dev-x")).subject, nullptr);
    REQUIRE(decision.charge);
    REQUIRE(decision.charge->added.size() == 2);
    CHECK(decision.charge->added[1].resource == "acme-dev-*/pods");
  }
  SECTION("an answer that cannot be had") {
    const ChargeOutcome lost{ChargeStatus::unavailable, "", 0, 0, 0, 0, "the ledger is not ready"};
    CHECK(summary(judge(*snapshot, given.subject, &facts, &lost)) == "allow unavailable ?tenant-budget/p:deny");
    const auto open = compile_documents(policy_document("p", "{failureMode: allow, " + rule));
    CHECK(summary(judge(*open, given.subject, &facts, &lost)) == "allow ?tenant-budget/p:allow");
  }
  SECTION("what is denied anyway is not asked for, but told") {
    const auto both = compile_documents(policy_document("p", "{rules: [{id: image-digest}, {id: tenant-budget}]}"));
    CHECK(summary(judge(*both, given.subject, nullptr)) == "deny image-digest/p");
    CHECK(summary(judge(*both, given.subject, &facts)) == "deny tenant-budget/p image-digest/p");
  }
  SECTION("a policy that only warns reserves nothing") {
    const auto warns = compile_documents(policy_document("p", "{mode: warn, " + rule));
    CHECK(summary(judge(*warns, given.subject, &facts)) == "warn tenant-budget/p:warn");
    CHECK(summary(judge(*warns, given.subject, nullptr)) == "allow");
    const auto both = compile_documents(policy_document("p", "{mode: warn, " + rule) + policy_document("q", "{" + rule));
    CHECK(summary(judge(*both, given.subject, &facts)) == "allow charge");
    CHECK(summary(judge(*both, given.subject, &facts, &over)) == "deny tenant-budget/p:warn tenant-budget/q");
  }
  SECTION("a dry run reserves nothing") {
    Given dry(pod(), in("acme-prod"));
    dry.subject.dry_run = true;
    CHECK(summary(judge(*snapshot, dry.subject, &facts)) == "deny tenant-budget/p");
    CHECK(summary(judge(*snapshot, dry.subject, nullptr)) == "allow charge");  // the ledger of an embedded gate knows
  }
  SECTION("what is excepted is not asked for, and counts when it is there") {
    const auto excepted =
        compile_documents(policy_document("p", "{" + rule) + exception_for("[tenant-budget]", "[{kind: Pod, name: web-5d-x}]"));
    CHECK(summary(judge(*excepted, given.subject, &facts)) == "allow tenant-budget/p:bridge");
    CHECK(summary(judge(*excepted, given.subject, nullptr)) == "allow");
  }
  SECTION("an exception for the workload, while its owners are not known") {
    const auto excepted =
        compile_documents(policy_document("p", "{" + rule) + exception_for("[tenant-budget]", "[{kind: Deployment, name: web}]"));
    const Given made(pod(owned_by("ReplicaSet", "apps/v1", "web-5d", "r1")), by_controller());
    CHECK(summary(judge(*excepted, made.subject, &facts)) == "allow charge");
    CHECK(summary(judge(*excepted, made.subject, &facts, &over)) == "allow unavailable ?tenant-budget/p:deny");
    add_workload(facts, "apps", "ReplicaSet", "web-5d", "r1").owner = OwnerFact{"apps", "Deployment", "web", "d1"};
    add_workload(facts, "apps", "Deployment", "web", "d1");
    CHECK(summary(judge(*excepted, made.subject, &facts)) == "allow tenant-budget/p:bridge");
  }
  SECTION("no budget here, nothing added, deleting") {
    CHECK(summary(judge(*snapshot, Given(pod(), in("elsewhere")).subject, &facts)) == "warn unknown-namespace/hoster:warn");
    World gone = in("acme-prod");
    gone.operation = Operation::remove;
    CHECK(summary(judge(*snapshot, Given(pod(), gone).subject, &facts)) == "allow");
    World same = in("acme-prod");
    same.operation = Operation::update;
    same.old = pod();
    CHECK(summary(judge(*snapshot, Given(pod(", labels: {a: b}"), same).subject, &facts)) == "allow");
  }
}

TEST_CASE("a resize is judged by the whole pod", "[policy][engine][facts]") {
  const auto snapshot = compile_documents(
      policy_document("p",
                      "{rules: [{id: container-bounds, with: {require: [requests.cpu], max: {requests.cpu: 2}}}, {id: image-digest}]}") +
      policy_document("q", "{rules: [{id: tenant-budget}]}") +
      "---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: globex}\n" +
      "spec: {tier: 2, timeZone: Europe/Madrid, budget: {requests.cpu: '8'}, namespaces: [{name: globex-prod, environment: production, "
      "tenancy: dedicated}]}\n");
  const auto sized = [](const std::string& cpu) {
    return "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: globex-prod, uid: p9}, spec: {containers: [{name: a, image: r/a:1, "
           "resources: {requests: {cpu: " +
           cpu + "}}}]}, status: {containerStatuses: [{name: a, resources: {requests: {cpu: 1}}}]}}";
  };
  World world = in("globex-prod");
  world.operation = Operation::update;
  world.resource = "pods", world.subresource = "resize";
  world.old = sized("1");
  CHECK(summary(judge(*snapshot, Given(sized("3"), world).subject, nullptr)) == "deny container-bounds/p");
  const Decision grown = judge(*snapshot, Given(sized("2"), world).subject, nullptr);
  CHECK(summary(grown) == "allow charge");
  REQUIRE(grown.charge->added.size() == 1);
  CHECK(grown.charge->added[0].units == 1'000);
  CHECK(summary(judge(*snapshot, Given(sized("500m"), world).subject, nullptr)) == "allow");
}

TEST_CASE("a workload that cannot fit is told, and denied where a policy says so", "[policy][engine][facts]") {
  KnownFacts facts;
  facts.all_budgets[""] = {{"pods", 10, 8, 0}};
  const auto snapshot = compile_documents(policy_document("p", "{rules: [{id: tenant-budget}]}"));
  const auto strict = compile_documents(policy_document("p", "{rules: [{id: tenant-budget, with: {controllers: deny}}]}"));
  const Given given(web(4), in("acme-prod"));
  CHECK(summary(judge(*snapshot, given.subject, &facts)) == "warn tenant-budget/p:advice");
  CHECK(summary(judge(*strict, given.subject, &facts)) == "deny tenant-budget/p");
  facts.unknown = {FactKind::budgets};
  CHECK(summary(judge(*snapshot, given.subject, &facts)) == "allow");
  CHECK(summary(judge(*strict, given.subject, &facts)) == "allow unavailable ?tenant-budget/p:deny");
}

TEST_CASE("namespaces carry their tenancy", "[policy][engine]") {
  const auto snapshot = compile_documents("");
  const auto object = [](const std::string& name, const std::string& labels) {
    return "{apiVersion: v1, kind: Namespace, metadata: {name: " + name + (labels.empty() ? "" : ", labels: " + labels) + "}}";
  };
  const auto mended = [&](const std::string& now, const std::string& before = "") {
    World world = in("");
    if (!before.empty()) world.operation = Operation::update, world.old = before;
    PolicySnapshot::Scratch scratch;
    Patch patch;
    snapshot->mend(Given(now, world).subject, Instant{}, scratch, patch);
    return patch.json();
  };
  const auto says = [&](const std::string& now, const std::string& before = "", const std::string& subresource = "") {
    World world = in("");
    if (!before.empty()) world.operation = Operation::update, world.old = before;
    world.subresource = subresource;
    return summary(judge(*snapshot, Given(now, world).subject, nullptr));
  };
  const std::string right = "{portcullis.dev/tenant: acme, portcullis.dev/tier: '1', portcullis.dev/environment: production}";
  const std::string forged = "{portcullis.dev/tenant: acme, portcullis.dev/tier: '3', portcullis.dev/environment: production}";
  const std::string tenancy = "namespace-tenancy/hoster";
  SECTION("the gate writes the labels") {
    CHECK(
        mended(object("acme-prod", "")) ==
        R"([{"op":"add","path":"/metadata/labels","value":{"portcullis.dev/tenant":"acme","portcullis.dev/tier":"1","portcullis.dev/environment":"production"}}])");
    CHECK(
        mended(object("acme-dev-x", "{kubernetes.io/metadata.name: acme-dev-x, portcullis.dev/tenant: acme}")) ==
        R"([{"op":"add","path":"/metadata/labels/portcullis.dev~1tier","value":"3"},{"op":"add","path":"/metadata/labels/portcullis.dev~1environment","value":"sandbox"}])");
    CHECK(mended(object("acme-prod", right)) == "[]");
    CHECK(mended(object("elsewhere", "{a: b}")) == "[]");
    CHECK(mended(object("kube-system", "{a: b}")) == "[]");
    CHECK(mended(object("acme-prod", "{a: b}"), object("acme-prod", right)).find("add") != std::string::npos);  // taken off: back again
  }
  SECTION("nobody else does") {
    CHECK(says(object("acme-prod", right)) == "allow");
    CHECK(says(object("acme-prod", "")) == "allow");
    CHECK(says(object("acme-prod", forged)) == "deny " + tenancy);
    CHECK(mended(object("acme-prod", forged)) == "[]");  // not corrected in silence
    CHECK(says(object("acme-prod", forged), object("acme-prod", right)) == "deny " + tenancy);
    CHECK(says(object("acme-prod", "{a: b}"), object("acme-prod", right), "finalize") == "deny " + tenancy + " " + tenancy + " " + tenancy);
    CHECK(says(object("acme-prod", forged), object("acme-prod", right), "status") == "deny " + tenancy);
    CHECK(says(object("acme-prod", "{portcullis.dev/tier: 1}")) == "deny " + tenancy);  // no string
    CHECK(says(object("elsewhere", "{portcullis.dev/tier: '3'}")).starts_with("deny "));
    CHECK(says(object("kube-system", "{portcullis.dev/tier: '3'}")) == "allow");
  }
  SECTION("an old wrong label warns, and is mended") {
    CHECK(says(object("acme-prod", forged), object("acme-prod", forged)) == "warn " + tenancy + ":kept");
    CHECK(mended(object("acme-prod", forged), object("acme-prod", forged)) ==
          R"([{"op":"replace","path":"/metadata/labels/portcullis.dev~1tier","value":"1"}])");
    const std::string orphan = object("elsewhere", "{portcullis.dev/tier: '3'}");
    CHECK(says(orphan, orphan).find(tenancy + ":kept") != std::string::npos);
    CHECK(mended(orphan, orphan) == R"([{"op":"remove","path":"/metadata/labels/portcullis.dev~1tier"}])");
    CHECK(says(object("elsewhere", "{a: b}"), orphan).find(tenancy) == std::string::npos);
  }
  SECTION("the message") {
    World world = in("");
    const Given given(object("acme-prod", forged), world);
    const Decision decision = judge(*snapshot, given.subject, nullptr);
    REQUIRE(decision.findings.size() == 1);
    CHECK(finding_text(decision.findings[0]) ==
          "namespace-tenancy: label of another tenancy at metadata.labels[\"portcullis.dev/tier\"]: found `3`, want `1`, as the "
          "documents say; leave the label out: the gate sets it from the Tenant documents");
  }
}
