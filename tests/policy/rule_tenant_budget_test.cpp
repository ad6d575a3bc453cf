#include <string>

#include "policy/document/budget.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"
#include "tests/policy/known_facts.hpp"

using namespace portcullis;
using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

constexpr const char* quick_pod =
    "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: acme-prod, uid: u-1}, spec: {containers: [{name: a, resources: "
    "{requests: {cpu: 2, memory: 1Gi}, limits: {memory: 2Gi}}}]}}";

World create(std::map<std::string, std::string> budget, std::map<std::string, std::string> entry_budget = {}) {
  World world;
  world.budget = std::move(budget);
  world.entry_budget = std::move(entry_budget);
  return world;
}

// "acme uid pods/acme-prod/p: requests.cpu 2000, acme-*/pods 1", or "" when nothing is asked for.
std::string asked(std::string_view manifest, const World& world, std::string_view with = "{}") {
  const RulePtr rule = compile("tenant-budget", with);
  const Given given(manifest, world);
  const std::optional<Charge> charge = rule->charge(given.subject, given.facts);
  if (!charge) return {};
  std::string text = charge->tenant + " " + charge->object_uid + " " + charge->resource + "/" + charge->name_space + "/" + charge->name;
  for (const Amount& each : charge->added)
    text += (&each == charge->added.data() ? ": " : ", ") + each.resource + " " + std::to_string(each.units);
  return text;
}

std::string line_of(const Finding& f) {
  return std::string(f.advice ? "advice " : "") + f.what + " at " + f.where + ": found " + f.found + ", want " + f.wanted + "; " + f.fix;
}

std::string answered(std::string_view manifest, World world, const ChargeOutcome& outcome, std::string_view with = "{}") {
  const RulePtr rule = compile("tenant-budget", with);
  Given given(manifest, world);
  given.facts.is_controller = world.user == "system:serviceaccount:kube-system:replicaset-controller";
  const std::optional<Charge> charge = rule->charge(given.subject, given.facts);
  REQUIRE(charge);
  Findings found;
  rule->answer(given.subject, given.facts, *charge, outcome, found);
  std::string text;
  for (const Finding& each : found.all()) text += (text.empty() ? "" : "\n") + line_of(each);
  return text;
}

std::string told(std::string_view manifest, const World& world, std::string_view with = "{}") {
  const RulePtr rule = compile("tenant-budget", with);
  const Given given(manifest, world);
  Findings found;
  rule->evaluate(given.subject, given.facts, found);
  std::string text;
  for (const Finding& each : found.all())
    text +=
        (text.empty() ? "" : "\n") + std::string(each.advice ? "advice " : "") + each.what + " at " + each.where + ": found " + each.found;
  return text;
}

std::string web(std::string_view replicas, std::string_view cpu = "1", std::string_view more = "", std::string_view status = "") {
  return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: acme-prod}, spec: {" + std::string(more) +
         "replicas: " + std::string(replicas) +
         ", template: {spec: {containers: [{name: a, resources: {requests: {cpu: " + std::string(cpu) + "}}}]}}}" + std::string(status) +
         "}";
}

}  // namespace

TEST_CASE("tenant-budget asks for what a write adds", "[policy][rule]") {
  CHECK(asked(quick_pod, create({{"requests.cpu", "40"}, {"pods", "10"}, {"limits.memory", "1Ti"}})) ==
        "acme u-1 pods/acme-prod/p: limits.memory 2147483648, pods 1, requests.cpu 2000");
  CHECK(asked(quick_pod, create({{"requests.cpu", "40"}}, {{"pods", "3"}, {"memory", "1Gi"}})) ==
        "acme u-1 pods/acme-prod/p: requests.cpu 2000, acme-*/memory 1073741824, acme-*/pods 1");
  SECTION("only what a budget bounds") {
    CHECK(asked(quick_pod, create({{"services", "3"}, {"count/deployments.apps", "1"}})) == "");
    CHECK(asked(quick_pod, create({{"limits.cpu", "3"}})) == "");  // it has no such limit
    CHECK(asked(quick_pod, create({{"count/pods", "3"}})) == "acme u-1 pods/acme-prod/p: count/pods 1");
    CHECK(asked(web("2"), create({{"pods", "3"}})) == "");
    CHECK(asked(web("2"), create({{"count/deployments.apps", "3"}})) == "acme  deployments.apps/acme-prod/web: count/deployments.apps 1");
    CHECK(asked(web("2"), create({{"count/deployments", "3"}, {"count/deployments.app", "3"}})) == "");
  }
  SECTION("an update is charged what it adds") {
    World world = create({{"requests.storage", "1Ti"}, {"persistentvolumeclaims", "3"}});
    const auto claim = [](const std::string& size) {
      return "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {resources: {requests: {storage: " + size +
             "}}}}";
    };
    CHECK(asked(claim("10Gi"), world) ==
          "acme  persistentvolumeclaims/acme-prod/data: persistentvolumeclaims 1, requests.storage 10737418240");
    world.operation = Operation::update;
    world.old = claim("9Gi");
    CHECK(asked(claim("10Gi"), world) == "acme  persistentvolumeclaims/acme-prod/data: requests.storage 1073741824");
    CHECK(asked(claim("9Gi"), world) == "");
    CHECK(asked(claim("8Gi"), world) == "");
  }
  SECTION("a service that becomes a load balancer") {
    World world = create({{"services.loadbalancers", "0"}, {"services.nodeports", "2"}, {"services", "9"}});
    const auto service = [](const std::string& type) {
      return "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: " + type + ", ports: [{port: 80}, {port: 443}]}}";
    };
    world.operation = Operation::update;
    world.old = service("ClusterIP");
    CHECK(asked(service("LoadBalancer"), world) == "acme  services/acme-prod/s: services.loadbalancers 1, services.nodeports 2");
  }
  SECTION("a resize") {
    World world = create({{"requests.cpu", "40"}});
    world.operation = Operation::update;
    world.old = quick_pod;
    std::string bigger = quick_pod;
    bigger.replace(bigger.find("cpu: 2"), 6, "cpu: 3");
    world.subresource = "resize";
    CHECK(asked(bigger, world) == "acme u-1 pods/acme-prod/p: requests.cpu 1000");
    world.subresource = "status";
    CHECK(asked(bigger, world) == "");
    world.subresource = "binding";
    CHECK(asked(bigger, world) == "");
  }
  SECTION("a pod that has ended adds an object, no more") {
    const std::string ended =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {requests: {cpu: "
        "1}}}]}, status: {phase: Succeeded}}";
    CHECK(asked(ended, create({{"requests.cpu", "40"}, {"pods", "3"}})) == "");
  }
  SECTION("mirror pods, proven by who writes them") {
    World world = create({{"pods", "3"}});
    const std::string mirror =
        "{apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {kubernetes.io/config.mirror: x}}, spec: {containers: []}}";
    CHECK(asked(mirror, world) != "");
    world.user = "system:node:n1";
    CHECK(asked(mirror, world) != "");  // a name alone
    world.groups = {"system:nodes"};
    CHECK(asked(mirror, world) == "");
    CHECK(asked(quick_pod, world) != "");
  }
  SECTION("amounts are rounded up and saturate") {
    const auto pod = [](const std::string& cpu) {
      return "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, resources: {requests: {cpu: '" + cpu +
             "'}}}]}}";
    };
    const World world = create({{"requests.cpu", "40"}});
    CHECK(asked(pod("1n"), world) == "acme  pods/acme-prod/p: requests.cpu 1");
    CHECK(asked(pod("1.0001"), world) == "acme  pods/acme-prod/p: requests.cpu 1001");
    CHECK(asked(pod("9E"), world) == "acme  pods/acme-prod/p: requests.cpu 4611686018427387904");
    CHECK(asked(pod("-1"), world) == "");
    CHECK(asked(pod("0"), world) == "");
  }
}

TEST_CASE("tenant-budget and what a pod must set", "[policy][rule]") {
  const auto missing = [](std::string_view spec, const World& world) {
    return told("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: " + std::string(spec) + "}", world);
  };
  const World cpu = create({{"requests.cpu", "40"}}), memory = create({}, {{"limits.memory", "4Gi"}});
  const std::string what = "amount that a budget counts is missing at ";
  CHECK(missing("{containers: [{name: a, resources: {requests: {cpu: 1}}}]}", cpu) == "");
  CHECK(missing("{containers: [{name: a, resources: {limits: {cpu: 1}}}]}", cpu) == "");  // the API server copies it
  CHECK(missing("{containers: [{name: a}]}", cpu) == what + "spec.containers[0].resources.requests.cpu: found nothing");
  CHECK(missing("{containers: [{name: a}]}", create({{"cpu", "40"}})) == what + "spec.containers[0].resources.requests.cpu: found nothing");
  CHECK(missing("{initContainers: [{name: i}], containers: [{name: a, resources: {requests: {cpu: 1}}}]}", cpu) ==
        what + "spec.initContainers[0].resources.requests.cpu: found nothing");
  CHECK(missing("{ephemeralContainers: [{name: i}], containers: [{name: a, resources: {requests: {cpu: 1}}}]}", cpu) == "");
  CHECK(missing("{resources: {limits: {memory: 1Gi}}, containers: [{name: a}]}", cpu) == "");
  CHECK(missing("{resources: {limits: {ephemeral-storage: 1Gi}}, containers: [{name: a}]}", cpu) != "");
  CHECK(missing("{containers: [{name: a, resources: {requests: {memory: 1Gi}}}]}", memory) ==
        what + "spec.containers[0].resources.limits.memory: found nothing");
  CHECK(missing("{containers: [{name: a}]}", create({{"requests.ephemeral-storage", "1Gi"}, {"pods", "1"}})) == "");
  SECTION("a workload is told") {
    CHECK(told("{apiVersion: batch/v1, kind: Job, spec: {template: {spec: {containers: [{name: a}]}}}}", cpu) ==
          "advice " + what + "spec.template.spec.containers[0].resources.requests.cpu: found nothing");
  }
}

TEST_CASE("tenant-budget tells what the ledger said", "[policy][rule]") {
  const World world = create({{"requests.cpu", "40"}}, {{"pods", "10"}});
  const ChargeOutcome over{ChargeStatus::over, "requests.cpu", 40'000, 39'000, 0, 2'000, {}};
  CHECK(answered(quick_pod, world, over) ==
        "budget used up at spec: found requests.cpu 2 more, with 39 in use, want at most 40 for all namespaces of tenant `acme`; make "
        "room in these namespaces or ask the platform team for a larger budget");
  CHECK(answered(quick_pod, world, {ChargeStatus::over, "acme-*/pods", 10, 10, 0, 1, {}}) ==
        "budget used up at metadata.namespace: found pods 1 more, with 10 in use, want at most 10 for namespaces `acme-*` of tenant "
        "`acme`; make room in these namespaces or ask the platform team for a larger budget");
  CHECK(answered(quick_pod, world, {ChargeStatus::reserved, "acme-*/pods", 10, 8, 2, 1, {}}) ==
        "budget held by writes under way at metadata.namespace: found pods 1 more than they leave, want at most 10 for namespaces "
        "`acme-*` of tenant `acme`; try again in a moment");
  CHECK(answered(quick_pod, world, {ChargeStatus::granted, "", 0, 0, 0, 0, {}}) == "");
  SECTION("a controller hears the same words whatever is in use") {
    World controller = world;
    controller.user = "system:serviceaccount:kube-system:replicaset-controller";
    const std::string first = answered(quick_pod, controller, over);
    CHECK(first ==
          "budget used up at spec: found requests.cpu 2 more than is left, want at most 40 for all namespaces of tenant `acme`; make "
          "room in these namespaces or ask the platform team for a larger budget; refused pods are tried again, at the latest 16 min 40 "
          "s after there is room");
    CHECK(answered(quick_pod, controller, {ChargeStatus::over, "requests.cpu", 40'000, 38'500, 700, 2'000, {}}) == first);
  }
  SECTION("little is left") {
    KnownFacts facts;
    facts.all_budgets[""] = {{"requests.cpu", 40'000, 30'000, 0}};
    facts.all_budgets["acme-*"] = {{"pods", 10, 1, 0}};
    World known = world;
    known.cluster = &facts;
    const ChargeOutcome granted{ChargeStatus::granted, "", 0, 0, 0, 0, {}};
    CHECK(answered(quick_pod, known, granted) == "");  // 32 of 40 is 80 percent
    CHECK(answered(quick_pod, known, granted, "{warnAt: 79}") ==
          "advice budget nearly used up at spec: found requests.cpu 32 of 40 in use with this, want at most 79 percent of it for all "
          "namespaces of tenant `acme`; make room in these namespaces, or ask the platform team for a larger budget before it is needed");
    facts.unknown = {FactKind::budgets};
    CHECK(answered(quick_pod, known, granted, "{warnAt: 1}") == "");
  }
}

TEST_CASE("tenant-budget tells workloads early", "[policy][rule]") {
  KnownFacts facts;
  facts.all_budgets[""] = {{"requests.cpu", 10'000, 7'000, 0}};
  World world = create({{"requests.cpu", "10"}});
  SECTION("without facts: what can never fit") {
    CHECK(told(web("9"), world) == "");
    CHECK(told(web("11"), world) ==
          "advice workload beyond the budget at spec.replicas: found 11 pods with at least requests.cpu 11 in all");
    CHECK(told(web("0", "11"), world) == "");
    CHECK(told(web("'3'", "11"), world) != "");
    CHECK(told(web("11"), world, "{controllers: deny}").starts_with("workload beyond"));
    CHECK(told(web("9223372036854775807", "9E"), world) != "");
  }
  world.cluster = &facts;
  SECTION("what does not fit now") {
    CHECK(told(web("3", "1", "strategy: {type: Recreate}, "), world) == "");
    CHECK(told(web("4"), world) ==
          "advice no room for all pods at spec.replicas: found 4 pods with at least requests.cpu 4 more, with 7 of 10 in use");
  }
  SECTION("an update that grows, beside the pods that are there") {
    world.operation = Operation::update;
    world.old = web("4", "1", "", ", status: {replicas: 4}");
    CHECK(told(web("7"), world) == "");
    CHECK(told(web("8"), world) ==
          "advice no room for all pods at spec.replicas: found 8 pods with at least requests.cpu 4 more, with 7 of 10 in use");
    CHECK(told(web("4"), world) == "");
    CHECK(told(web("2"), world) == "");
    CHECK(told(web("4", "2"), world) ==
          "advice no room for all pods at spec.replicas: found 4 pods with at least requests.cpu 4 more, with 7 of 10 in use");
  }
  SECTION("a rollout that cannot move") {
    facts.all_budgets[""] = {{"requests.cpu", 10'000, 10'000, 0}};
    world.operation = Operation::update;
    world.old = web("3", "1", "", ", status: {replicas: 3}");
    const std::string changed =
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3, MORE template: {spec: "
        "{containers: [{name: a, image: new, resources: {requests: {cpu: 1}}}]}}}, status: {replicas: 3}}";
    const auto rolled = [&](const std::string& strategy) {
      std::string text = changed;
      return told(text.replace(text.find("MORE"), 4, strategy), world);
    };
    const std::string stuck =
        "advice rollout without room at spec.replicas: found no room for one more pod with at least requests.cpu 1, and maxUnavailable "
        "comes to 0";
    CHECK(rolled("") == stuck);  // 25 percent of 3, rounded down
    CHECK(rolled("strategy: {rollingUpdate: {maxUnavailable: 33%}},") == stuck);
    CHECK(rolled("strategy: {rollingUpdate: {maxUnavailable: 34%}},") == "");
    CHECK(rolled("strategy: {rollingUpdate: {maxUnavailable: 1}},") == "");
    CHECK(rolled("strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0}},") == "");
    CHECK(rolled("strategy: {type: Recreate},") == "");
    CHECK(told(web("3"), world) == "");  // nothing changed
    SECTION("asks for no more, so no policy denies it") {
      std::string text = changed;
      text.replace(text.find("MORE"), 4, "");
      CHECK(told(text, world, "{controllers: deny}") == stuck);
      facts.all_budgets[""][0].used = 90'000;  // nor for a budget that was passed before
      CHECK(told(text, world, "{controllers: deny}") == stuck);
    }
  }
  SECTION("scale") {
    WorkloadFact& workload = facts.workloads.emplace_back();
    workload.group = "apps", workload.kind = "Deployment", workload.name_space = "acme-prod", workload.name = "web";
    workload.pod_usage = {{"requests.cpu", Quantity::of_units(1)}};
    world.operation = Operation::update;
    world.resource = "deployments", world.subresource = "scale";
    const auto scale = [](int replicas, const std::string& status) {
      return "{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web}, spec: {replicas: " + std::to_string(replicas) + "}" +
             status + "}";
    };
    world.old = scale(3, ", status: {replicas: 3}");
    CHECK(told(scale(6, ""), world) == "");
    CHECK(told(scale(7, ""), world) ==
          "advice no room for all pods at spec.replicas: found 7 pods with at least requests.cpu 4 more, with 7 of 10 in use");
    CHECK(told(scale(2, ""), world) == "");
  }
  SECTION("other kinds") {
    const auto job = [](const std::string& kind, const std::string& spec) {
      const std::string inner = "{" + spec + "template: {spec: {containers: [{name: a, resources: {requests: {cpu: 4}}}]}}}";
      return "{apiVersion: batch/v1, kind: " + kind +
             ", metadata: {name: j}, spec: " + (kind == "CronJob" ? "{jobTemplate: {spec: " + inner + "}}" : inner) + "}";
    };
    CHECK(told(job("Job", ""), world) ==
          "advice no room for all pods at spec: found 1 pod with at least requests.cpu 4 more, with 7 of 10 in use");
    CHECK(told(job("Job", "suspend: true, "), world) == "");
    CHECK(told(job("Job", "parallelism: 3, "), world).starts_with("advice workload beyond the budget"));
    CHECK(told(job("Job", "parallelism: 3, completions: 1, "), world).starts_with("advice no room for all pods"));
    CHECK(told(job("CronJob", "parallelism: 3, "), world).starts_with("advice workload beyond the budget"));
    CHECK(
        told("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, ownerReferences: [{controller: true, uid: u}]}, spec: {replicas: "
             "90, template: {spec: {containers: [{name: a, resources: {requests: {cpu: 4}}}]}}}}",
             world) == "");
  }
}

TEST_CASE("tenant-budget tells autoscalers what never fits", "[policy][rule]") {
  KnownFacts facts;
  WorkloadFact& web = facts.workloads.emplace_back();
  web.group = "apps", web.kind = "Deployment", web.name_space = "acme-prod", web.name = "web";
  web.pod_usage = {{"requests.cpu", *Quantity::parse(std::string_view("1500m"))}, {"pods", Quantity::of_units(1)}};
  WorkloadFact& shop = facts.workloads.emplace_back(web);
  shop.group = "odoo.example", shop.kind = "Odoo", shop.name = "shop";
  World world = create({{"requests.cpu", "10"}}, {{"pods", "8"}});
  world.cluster = &facts;
  const auto scaler = [](const std::string& spec, const std::string& api = "autoscaling/v2") {
    return "{apiVersion: " + api + ", kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: " + spec + "}";
  };
  const auto of_web = [&](const std::string& maximum, const std::string& more = "") {
    return scaler("{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: " + maximum + more + "}");
  };
  const std::string seven =
      "autoscaler beyond the budget at spec.maxReplicas: found 7 pods of Deployment `web` with at least requests.cpu 10.5 in all";
  const std::string nine =
      "autoscaler beyond the budget at spec.maxReplicas: found 9 pods of Deployment `web` with at least requests.cpu 13.5 in all\n"
      "autoscaler beyond the budget at spec.maxReplicas: found 9 pods of Deployment `web` with at least pods 9 in all";
  const auto advice = [](const std::string& text) {
    std::string out = "advice " + text;
    if (const std::size_t line = out.find('\n'); line != std::string::npos) out.insert(line + 1, "advice ");
    return out;
  };

  SECTION("made") {
    struct Case {
      const char* name;
      std::string manifest, told;
    };
    const std::string target = "{apiVersion: apps/v1, kind: Deployment, name: web}";
    const Case cases[] = {
        {"fits", of_web("6"), ""},
        {"beyond one budget", of_web("7"), advice(seven)},
        {"beyond the entry's too", of_web("9"), advice(nine)},
        {"minReplicas do not matter", of_web("7", ", minReplicas: 9"), advice(seven)},
        {"v1", scaler("{scaleTargetRef: " + target + ", maxReplicas: 7}", "autoscaling/v1"), advice(seven)},
        {"target of an old group",
         scaler("{scaleTargetRef: {apiVersion: extensions/v1beta1, kind: Deployment, name: web}, maxReplicas: 7}"), advice(seven)},
        {"a workload of the platform's", scaler("{scaleTargetRef: {apiVersion: odoo.example/v1, kind: Odoo, name: shop}, maxReplicas: 7}"),
         "advice autoscaler beyond the budget at spec.maxReplicas: found 7 pods of Odoo `shop` with at least requests.cpu 10.5 in all"},
        {"more than can be said", of_web("9223372036854775807"),
         "advice autoscaler beyond the budget at spec.maxReplicas: found 9223372036854775807 pods of Deployment `web` with at least "
         "requests.cpu 4611686018427387.904 in all\n"
         "advice autoscaler beyond the budget at spec.maxReplicas: found 9223372036854775807 pods of Deployment `web` with at least pods "
         "4Ei in all"},
        {"absent", scaler("{scaleTargetRef: " + target + "}"), ""},
        {"null", of_web("null"), ""},
        {"wrong type", of_web("'70'"), ""},
        {"a fraction", of_web("70.5"), ""},
        {"zero", of_web("0"), ""},
        {"negative", of_web("-70"), ""},
        {"no spec", "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}}", ""},
        {"spec of a wrong type", scaler("[70]"), ""},
        {"no target", scaler("{maxReplicas: 70}"), ""},
        {"target null", scaler("{scaleTargetRef: null, maxReplicas: 70}"), ""},
        {"target of a wrong type", scaler("{scaleTargetRef: [web], maxReplicas: 70}"), ""},
        {"target not there", scaler("{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: other}, maxReplicas: 70}"), ""},
        {"target of another group", scaler("{scaleTargetRef: {apiVersion: v1, kind: Deployment, name: web}, maxReplicas: 70}"), ""},
        {"another group's autoscaler", scaler("{scaleTargetRef: " + target + ", maxReplicas: 70}", "example.org/v1"), ""},
    };
    for (const Case& c : cases) {
      DYNAMIC_SECTION(c.name) {
        CHECK(told(c.manifest, world) == c.told);
        std::string denied = c.told;
        for (std::size_t at = 0; (at = denied.find("advice ")) != std::string::npos;) denied.erase(at, 7);
        CHECK(told(c.manifest, world, "{controllers: deny}") == denied);
      }
    }
  }
  SECTION("what to do") {
    const auto fix = [&](const World& in) { return findings(*compile("tenant-budget", "{}"), of_web("7"), in).at(0); };
    CHECK(fix(world).fix ==
          "set it to 6 or less, ask for less for each pod, or ask the platform team for a larger budget: as it is they never all start");
    CHECK(fix(world).wanted == "at most 10 for all namespaces of tenant `acme`");
    World small = create({{"requests.cpu", "1"}});
    small.cluster = &facts;
    CHECK(fix(small).fix == "ask for less for each pod, or ask the platform team for a larger budget: as it is they never all start");
  }
  SECTION("what its pods do not use, and another namespace's, bounds nothing") {
    World other = create({{"limits.memory", "1"}, {"count/deployments.apps", "1"}});
    other.cluster = &facts;
    CHECK(told(of_web("70"), other) == "");
    world.name_space = "acme-staging";
    CHECK(told(of_web("70"), world) == "");
  }
  SECTION("changed") {
    struct Case {
      const char *name, *before, *now, *warned, *denied;
    };
    const std::string advised = advice(seven);
    const Case cases[] = {
        {"grows past it", "6", "7", advised.c_str(), seven.c_str()},
        {"grows further", "2", "7", advised.c_str(), seven.c_str()},
        {"grows within it", "2", "6", "", ""},
        {"was nothing", "null", "7", advised.c_str(), seven.c_str()},
        {"keeps", "7", "7", advised.c_str(), advised.c_str()},
        {"shrinks, not enough", "8", "7", advised.c_str(), advised.c_str()},
        {"shrinks", "7", "6", "", ""},
        {"is taken away", "7", "null", "", ""},
    };
    world.operation = Operation::update;
    for (const Case& c : cases) {
      DYNAMIC_SECTION(c.name) {
        world.old = of_web(c.before);
        CHECK(told(of_web(c.now, ", metrics: []"), world) == c.warned);
        CHECK(told(of_web(c.now, ", metrics: []"), world, "{controllers: deny}") == c.denied);
      }
    }
    SECTION("another target is no growth") {
      world.old = scaler("{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: other}, maxReplicas: 7}");
      CHECK(told(of_web("7"), world, "{controllers: deny}") == advised);
    }
  }
  SECTION("deleted") {
    world.operation = Operation::remove;
    CHECK(told(of_web("70"), world, "{controllers: deny}") == "");
  }
  SECTION("what is not known is missed only where it could deny") {
    facts.unknown = {FactKind::workloads};
    const auto missed = [&](const char* with) {
      Given given(of_web("7"), world);
      FactKinds unknown;
      given.facts.unknown = &unknown;
      Findings found;
      compile("tenant-budget", with)->evaluate(given.subject, given.facts, found);
      CHECK(found.empty());
      return unknown.has(FactKind::workloads);
    };
    CHECK_FALSE(missed("{}"));
    CHECK(missed("{controllers: deny}"));
    world.operation = Operation::update;
    world.old = of_web("7");
    CHECK_FALSE(missed("{controllers: deny}"));
    world.old = of_web("6");
    CHECK(missed("{controllers: deny}"));
    world.cluster = nullptr;
    CHECK_FALSE(missed("{controllers: deny}"));
  }
  SECTION("nobody reads a controller's warnings") {
    const auto heard = [&](const char* with) {
      Given given(of_web("7"), world);
      given.facts.is_controller = true;
      Findings found;
      compile("tenant-budget", with)->evaluate(given.subject, given.facts, found);
      return found.all().size();
    };
    CHECK(heard("{}") == 0);
    CHECK(heard("{controllers: deny}") == 1);
  }
}

TEST_CASE("tenant-budget refuses params", "[policy][rule]") {
  for (const char* with : {"{}", "{warnAt: 1}", "{warnAt: 100, controllers: deny}"}) CHECK(refusal("tenant-budget", with) == "");
  for (const char* with : {"{warnAt: 0}", "{warnAt: 101}", "{warnAt: 80%}", "{controllers: allow}", "{min: 2}"}) {
    CAPTURE(with);
    CHECK(refusal("tenant-budget", with) != "");
  }
}

TEST_CASE("what is known of budgets answers as the ledger would", "[policy]") {
  KnownFacts facts;
  facts.all_budgets[""] = {{"requests.cpu", 10, 7, 2}, {"pods", 5, 5, 0}};
  facts.all_budgets["acme-*"] = {{"pods", 5, 1, 0}};
  const auto says = [&](std::vector<Amount> added) { return would_grant(added, "acme", "acme-*", facts); };
  CHECK(says({{"requests.cpu", 1}}).status == ChargeStatus::granted);
  CHECK(says({{"requests.cpu", 2}}).status == ChargeStatus::reserved);
  CHECK(says({{"requests.cpu", 4}}).status == ChargeStatus::over);
  CHECK(says({{"acme-*/pods", 4}}).status == ChargeStatus::granted);
  const ChargeOutcome both = says({{"requests.cpu", 2}, {"pods", 1}});
  CHECK(both.status == ChargeStatus::over);  // real usage weighs more than what is reserved
  CHECK(both.resource == "pods");
  CHECK(says({{"services", 1}}).status == ChargeStatus::unavailable);
  facts.unknown = {FactKind::budgets};
  CHECK(says({{"requests.cpu", 1}}).status == ChargeStatus::unavailable);
}
