#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

const std::string base = "spec.containers[0].resources.";

// A Pod with one container of such resources.
std::string with(std::string_view resources) {
  return workload("Pod", "{containers: [{name: web, resources: " + std::string(resources) + "}]}");
}

const char* const full = "{requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}}";

}  // namespace

TEST_CASE("container-bounds: what must be set", "[policy][rule]") {
  const RulePtr rule = compile("container-bounds", "{}");
  struct Case {
    const char *name, *resources;
    std::string finding;  // "" when allowed
  };
  const std::string no_cpu = base + "requests.cpu: found nothing, want a cpu request";
  const std::string no_memory = base + "requests.memory: found nothing, want a memory request";
  const std::string no_limit = base + "limits.memory: found nothing, want a memory limit";
  const std::string nothing = no_cpu + "\n" + no_memory + "\n" + no_limit;
  const Case cases[] = {
      {"all set", full, ""},
      {"null (threats 30)", "null", nothing},
      {"empty (threats 31)", "{}", nothing},
      {"empty lists (threats 31)", "{requests: {}, limits: null}", nothing},
      {"null amounts (threats 30)", "{requests: {cpu: null, memory: null}, limits: {memory: null}}", nothing},
      {"requests default to limits (threats 77)", "{limits: {cpu: 1, memory: 1Gi}}", ""},
      {"a limit of the other resource defaults nothing", "{requests: {memory: 1Gi}, limits: {memory: 1Gi}}", no_cpu},
      {"zero is not set (threats 77)", "{requests: {cpu: '0', memory: 1Gi}, limits: {memory: 2Gi}}",
       base + "requests.cpu: found `0`, want a cpu request"},
      {"a zero limit is none (threats 77)", "{requests: {cpu: 1, memory: 1Gi}, limits: {memory: 0}}",
       base + "limits.memory: found `0`, want a memory limit"},
      {"numbers and texts (threats 76)", "{requests: {cpu: 0.5, memory: 1e9}, limits: {memory: '2000000000'}}", ""},
      {"a list (threats 32)", "[]", "spec.containers[0].resources: found a list, want an object"},
      {"a text (threats 32)", "x", "spec.containers[0].resources: found a string, want an object"},
      {"a text for requests (threats 32)", "{requests: x, limits: {memory: 1Gi}}",
       "spec.containers[0].resources.requests: found a string, want an object"},
      {"no quantity (threats 75)", "{requests: {cpu: 1 Gi, memory: 1gi}, limits: {memory: 0x10Mi}}",
       base + "requests.cpu: found `1 Gi`, want a quantity such as 500m or 2Gi\n" + base +
           "requests.memory: found `1gi`, want a quantity such as 500m or 2Gi\n" + base +
           "limits.memory: found `0x10Mi`, want a quantity such as 500m or 2Gi"},
      {"a wrong type for an amount", "{requests: {cpu: {}, memory: 1Gi}, limits: {memory: 1Gi}}",
       base + "requests.cpu: found an object, want a quantity such as 500m or 2Gi"},
      {"negative (threats 75)", "{requests: {cpu: -1, memory: 1Gi}, limits: {memory: 1Gi}}",
       base + "requests.cpu: found `-1`, want none below 0"},
      {"over the cap (threats 75)", "{requests: {cpu: 1e400, memory: 1Gi}, limits: {memory: 100Ei}}",
       base + "requests.cpu: found `1e400`, want less than 2^63\n" + base + "limits.memory: found `100Ei`, want less than 2^63"},
      {"of a resource that nobody bounds (threats 75)", "{requests: {cpu: 1, memory: 1Gi, nvidia.com/gpu: '-1'}, limits: {memory: 1Gi}}",
       base + "requests[\"nvidia.com/gpu\"]: found `-1`, want none below 0"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(judge(*rule, with(c.resources)) == c.finding); }
  }
  CHECK(judge(*rule, workload("Pod", "{containers: [{name: web}]}")) == nothing);
}

TEST_CASE("container-bounds: how much", "[policy][rule]") {
  struct Case {
    const char *name, *params, *resources;
    std::string finding;
  };
  const Case cases[] = {
      {"within", "{require: [], min: {requests.cpu: 100m}, max: {limits.memory: 8Gi}}", full, ""},
      {"at the bounds", "{require: [], min: {requests.cpu: 500m}, max: {limits.memory: 2048Mi}}", full, ""},
      {"request too small", "{require: [], min: {requests.cpu: 501m}}", full, base + "requests.cpu: found `500m`, want at least 501m"},
      {"request too large", "{require: [], max: {requests.cpu: 499m}}", full, base + "requests.cpu: found `500m`, want at most 499m"},
      {"limit too large", "{require: [], max: {limits.memory: 1Gi}}", full, base + "limits.memory: found `2Gi`, want at most 1Gi"},
      {"limit too small", "{require: [], min: {limits.memory: 4Gi}}", full, base + "limits.memory: found `2Gi`, want at least 4Gi"},
      {"no limit is above every maximum", "{require: [], max: {limits.cpu: 2}}", full,
       base + "limits.cpu: found nothing, want a cpu limit of at most 2"},
      {"no request is below every minimum", "{require: [], min: {requests.cpu: 100m}}", "{}",
       base + "requests.cpu: found nothing, want a cpu request of at least 100m"},
      {"no request is below every maximum", "{require: [], max: {requests.cpu: 1}}", "{}", ""},
      {"the limit is the request", "{require: [], max: {requests.cpu: 1}}", "{limits: {cpu: 2}}",
       base + "limits.cpu: found `2`, want at most 1"},
      {"1E is exa (threats 74)", "{require: [], max: {limits.memory: 8Gi}}", "{limits: {memory: 1E}}",
       base + "limits.memory: found `1E`, want at most 8Gi"},
      {"1E3 is a thousand (threats 74)", "{require: [], max: {limits.memory: 8Gi}}", "{limits: {memory: 1E3}}", ""},
      {"128m of memory is an eighth of a byte (threats 74)", "{require: [], min: {limits.memory: 64Mi}}", "{limits: {memory: 128m}}",
       base + "limits.memory: found `128m`, want at least 64Mi"},
      {"0.1m is not nothing (threats 74)", "{require: [requests.cpu]}", "{requests: {cpu: 0.1m}}", ""},
      {"other resources", "{require: [limits.ephemeral-storage], max: {limits.ephemeral-storage: 1Gi, limits.nvidia.com/gpu: 1}}",
       "{limits: {ephemeral-storage: 2Gi, nvidia.com/gpu: 2}}",
       base + "limits.ephemeral-storage: found `2Gi`, want at most 1Gi\n" + base + "limits[\"nvidia.com/gpu\"]: found `2`, want at most 1"},
      {"ratio kept", "{require: [], maxLimitRequestRatio: 2}", full, ""},
      {"ratio passed", "{require: [], maxLimitRequestRatio: 1.5}", full,
       base + "limits.memory: found `2Gi` over a request of `1Gi`, want at most 1.5 times the request"},
      {"ratio over a request of zero", "{require: [], maxLimitRequestRatio: 10}", "{requests: {cpu: 0}, limits: {cpu: 1}}",
       base + "limits.cpu: found `1` over a request of `0`, want at most 10 times the request"},
      {"no ratio without limit", "{require: [], maxLimitRequestRatio: 1}", "{requests: {cpu: 1, memory: 1Gi}}", ""},
      {"no ratio where the request is the limit", "{require: [], maxLimitRequestRatio: 1}", "{limits: {cpu: 1, memory: 1Gi}}", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(judge(*compile("container-bounds", c.params), with(c.resources)) == c.finding); }
  }
}

TEST_CASE("container-bounds knows every container but ephemeral ones (threats 3, 4, 11)", "[policy][rule]") {
  const RulePtr rule = compile("container-bounds", "{require: [limits.memory], max: {limits.memory: 1Gi}}");
  const std::string ok = "resources: {limits: {memory: 1Gi}}", large = "resources: {limits: {memory: 2Gi}}";
  for (const std::string_view kind : workload_kind_names()) {
    DYNAMIC_SECTION(kind) {
      const std::string path = pod_spec_path(kind);
      CHECK(judge(*rule,
                  workload(kind, "{initContainers: [{" + ok + "}], containers: [{" + ok + "}], ephemeralContainers: [{name: e}]}")) == "");
      CHECK(judge(*rule, workload(kind, "{initContainers: [{" + large + "}, {restartPolicy: Always, " + large + "}], containers: [{" +
                                            large + "}]}")) ==
            path + ".initContainers[0].resources.limits.memory: found `2Gi`, want at most 1Gi\n" + path +
                ".initContainers[1].resources.limits.memory: found `2Gi`, want at most 1Gi\n" + path +
                ".containers[0].resources.limits.memory: found `2Gi`, want at most 1Gi");
    }
  }
  CHECK(judge(*rule, workload("Pod", "{containers: {}}")) == "spec.containers: found an object, want a list");
  CHECK(judge(*rule, workload("Pod", "{containers: [null, x]}")) ==
        "spec.containers[0]: found null, want an object\nspec.containers[1]: found a string, want an object");
  CHECK(judge(*rule, workload("Pod", "{containers: []}")) == "");
  World resize;
  resize.operation = Operation::update, resize.subresource = "resize";
  resize.old = workload("Pod", "{containers: [{" + ok + "}]}");
  CHECK(judge(*rule, workload("Pod", "{containers: [{" + large + "}]}"), resize) ==
        "spec.containers[0].resources.limits.memory: found `2Gi`, want at most 1Gi");  // threats 8
}

TEST_CASE("container-bounds counts the pod's own resources as Kubernetes does (threats 7)", "[policy][rule]") {
  const RulePtr rule = compile("container-bounds", "{max: {limits.memory: 4Gi}, min: {requests.cpu: 100m}}");
  const auto pod = [](std::string_view own, std::string_view container) {
    return workload("Pod", "{resources: " + std::string(own) + ", containers: [{name: web, resources: " + std::string(container) + "}]}");
  };
  CHECK(judge(*rule, pod("{requests: {cpu: 1, memory: 1Gi}, limits: {memory: 2Gi}}", "{}")) == "");
  CHECK(judge(*rule, pod("{limits: {cpu: 1, memory: 2Gi}}", "{}")) == "");  // requests are the limits there too
  CHECK(judge(*rule, pod("{requests: {cpu: 1, memory: 1Gi}}", "{}")) ==
        "spec.containers[0].resources.limits.memory: found nothing, want a memory limit of at most 4Gi");
  // A container without limit may use all of the pod's; one with its own may not.
  CHECK(judge(*rule, pod("{requests: {cpu: 1, memory: 1Gi}, limits: {memory: 64Gi}}", "{}")) ==
        "spec.resources.limits.memory: found `64Gi`, want at most 4Gi");
  CHECK(judge(*rule, pod("{requests: {cpu: 1, memory: 1Gi}, limits: {memory: 64Gi}}", "{limits: {memory: 4Gi}}")) == "");
  CHECK(judge(*rule, pod("{requests: {cpu: 50m, memory: 1Gi}, limits: {memory: 1Gi}}", "{}")) ==
        "spec.resources.requests.cpu: found `50m`, want at least 100m");
  CHECK(judge(*rule, pod("{requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}", "{limits: {memory: 8Gi}}")) ==
        "spec.containers[0].resources.limits.memory: found `8Gi`, want at most 4Gi");
  CHECK(judge(*rule, pod("x", full)) == "spec.resources: found a string, want an object");
  CHECK(judge(*compile("container-bounds", "{require: [], maxLimitRequestRatio: 2}"),
              pod("{requests: {memory: 1Gi}, limits: {memory: 3Gi}}", "{}")) ==
        "spec.resources.limits.memory: found `3Gi` over a request of `1Gi`, want at most 2 times the request");
}

TEST_CASE("container-bounds mends what is absent and nothing else", "[policy][rule]") {
  const RulePtr rule = compile("container-bounds", "{defaults: {requests.cpu: 250m, requests.memory: 512Mi, limits.memory: 1Gi}}");
  struct Case {
    const char *name, *spec, *patch;
  };
  const char* const everything = R"({"limits":{"memory":"1Gi"},"requests":{"cpu":"250m","memory":"512Mi"}})";
  const std::string whole = R"([{"op":"add","path":"/spec/containers/0/resources","value":)" + std::string(everything) + "}]";
  const Case cases[] = {
      {"nothing there", "{containers: [{name: a}]}", whole.c_str()},
      {"null there", "{containers: [{name: a, resources: null}]}", whole.c_str()},
      {"empty", "{containers: [{name: a, resources: {}}]}",
       R"([{"op":"add","path":"/spec/containers/0/resources/limits","value":{"memory":"1Gi"}},{"op":"add","path":"/spec/containers/0/resources/requests","value":{"cpu":"250m","memory":"512Mi"}}])"},
      {"null parts", "{containers: [{name: a, resources: {requests: null, limits: {memory: null}}}]}",
       R"([{"op":"add","path":"/spec/containers/0/resources/limits/memory","value":"1Gi"},{"op":"add","path":"/spec/containers/0/resources/requests","value":{"cpu":"250m","memory":"512Mi"}}])"},
      {"all there", "{containers: [{name: a, resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 2Gi}}}]}", "[]"},
      {"zero is the author's (threats 73)",
       "{containers: [{name: a, resources: {requests: {cpu: 0, memory: 1Gi}, limits: {memory: 2Gi}}}]}", "[]"},
      {"a limit is the request already", "{containers: [{name: a, resources: {limits: {cpu: 1, memory: 256Mi}}}]}", "[]"},
      {"no limit below the request", "{containers: [{name: a, resources: {requests: {cpu: 1, memory: 4Gi}}}]}", "[]"},
      {"one missing", "{containers: [{name: a, resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}}]}",
       R"([{"op":"add","path":"/spec/containers/0/resources/requests/cpu","value":"250m"}])"},
      {"the pod gives it", "{resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}, containers: [{name: a}]}", "[]"},
      {"ephemeral containers have none", "{ephemeralContainers: [{name: a}]}", "[]"},
      {"wrong types are the author's", "{containers: [{name: a, resources: x}, null, {name: b, resources: {requests: []}}]}", "[]"},
      {"wrong amounts are the author's", "{containers: [{name: a, resources: {requests: {cpu: 1 Gi}}}]}", "[]"},
      {"containers of the wrong type", "{containers: {}}", "[]"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(mended(*rule, workload("Pod", c.spec)) == c.patch); }
  }
  SECTION("in every kind") {
    CHECK(mended(*rule, workload("CronJob", "{containers: [{name: a}]}")) ==
          R"([{"op":"add","path":"/spec/jobTemplate/spec/template/spec/containers/0/resources","value":)" + std::string(everything) + "}]");
  }
  SECTION("never where the API server would refuse it") {
    World update;
    update.operation = Operation::update;
    update.old = workload("Pod", "{containers: [{name: a}]}");
    CHECK(mended(*rule, workload("Pod", "{containers: [{name: a}]}"), update) == "[]");
    CHECK(mended(*rule, workload("Job", "{containers: [{name: a}]}"), update) == "[]");
    CHECK(mended(*rule, workload("Deployment", "{containers: [{name: a}]}"), update) != "[]");
  }
  CHECK(mended(*compile("container-bounds", "{}"), workload("Pod", "{containers: [{name: a}]}")) == "[]");
}

TEST_CASE("container-bounds says what is at fault and how far it reaches", "[policy][rule]") {
  const auto told = findings(*compile("container-bounds", "{require: [limits.memory]}"), with("{limits: {cpu: 1}}"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].what == "no memory limit");
  CHECK(told[0].at == "spec.containers[0].resources.limits");
  CHECK(told[0].scope == "spec.containers[0]");
  CHECK(told[0].fix == "set resources.limits.memory of container `web`");
}

TEST_CASE("container-bounds refuses params", "[policy][rule]") {
  const auto refused = [](std::string_view params) { return refusal("container-bounds", params); };
  CHECK(refused("{require: [cpu]}") == "found `cpu`, want a key such as requests.cpu or limits.memory");
  CHECK(refused("{max: {memory: 1Gi}}") == "found `memory`, want a key such as requests.cpu or limits.memory");
  CHECK(refused("{min: {limits.memory: 2Gi}, max: {limits.memory: 1Gi}}") == "found 2Gi for limits.memory, want at most its `max` of 1Gi");
  CHECK(refused("{max: {limits.memory: 1Gi}, defaults: {limits.memory: 2Gi}}") ==
        "found 2Gi for limits.memory, want at most its `max` of 1Gi");
  CHECK(refused("{min: {limits.memory: 1Gi}, defaults: {limits.memory: 512Mi}}") ==
        "found 512Mi for limits.memory, want at least its `min` of 1Gi");
  CHECK(refused("{defaults: {requests.cpu: 2, limits.cpu: 1}}") == "found 2 for requests.cpu, want at most its limit of 1");
  CHECK(refused("{defaults: {requests.cpu: 1, limits.cpu: 4}, maxLimitRequestRatio: 2}") ==
        "found 4 for limits.cpu, want it within `maxLimitRequestRatio` of its request");
  CHECK(refused("{defaults: {requests.cpu: 0}}") == "found 0 for requests.cpu, want an amount above 0");
  CHECK(refused("{max: {limits.cpu: 1e20}}") == "found 100000000000000000000 for limits.cpu, want less than 2^63");
  CHECK(refused("{require: []}") == "found nothing to judge, want a key in `require`, `min` or `max`, or a ratio");
  CHECK(refused("{require: [limits.a, limits.b, limits.c, limits.d, limits.e, limits.f, limits.g, limits.h, limits.i]}") ==
        "found more than 8 different resources, want fewer in one rule");
  for (const char* params : {"{max: {limits.memory: 1 Gi}}", "{max: {limits.memory: -1}}", "{maxLimitRequestRatio: 0.5}", "{require: x}"}) {
    CAPTURE(params);
    CHECK(refused(params) != "");
  }
}
