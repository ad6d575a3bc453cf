// `check --facts`: what the cluster holds decides budgets, and without it they are counted as not judged.
#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;
using nlohmann::json;

namespace {

constexpr std::string_view budgeted = R"(apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [sandbox, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Zurich
  budget: {requests.cpu: "4", count/configmaps: "1"}
  namespaces:
    - {name: acme-prod, environment: production, tenancy: dedicated}
    - {pattern: "acme-dev-*", environment: sandbox, tenancy: multi-tenant, budget: {pods: "2"}}
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: budgets}
spec: {rules: [{id: tenant-budget}]}
)";

std::string pod(const std::string& name, const std::string& cpu, const std::string& name_space = "acme-prod",
                const std::string& status = "") {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: " + name_space +
         "}\nspec: {containers: [{name: a, resources: {limits: {cpu: " + cpu + "}}}]}\n" + status;
}

struct Budgeted {
  TempDir dir;
  std::string config = dir.path().string() + "/documents";
  Budgeted() { (void)dir.write("documents/all.yaml", budgeted); }

  Answer check(const std::string& input, const std::string& facts, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"check", "--config", config, "-"};
    if (!facts.empty()) words.insert(words.end(), {"--facts", dir.write("facts.yaml", facts)});
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words, input);
  }
};

}  // namespace

TEST_CASE("check: budgets by the usage that --facts tell", "[cli][check]") {
  const Budgeted world;
  struct Case {
    const char* name;
    std::string objects, facts;
    int code;
  };
  const Case cases[] = {
      {"it fits", pod("new", "2"), pod("old", "2"), 0},
      {"it does not", pod("new", "3"), pod("old", "2"), 1},
      {"what has ended uses nothing", pod("new", "3"), pod("old", "2", "acme-prod", "status: {phase: Succeeded}\n"), 0},
      {"all namespaces together", pod("new", "3"), pod("old", "2", "acme-dev-7"), 1},
      {"others' namespaces do not count", pod("new", "3"), pod("old", "2", "elsewhere"), 0},
      {"one after the other", pod("a", "3") + pod("b", "2"), pod("old", "0"), 1},
      {"what is there already counts once", pod("old", "3"), pod("old", "2"), 0},
      {"an entry's budget", pod("new", "0", "acme-dev-1"), pod("a", "0", "acme-dev-2") + pod("b", "0", "acme-dev-3"), 1},
      {"and not that of another entry", pod("new", "0"), pod("a", "0", "acme-dev-2") + pod("b", "0", "acme-dev-3"), 0},
      {"counts of any kind", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: acme-prod}\n",
       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: acme-prod}\n", 1},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Answer answer = world.check(c.objects, c.facts);
      CAPTURE(answer.out);
      CAPTURE(answer.err);
      CHECK(answer.code == c.code);
    }
  }
  SECTION("in words") {
    const Answer answer = world.check(pod("new", "3"), pod("old", "2"));
    CAPTURE(answer.out);
    CHECK(answer.out.find("budget used up: found requests.cpu 3 more, with 2 in use") != std::string::npos);
    CHECK(answer.out.find("at most 4 for all namespaces of tenant `acme`") != std::string::npos);
  }
  SECTION("nearly used up warns") {
    const Answer answer = world.check(pod("new", "2"), pod("old", "2"));
    CHECK(answer.out.find("warn  tenant-budget") != std::string::npos);
    CHECK(answer.code == 0);
  }
}

TEST_CASE("check: without --facts a budget is not judged, and that is said", "[cli][check]") {
  const Budgeted world;
  const Answer answer = world.check(pod("new", "3") + pod("other", "9"), "");
  CHECK(answer.code == 0);
  CAPTURE(answer.out);
  CHECK(answer.out.find("not judged: tenant-budget of policy budgets in 2 objects: budgets are not known: give what the cluster holds with "
                        "--facts") != std::string::npos);
  CHECK(world.check(pod("new", "3"), "", {"--strict"}).code == 2);
  const json report = json::parse(world.check(pod("new", "3"), "", {"-o", "json"}).out);
  REQUIRE(report["notJudged"].size() == 1);
  CHECK(report["notJudged"][0]["rule"] == "tenant-budget");
  CHECK(report["notJudged"][0]["objects"] == 1);
  CHECK(report["summary"]["allowed"] == 1);
  // What needs no usage is judged all the same.
  const std::string silent = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: acme-prod}\nspec: {containers: [{name: a}]}\n";
  CHECK(world.check(silent, "").code == 1);
}
