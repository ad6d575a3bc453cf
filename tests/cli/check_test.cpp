// `check` as its user meets it: exit codes, the table, the JSON.
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;
using nlohmann::json;

namespace {

const std::string digest = "odoo:17@sha256:" + std::string(64, 'a');

struct World {
  TempDir dir;
  std::string config = dir.path().string() + "/documents";
  explicit World(const std::string& more = {}) { (void)dir.write("documents/all.yaml", std::string(documents) + more); }

  Answer check(std::vector<std::string> words, const std::string& input = {}) const {
    std::vector<std::string> all{"check", "--config", config};
    all.insert(all.end(), words.begin(), words.end());
    return run_program(all, input);
  }
  json check_json(std::vector<std::string> words, const std::string& input = {}) const {
    words.insert(words.end(), {"-o", "json"});
    return json::parse(check(words, input).out);
  }
};

constexpr std::string_view group_policy = R"(---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: interns}
spec:
  match: {groups: [interns], environments: [production]}
  rules: [{id: replica-floor, with: {min: 3}}]
)";

}  // namespace

TEST_CASE("check: the exit code is the same for every format", "[cli][check]") {
  const World world{std::string(group_policy)};
  const std::string good = deployment("web", "2"), bad = deployment("web", "1"), broken = "kind: [\n";
  struct Case {
    const char* name;
    std::vector<std::string> words;
    std::string input;
    int code;
  };
  const Case cases[] = {
      {"allowed", {"-n", "acme-prod"}, good, 0},
      {"denied", {"-n", "acme-prod"}, bad, 1},
      {"warned is fine", {"-n", "acme-staging"}, bad, 0},
      {"audited is fine", {"-n", "acme-sandbox"}, bad, 0},
      {"warned with --fail-on warn", {"-n", "acme-staging", "--fail-on", "warn"}, bad, 1},
      {"denied with --fail-on warn", {"-n", "acme-prod", "--fail-on", "warn"}, bad, 1},
      {"audited with --fail-on warn", {"-n", "acme-sandbox", "--fail-on", "warn"}, bad, 0},
      {"denied with --fail-on never", {"-n", "acme-prod", "--fail-on", "never"}, bad, 0},
      {"broken with --fail-on never", {"-n", "acme-prod", "--fail-on", "never"}, broken, 2},
      {"broken", {"-n", "acme-prod"}, broken, 2},
      {"2 beats 1", {"-n", "acme-prod"}, bad + "---\n- a list\n", 2},
      {"an unknown namespace", {"-n", "nobodys"}, good, 1},
      {"the default namespace is default", {}, good, 1},
      {"no object", {}, "apiVersion: v1\nkind: List\nitems: []\n", 2},
      {"no object with --allow-empty", {"--allow-empty"}, "apiVersion: v1\nkind: List\nitems: []\n", 0},
      {"an empty file is broken all the same", {"--allow-empty"}, "", 2},
      {"not judged does not change it", {"-n", "acme-prod"}, good, 0},
      {"not judged with --strict", {"-n", "acme-prod", "--strict"}, good, 2},
      {"--strict with the user", {"-n", "acme-prod", "--strict", "--user", "u", "--group", "g"}, good, 0},
      {"the user's group binds", {"-n", "acme-prod", "--user", "u", "--group", "g", "--group", "interns"}, good, 1},
  };
  for (const Case& c : cases) {
    for (const char* format : {"table", "json"}) {
      DYNAMIC_SECTION(c.name << " " << format) {
        std::vector<std::string> words = c.words;
        words.insert(words.end(), {"-o", format, "-"});
        const Answer answer = world.check(words, c.input);
        CAPTURE(answer.out, answer.err);
        CHECK(answer.code == c.code);
        if (std::string_view(format) == "json") CHECK(json::parse(answer.out)["schemaVersion"] == 1);
      }
    }
  }
  SECTION("broken documents") {
    for (const char* format : {"table", "json"}) {
      const Answer answer = run_program({"check", "--config", world.dir.path().string() + "/none", "-o", format, "-"}, good);
      CHECK(answer.code == 2);
      CHECK(answer.err.starts_with("error: "));
      if (std::string_view(format) == "json") CHECK(json::parse(answer.out)["errors"].size() == 1);
    }
  }
}

TEST_CASE("check: the table shows the line and underlines the fault", "[cli][check]") {
  const World world;
  const std::string file = world.dir.write("web.yaml", deployment("web", "1", "odoo:17"));
  const Answer answer = world.check({"-n", "acme-prod", file});
  CHECK(answer.code == 1);
  CHECK(answer.err.empty());
  const std::string wanted = file +
                             ":6:13  deny  replica-floor  Deployment acme-prod/web  (policy production)\n"
                             "  |\n"
                             "6 |   replicas: 1\n"
                             "  |             ^ too few replicas: found 1\n"
                             "  = want  at least 2\n"
                             "  = fix   ";
  CAPTURE(answer.out);
  CHECK(answer.out.starts_with(wanted));
  CHECK(answer.out.find(file + ":13:18  deny  image-digest  Deployment acme-prod/web  (policy production)\n"
                               "   |\n"
                               "13 |           image: odoo:17\n"
                               "   |                  ^^^^^^^ ") != std::string::npos);
  CHECK(std::regex_search(answer.out, std::regex("\n1 file, 1 object: 0 allowed, 0 warned, 1 denied; \\d+ ms\n$")));
  CHECK(answer.out.find('\x1b') == std::string::npos);
}

TEST_CASE("check: what is missing is said, under the nearest thing that is there", "[cli][check]") {
  const World world;
  std::string text = deployment("web", "1");
  text.erase(text.find("  replicas: 1\n"), 14);
  const Answer answer = world.check({"-n", "acme-prod", "-"}, text);
  CAPTURE(answer.out);
  CHECK(answer.out.find("<stdin>:5:1  deny  replica-floor") == 0);
  CHECK(answer.out.find("5 | spec:\n  | ^^^^ too few replicas: missing spec.replicas\n") != std::string::npos);
  CHECK(world.check_json({"-n", "acme-prod", "-"}, text)["decisions"][0]["findings"][0]["missing"] == true);
}

TEST_CASE("check: the JSON", "[cli][check]") {
  const World world;
  const std::string file = world.dir.write("web.yaml", "# first\n" + deployment("web", "1"));
  const json answer = world.check_json({"-n", "acme-prod", file});
  CHECK(answer["summary"]["objects"] == 1);
  CHECK(answer["summary"]["denied"] == 1);
  CHECK(answer["summary"]["files"] == 1);
  CHECK(answer["errors"].empty());
  CHECK(answer["notJudged"].empty());
  const json& decision = answer["decisions"][0];
  CHECK(decision["file"] == file);
  CHECK(decision["line"] == 2);
  CHECK(decision["object"] == json({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"namespace", "acme-prod"}, {"name", "web"}}));
  CHECK(decision["tenant"] == "acme");
  CHECK(decision["verdict"] == "deny");
  REQUIRE(decision["findings"].size() == 1);
  const json& finding = decision["findings"][0];
  CHECK(finding["rule"] == "replica-floor");
  CHECK(finding["policy"] == "production");
  CHECK(finding["mode"] == "enforce");
  CHECK(finding["where"] == "spec.replicas");
  CHECK(finding["found"] == "1");
  CHECK(finding["wanted"] == "at least 2");
  CHECK(finding["line"] == 7);
  CHECK(finding["column"] == 13);
  CHECK(finding["endLine"] == 7);
  CHECK(finding["endColumn"] == 14);
  CHECK(finding["exception"].is_null());
  // printf 'replica-floor\napps/v1/Deployment/acme-prod/web\nspec.replicas' | sha256sum
  CHECK(finding["fingerprint"] == "c5a372460494dd469d9a1a5bf93cc708:1");
}

TEST_CASE("check: fingerprints outlive moved lines and tell repeats apart", "[cli][check]") {
  const World world{R"(---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: second}
spec: {rules: [{id: replica-floor, with: {min: 2}}]}
)"};
  const json one = world.check_json({"-n", "acme-prod", "-"}, deployment("web", "1"));
  const json moved = world.check_json({"-n", "acme-prod", "-"}, "# a\n# b\n" + deployment("web", "1"));
  const json& findings = one["decisions"][0]["findings"];
  REQUIRE(findings.size() == 2);
  const std::string first = findings[0]["fingerprint"], second = findings[1]["fingerprint"];
  CHECK(first.substr(0, 32) == second.substr(0, 32));
  CHECK(first.ends_with(":1"));
  CHECK(second.ends_with(":2"));
  CHECK(moved["decisions"][0]["findings"][0]["fingerprint"] == first);
  CHECK(moved["decisions"][0]["findings"][0]["line"] == 8);
  const json other = world.check_json({"-n", "acme-prod", "-"}, deployment("shop", "1"));
  CHECK(other["decisions"][0]["findings"][0]["fingerprint"] != first);
  // The table shows a shared fault once.
  CHECK(world.check({"-n", "acme-prod", "-"}, deployment("web", "1")).out.find("(policies production, second)") != std::string::npos);
}

TEST_CASE("check: exceptions cover, warn in their last week, and expire", "[cli][check]") {
  const World world{std::string(exception)};
  const std::string printer = deployment("printer", "1");
  const auto at = [&](const char* instant, const char* format) {
    return world.check({"-n", "acme-prod", "--at", instant, "-o", format, "-"}, printer);
  };
  SECTION("covered") {
    const Answer answer = at("2026-11-10T12:00:00Z", "table");
    CHECK(answer.code == 0);
    CHECK(answer.out.find("1 allowed, 0 warned, 0 denied; 1 finding excepted (acme-printer, 20 days left); ") != std::string::npos);
    const json finding = json::parse(at("2026-11-10T12:00:00Z", "json").out)["decisions"][0]["findings"][0];
    CHECK(finding["exception"] == "acme-printer");
    CHECK(finding["daysLeft"] == 20);
  }
  SECTION("in its last week") {
    const Answer answer = at("2026-11-28T12:00:00+01:00", "table");
    CHECK(answer.code == 0);
    CHECK(answer.out.find("  warn  replica-floor  ") != std::string::npos);
    CHECK(answer.out.find("= note  excepted by acme-printer, 2 days left\n") != std::string::npos);
  }
  SECTION("expired") {
    const Answer answer = at("2026-12-01T00:00:00Z", "table");
    CHECK(answer.code == 1);
    CHECK(answer.out.find("expired: exception acme-printer since 2026-12-01T00:00:00Z (all.yaml:") != std::string::npos);
    CHECK(json::parse(at("2026-12-01T00:00:00Z", "json").out)["expiredExceptions"][0]["name"] == "acme-printer");
  }
  SECTION("not yet valid") { CHECK(at("2026-10-31T23:59:59Z", "table").code == 1); }
}

TEST_CASE("check: what is in audit mode is counted, not shown", "[cli][check]") {
  const World world;
  const Answer answer = world.check({"-n", "acme-sandbox", "-"}, deployment("web", "1"));
  CHECK(answer.out.starts_with("1 file, 1 object: 1 allowed, 0 warned, 0 denied; 1 finding in audit mode; "));
}

TEST_CASE("check: what needs the user is counted as not judged", "[cli][check]") {
  const World world{std::string(group_policy)};
  const json without = world.check_json({"-n", "acme-prod", "-"}, deployment("web", "2") + "---\n" + deployment("shop", "2"));
  REQUIRE(without["notJudged"].size() == 1);
  CHECK(without["notJudged"][0]["rule"] == "replica-floor");
  CHECK(without["notJudged"][0]["policy"] == "interns");
  CHECK(without["notJudged"][0]["objects"] == 2);
  CHECK(world.check_json({"-n", "acme-staging", "-"}, deployment("web", "2"))["notJudged"].empty());
  CHECK(world.check_json({"-n", "acme-prod", "--user", "u", "-"}, deployment("web", "2"))["notJudged"].empty());
}

TEST_CASE("check: UPDATE and DELETE", "[cli][check]") {
  const World world;
  const std::string old = world.dir.write("old.yaml", deployment("web", "1"));
  SECTION("an old flaw left as it was only warns") {
    const Answer answer = world.check({"-n", "acme-prod", "--operation", "UPDATE", "--old", old, "-"}, deployment("web", "1"));
    CAPTURE(answer.out);
    CHECK(answer.code == 0);
    CHECK(answer.out.find("= note  it was there before and did not get worse: warned, not denied\n") != std::string::npos);
  }
  SECTION("a new flaw denies") {
    CHECK(world.check({"-n", "acme-prod", "--operation", "UPDATE", "--old", old, "-"}, deployment("web", "1", "odoo:17")).code == 1);
  }
  SECTION("without a former version nothing can be judged") {
    const Answer answer = world.check({"-n", "acme-prod", "--operation", "UPDATE", "--old", old, "-"}, deployment("shop", "2"));
    CHECK(answer.code == 2);
    CHECK(answer.err.find("no former version of Deployment shop") != std::string::npos);
  }
  SECTION("DELETE is not what these rules judge") {
    CHECK(world.check({"-n", "acme-prod", "--operation", "DELETE", "-"}, deployment("web", "1")).code == 0);
  }
}

TEST_CASE("check: an autoscaler's minReplicas counts instead of spec.replicas", "[cli][check]") {
  const World world;
  const auto autoscaler = [](const std::string& name_space, const std::string& target, const std::string& replicas_min) {
    return "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: scaler, namespace: " + name_space +
           "}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: " + target + "}\n" +
           (replicas_min.empty() ? "" : "  minReplicas: " + replicas_min + "\n");
  };
  struct Case {
    const char* name;
    std::string replicas, facts;
    int code;
  };
  const Case cases[] = {
      {"enough by the autoscaler", "1", autoscaler("acme-prod", "web", "2"), 0},
      {"too few by the autoscaler", "5", autoscaler("acme-prod", "web", "1"), 1},
      {"absent is one", "5", autoscaler("acme-prod", "web", ""), 1},
      {"another namespace's", "5", autoscaler("acme-staging", "web", "1"), 0},
      {"another workload's", "5", autoscaler("acme-prod", "shop", "1"), 0},
      {"switched off", "0", autoscaler("acme-prod", "web", "1"), 0},
      {"facts that cannot be read", "2", "kind: [\n", 2},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const std::string facts = world.dir.write("facts.yaml", c.facts);
      CHECK(world.check({"-n", "acme-prod", "--facts", facts, "-"}, deployment("web", c.replicas)).code == c.code);
    }
  }
  const Answer answer = world.check({"-n", "acme-prod", "-"}, deployment("web", "5") + "---\n" + autoscaler("acme-prod", "web", "1"));
  CAPTURE(answer.out);
  CHECK(answer.code == 1);
  CHECK(answer.out.find("5 | spec:\n  | ^^^^ too few replicas: found 1 at HorizontalPodAutoscaler/scaler spec.minReplicas\n") !=
        std::string::npos);
  CHECK(answer.out.find("1 file, 2 objects: 1 allowed, 0 warned, 1 denied") != std::string::npos);
}

TEST_CASE("check: every object of every form is judged", "[cli][check]") {
  const World world;
  const auto denied = [&](const std::string& input) { return world.check_json({"-n", "acme-prod", "-"}, input)["summary"]["denied"]; };
  const std::string one = R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"replicas":1}})";
  CHECK(denied(one) == 1);
  CHECK(denied(one + "\n" + one) == 2);
  CHECK(denied(R"({"apiVersion":"v1","kind":"List","items":[)" + one + "," + one + "]}") == 2);
  CHECK(denied("apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- {metadata: {name: a}, spec: {replicas: 1}}\n") == 1);
  CHECK(denied(deployment("a", "1") + "---\n" + deployment("b", "1") + "---\n" + deployment("c", "2")) == 2);
  // YAML 1.1 as the API server's clients read it: 0o1 is no number there, 0x1 is one.
  CHECK(denied(deployment("a", "0x1")) == 1);
  CHECK(denied(deployment("a", "0x2")) == 0);
}

TEST_CASE("check: places hold in CRLF, with a BOM, beside other scripts", "[cli][check]") {
  const World world;
  std::string text = deployment("web", "1");
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.replace(at, 1, "\r\n");
  const json crlf = world.check_json({"-n", "acme-prod", "-"}, "\xEF\xBB\xBF" + text)["decisions"][0]["findings"][0];
  CHECK(crlf["line"] == 6);
  CHECK(crlf["column"] == 13);
  const json flow = world.check_json(
      {"-n", "acme-prod", "-"},
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, labels: {x: \"\xC3\xA9\xF0\x9F\x98\x80\"}}, spec: {replicas: 1}}")
                        ["decisions"][0]["findings"][0];
  CHECK(flow["line"] == 1);
  CHECK(flow["column"] == 98);
  const json alias =
      world.check_json({"-n", "acme-prod", "-"},
                       "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, annotations: {few: &few 1}}\nspec:\n  replicas: *few\n");
  CHECK(alias["decisions"][0]["findings"][0]["line"] == 5);
}

TEST_CASE("check: a secret's value is never shown, whichever finding shows its line", "[cli][check]") {
  const World world{R"(---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: secrets}
spec: {rules: [{id: no-inline-secret}]}
)"};
  const std::string canary = "demo-4f9Qz81xLmT2";
  const std::string text = deployment("web", "1", "odoo:17") + "          env: [{name: EDI_PASSWORD, value: \"" + canary + "\"}]\n";
  for (const char* format : {"table", "json"}) {
    const Answer answer = world.check({"-n", "acme-prod", "-o", format, "-"}, text);
    CHECK(answer.code == 1);
    CHECK(answer.out.find("no-inline-secret") != std::string::npos);
    CHECK((answer.out + answer.err).find(canary) == std::string::npos);
  }
}

TEST_CASE("check: names cannot steer the terminal", "[cli][check]") {
  const World world;
  const Answer answer = world.check({"-n", "acme-prod", "-"},
                                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: \"a\\e[31m\\u202Eb\"}\nspec: {replicas: 1}\n");
  CHECK(answer.code == 1);
  CHECK(answer.out.find('\x1b') == std::string::npos);
  CHECK(answer.out.find("\xE2\x80\xAE") == std::string::npos);
}

TEST_CASE("check: an object beyond the work budget is denied with the limit named", "[cli][check]") {
  const World world;
  std::string text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: ";
  for (int level = 0; level < 80; ++level) text += "{a: ";
  text += "1" + std::string(80, '}') + "\n";
  const Answer answer = world.check({"-n", "acme-prod", "-"}, text);
  CHECK(answer.code == 1);
  CHECK(answer.out.find("nested deeper than 64 levels") != std::string::npos);
}

TEST_CASE("check: system namespaces and our own documents", "[cli][check]") {
  const World world;
  CHECK(world.check({"-n", "kube-system", "-"}, deployment("web", "1")).code == 0);
  CHECK(world.check_json({"-n", "kube-system", "-"}, deployment("web", "1"))["decisions"][0]["skipped"] == "system namespace");
  const Answer answer = world.check({"-n", "acme-prod", "-"}, std::string(documents) + "---\n" + deployment("web", "2"));
  CHECK(answer.code == 0);
  CHECK(answer.out.find("left out: 5 documents of Portcullis\n") != std::string::npos);
}
