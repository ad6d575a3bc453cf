#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

const char* const wanted = ", want a required podAntiAffinity term over `kubernetes.io/hostname` that matches the pod's own labels";

// A PodSpec with such required terms.
std::string required(std::string_view terms) {
  return "{affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: " + std::string(terms) +
         "}}, containers: [{name: a}]}";
}

std::string term(std::string_view fields) { return "{topologyKey: kubernetes.io/hostname, " + std::string(fields) + "}"; }

const std::string good = term("labelSelector: {matchLabels: {app: web}}");
const std::string required_path = ".affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution: found ";

}  // namespace

TEST_CASE("anti-affinity simulates each term on the template's own labels (threats 86, 87)", "[policy][rule]") {
  const RulePtr rule = compile("anti-affinity", "{}");
  struct Case {
    const char* name;
    std::string terms;
    const char* found;  // "" when allowed
  };
  const char* const other_labels = "one whose labelSelector does not match the pod's own labels";
  const char* const other_namespace = "one that does not look into its own namespace";
  const char* const label_keys = "one whose label keys leave the pod's own kind out";
  const char* const no_selector = "one without labelSelector, which matches no pod";
  const Case cases[] = {
      {"own labels", "[" + good + "]", ""},
      {"by expression", "[" + term("labelSelector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}") + "]", ""},
      {"everything", "[" + term("labelSelector: {}") + "]", ""},
      {"one good among bad", "[null, " + term("labelSelector: {matchLabels: {app: db}}") + ", " + good + "]", ""},
      {"other labels", "[" + term("labelSelector: {matchLabels: {app: db}}") + "]", other_labels},
      {"more labels than the own", "[" + term("labelSelector: {matchLabels: {app: web, tier: a}}") + "]", other_labels},
      {"null selector", "[" + term("labelSelector: null") + "]", no_selector},
      {"no selector", "[" + term("a: b") + "]", no_selector},
      {"selector of the wrong type", "[" + term("labelSelector: web") + "]", other_labels},
      {"unknown operator", "[" + term("labelSelector: {matchExpressions: [{key: app, operator: Is, values: [web]}]}") + "]", other_labels},
      {"excluded by NotIn", "[" + term("labelSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}") + "]",
       other_labels},
      {"absence of a label that every pod gets",
       "[" + term("labelSelector: {matchExpressions: [{key: pod-template-hash, operator: DoesNotExist}]}") + "]", other_labels},
      {"other topologyKey", "[{topologyKey: topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: web}}}]",
       "one over another topologyKey"},
      {"no topologyKey", "[{labelSelector: {matchLabels: {app: web}}}]", "one over another topologyKey"},
      {"own namespace by name", "[" + term("labelSelector: {}, namespaces: [other, acme-prod]") + "]", ""},
      {"empty list of namespaces", "[" + term("labelSelector: {}, namespaces: [], namespaceSelector: null") + "]", ""},
      {"all namespaces", "[" + term("labelSelector: {}, namespaceSelector: {}") + "]", ""},
      {"other namespaces", "[" + term("labelSelector: {}, namespaces: [other]") + "]", other_namespace},
      {"namespaces of the wrong type", "[" + term("labelSelector: {}, namespaces: acme-prod") + "]", other_namespace},
      {"namespaces by unknown labels", "[" + term("labelSelector: {}, namespaceSelector: {matchLabels: {team: a}}") + "]", other_namespace},
      {"own namespace by its own label",
       "[" + term("labelSelector: {}, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: acme-prod}}") + "]", ""},
      {"own namespace among names",
       "[" +
           term("labelSelector: {}, namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [a, "
                "acme-prod]}]}") +
           "]",
       ""},
      {"own namespace left out",
       "[" +
           term("labelSelector: {}, namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: "
                "[acme-prod]}]}") +
           "]",
       other_namespace},
      {"mismatchLabelKeys of an own label", "[" + term("labelSelector: {}, mismatchLabelKeys: [app]") + "]", label_keys},
      {"mismatchLabelKeys of a label that every pod gets", "[" + term("labelSelector: {}, mismatchLabelKeys: [pod-template-hash]") + "]",
       label_keys},
      {"mismatchLabelKeys of a label it has not", "[" + term("labelSelector: {}, mismatchLabelKeys: [tenant]") + "]", ""},
      {"matchLabelKeys of a revision", "[" + term("labelSelector: {}, matchLabelKeys: [pod-template-hash]") + "]", ""},
      {"matchLabelKeys of each single pod", "[" + term("labelSelector: {}, matchLabelKeys: [statefulset.kubernetes.io/pod-name]") + "]",
       label_keys},
      {"label keys of the wrong type", "[" + term("labelSelector: {}, mismatchLabelKeys: app") + "]", label_keys},
      {"a null term", "[null]", "one of the wrong type"},
      {"two that fail", "[null, " + term("labelSelector: {matchLabels: {app: db}}") + "]",
       "one whose labelSelector does not match the pod's own labels at best, of 2"},
      {"an empty list (threats 31)", "[]", "none"},
      {"null (threats 30)", "null", "none"},
      {"an object (threats 32)", "{}", "an object"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CHECK(judge(*rule, workload("Deployment", required(c.terms))) ==
            (*c.found ? "spec.template.spec" + required_path + c.found + wanted : ""));
    }
  }
}

TEST_CASE("anti-affinity that is not there", "[policy][rule]") {
  const RulePtr rule = compile("anti-affinity", "{}");
  struct Case {
    const char *spec, *place_found;
  };
  const Case cases[] = {
      {"{containers: []}", "spec.template.spec.affinity: found none"},
      {"{affinity: null}", "spec.template.spec.affinity: found none"},
      {"{affinity: {}}", "spec.template.spec.affinity: found none"},
      {"{affinity: x}", "spec.template.spec.affinity: found none"},
      {"{affinity: {podAntiAffinity: null}}", "spec.template.spec.affinity.podAntiAffinity: found none"},
      {"{affinity: {podAntiAffinity: {}}}", "spec.template.spec.affinity.podAntiAffinity: found none"},
      {"{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100}]}}}",
       "spec.template.spec.affinity.podAntiAffinity: found preferred terms only"},  // threats 86
      {"null", "spec.template.spec: found none"},
      {"x", "spec.template.spec: found none"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.spec) {
      const std::string found = judge(*rule, workload("Deployment", c.spec));
      if (std::string(c.spec) == "null")
        CHECK(found == "spec.template: found none" + std::string(wanted));
      else
        CHECK(found == c.place_found + std::string(wanted));
    }
  }
  CHECK(judge(*rule, "{apiVersion: apps/v1, kind: Deployment, spec: {}}") == "spec.template: found none" + std::string(wanted));
}

TEST_CASE("anti-affinity follows the labels of the template (threats 90)", "[policy][rule]") {
  const RulePtr rule = compile("anti-affinity", "{}");
  World update;
  update.operation = Operation::update;
  update.old = workload("Deployment", required("[" + good + "]"));
  CHECK(judge(*rule, workload("Deployment", required("[" + good + "]"), "{labels: {app: web, version: b}}"), update) == "");
  CHECK(judge(*rule, workload("Deployment", required("[" + good + "]"), "{labels: {app: web2}}"), update) != "");
  CHECK(judge(*rule, workload("Deployment", required("[" + good + "]"), "{}"), update) != "");
  CHECK(judge(*rule, workload("Deployment", required("[" + good + "]"), "{labels: null}"), update) != "");
  const auto told = findings(*rule, workload("Deployment", "{containers: []}"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].what == "no effective anti-affinity");
  CHECK(told[0].at == "spec.template.spec");
  CHECK(told[0].scope == "spec.template");
}

TEST_CASE("anti-affinity by kind (threats 11, 13)", "[policy][rule]") {
  const RulePtr rule = compile("anti-affinity", "{}");
  for (const char* kind : {"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Pod", "PodTemplate"}) {
    DYNAMIC_SECTION(kind) {
      CHECK(judge(*rule, workload(kind, required("[" + good + "]"))) == "");
      CHECK(judge(*rule, workload(kind, "{containers: []}")) == pod_spec_path(kind) + ".affinity: found none" + wanted);
    }
  }
  for (const char* kind : {"DaemonSet", "Job", "CronJob"}) {
    DYNAMIC_SECTION(kind) { CHECK(judge(*rule, workload(kind, "{containers: []}")) == ""); }
  }
  SECTION("switched off") {
    CHECK(judge(*rule, workload("Deployment", "{}", "{labels: {app: web}}", "replicas: 0, ")) == "");
    CHECK(judge(*rule, workload("Deployment", "{}", "{labels: {app: web}}", "replicas: 1, ")) != "");
    CHECK(judge(*rule, workload("Deployment", "{}", "{labels: {app: web}}", "replicas: '0', ")) != "");
  }
  SECTION("pods that run to completion") {
    CHECK(judge(*rule, workload("Pod", "{restartPolicy: Never}")) == "");
    CHECK(judge(*rule, workload("Pod", "{restartPolicy: OnFailure}")) == "");
    CHECK(judge(*rule, workload("Pod", "{restartPolicy: Always}")) != "");
    CHECK(judge(*rule, workload("Deployment", "{restartPolicy: Never}")) != "");
  }
  SECTION("pods of a DaemonSet, by who writes them and never by what they claim (threats 13, 57)") {
    const std::string owned =
        workload("Pod", "{containers: []}", "{ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: logs, controller: true}]}");
    CHECK(judge(*rule, owned) != "");
    World world;
    world.user = "system:serviceaccount:kube-system:daemon-set-controller";
    CHECK(judge(*rule, owned, world) != "");  // the name alone is a certificate's common name
    world.groups = {"system:serviceaccounts", "system:serviceaccounts:kube-system"};
    CHECK(judge(*rule, owned, world) == "");
    CHECK(judge(*rule, workload("Pod", "{containers: []}", "{ownerReferences: [{kind: ReplicaSet, controller: true}]}"), world) != "");
    world.user = "system:kube-controller-manager", world.groups = {};
    CHECK(judge(*rule, owned, world) == "");
  }
  SECTION("custom resources with replicas") {
    World world;
    world.workload_kinds = {{"argoproj.io", "v1alpha1", "Rollout", {"spec", "template"}, {"spec", "replicas"}},
                            {"acme.example", "v1", "Task", {"spec", "template"}, {}}};
    CHECK(judge(*rule, "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {template: {spec: {}}}}", world) != "");
    CHECK(judge(*rule, "{apiVersion: acme.example/v1, kind: Task, spec: {template: {spec: {}}}}", world) == "");
  }
}

TEST_CASE("anti-affinity over another key, or by spread", "[policy][rule]") {
  const RulePtr zones = compile("anti-affinity", "{topologyKey: topology.kubernetes.io/zone}");
  CHECK(judge(*zones, workload("Deployment", required("[" + good + "]"))) != "");
  CHECK(judge(*zones, workload("Deployment", required("[{topologyKey: topology.kubernetes.io/zone, labelSelector: {}}]"))) == "");

  const RulePtr spread = compile("anti-affinity", "{accept: [spread]}");
  const RulePtr strict = compile("anti-affinity", "{}");
  const auto constraint = [](std::string_view fields) {
    return workload("Deployment", "{topologySpreadConstraints: [{topologyKey: kubernetes.io/hostname, " + std::string(fields) + "}]}");
  };
  const std::string own = "labelSelector: {matchLabels: {app: web}}";
  struct Case {
    std::string fields;
    bool allowed;
  };
  const Case cases[] = {
      {"maxSkew: 1, whenUnsatisfiable: DoNotSchedule, " + own, true},
      {"maxSkew: 1, whenUnsatisfiable: DoNotSchedule, nodeTaintsPolicy: Honor, matchLabelKeys: [pod-template-hash], " + own, true},
      {"maxSkew: 1, " + own, true},  // DoNotSchedule is the default
      {"maxSkew: 1, whenUnsatisfiable: ScheduleAnyway, " + own, false},
      {"maxSkew: 2, whenUnsatisfiable: DoNotSchedule, " + own, false},
      {"maxSkew: '1', whenUnsatisfiable: DoNotSchedule, " + own, false},
      {"maxSkew: 1, whenUnsatisfiable: DoNotSchedule", false},
      {"maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: db}}", false},
      {"maxSkew: 1, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: [apps.kubernetes.io/pod-index], " + own, false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.fields) {
      CHECK((judge(*spread, constraint(c.fields)) == "") == c.allowed);
      CHECK(judge(*strict, constraint(c.fields)) != "");
    }
  }
  CHECK(judge(*spread, workload("Deployment", "{topologySpreadConstraints: {}}")) ==
        "spec.template.spec.affinity: found none" + std::string(wanted) + ", or a DoNotSchedule spread with maxSkew 1 over it");
}

TEST_CASE("anti-affinity mends what is absent and keeps what is there", "[policy][rule]") {
  const RulePtr rule = compile("anti-affinity", "{}");
  const std::string selector = R"({"labelSelector":{"matchLabels":{"app":"web"}},"topologyKey":"kubernetes.io/hostname"})";
  const std::string list = R"({"requiredDuringSchedulingIgnoredDuringExecution":[)" + selector + "]}";
  const std::string at = R"([{"op":"add","path":"/spec/template/spec/affinity)";
  const std::string required_token = "/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
  struct Case {
    const char* name;
    std::string spec, patch;
  };
  const Case cases[] = {
      {"nothing there", "{}", at + R"(","value":{"podAntiAffinity":)" + list + "}}]"},
      {"null there", "{affinity: null}", at + R"(","value":{"podAntiAffinity":)" + list + "}}]"},
      {"empty", "{affinity: {}}", at + R"(/podAntiAffinity","value":)" + list + "}]"},
      {"null inside", "{affinity: {podAntiAffinity: null}}", at + R"(/podAntiAffinity","value":)" + list + "}]"},
      {"preferred stays", "{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}}",
       at + required_token + R"(","value":[)" + selector + "]}]"},
      {"other terms stay", required("[{topologyKey: zone, labelSelector: {}}]"), at + required_token + R"(/-","value":)" + selector + "}]"},
      {"already good", required("[" + good + "]"), "[]"},
      {"a wrong type is the author's", "{affinity: x}", "[]"},
      {"a wrong type further in", "{affinity: {podAntiAffinity: []}}", "[]"},
      {"a list that is none", required("{}"), "[]"},
      {"no spec", "null", "[]"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(mended(*rule, workload("Deployment", c.spec)) == c.patch); }
  }
  SECTION("by the workload's own selector, or else by the labels of the template") {
    const auto own = [&](std::string_view kind, std::string_view spec_selector, std::string_view labels) {
      const std::string patch = mended(*rule, "{apiVersion: " + std::string(kind == "Deployment" ? "apps/v1" : "v1") +
                                                  ", kind: " + std::string(kind) + ", spec: {selector: " + std::string(spec_selector) +
                                                  ", template: {metadata: {labels: " + std::string(labels) + "}, spec: {}}}}");
      const std::size_t from = patch.find("\"labelSelector\":");
      return from == std::string::npos ? patch : patch.substr(from + 16, patch.find(",\"topologyKey\"") - from - 16);
    };
    CHECK(own("Deployment", "{matchLabels: {app: web}}", "{app: web, version: b}") == R"({"matchLabels":{"app":"web"}})");
    CHECK(own("Deployment", "{matchExpressions: [{key: app, operator: Exists}]}", "{app: web}") ==
          R"({"matchExpressions":[{"key":"app","operator":"Exists"}]})");
    CHECK(own("Deployment", "{matchLabels: {app: db}}", "{app: web, pod-template-hash: x1}") == R"({"matchLabels":{"app":"web"}})");
    CHECK(own("Deployment", "{}", "{app: web}") == R"({"matchLabels":{"app":"web"}})");
    CHECK(own("Deployment", "{}", "{}") == "[]");  // a selector of everything would keep all others away
    CHECK(own("ReplicationController", "{app: web}", "{app: web, version: b}") == R"({"matchLabels":{"app":"web"}})");
  }
  SECTION("never in a pod that is there, or in what is not judged") {
    World update;
    update.operation = Operation::update;
    update.old = workload("Pod", "{}");
    CHECK(mended(*rule, workload("Pod", "{}"), update) == "[]");
    CHECK(mended(*rule, workload("Pod", "{}")) != "[]");
    CHECK(mended(*rule, workload("DaemonSet", "{}")) == "[]");
    CHECK(mended(*rule, workload("Deployment", "{}", "{labels: {app: web}}", "replicas: 0, ")) == "[]");
  }
}

TEST_CASE("anti-affinity is quick on a hostile object (threats 36)", "[policy][rule]") {
  std::string terms, labels = "app: web";
  for (int i = 0; i < 2000; ++i) {
    terms += "{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a" + std::to_string(i) + ": b}}}, ";
    labels += ", a" + std::to_string(i) + "x: b";
  }
  const auto told =
      findings(*compile("anti-affinity", "{}"), workload("Deployment", required("[" + terms + "]"), "{labels: {" + labels + "}}"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].found == "one whose labelSelector does not match the pod's own labels at best, of 2000");
}

TEST_CASE("anti-affinity refuses params", "[policy][rule]") {
  CHECK(refusal("anti-affinity", "{topologyKey: 'a b'}") == "found `a b`, want a node label such as kubernetes.io/hostname");
  CHECK(refusal("anti-affinity", "{accept: [preferred]}") == "found `preferred`, want spread");
  for (const char* with : {"{topologyKey: ''}", "{accept: spread}", "{accept: [spread, spread]}"}) {
    CAPTURE(with);
    CHECK(refusal("anti-affinity", with) != "");
  }
}
