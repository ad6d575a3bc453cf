// Objects within the work budget that are wrong, or nearly wrong, in as many places as fit. What takes every place for every
// other one needs most of a minute for these even when optimised; what is linear needs milliseconds.
#include <chrono>
#include <functional>
#include <string>

#include "base/clock.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

namespace portcullis::policy {
namespace {

constexpr std::chrono::seconds time_max{10};  // without optimisation, under sanitizers, on a busy machine

std::string repeat(int count, const std::function<std::string(std::string)>& item) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i ? "," : "") + item(std::to_string(i));
  return text;
}

// JSON: reading that much YAML takes longer than judging it.
std::string deployment(const std::string& pod_spec) {
  return R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"metadata":{"labels":{"app":"web"}},"spec":)" +
         pod_spec + "}}}";
}
std::string one_container(const std::string& member) {
  return deployment(R"({"containers":[{"name":"c","image":"odoo:17",)" + member + "}]}");
}

}  // namespace

TEST_CASE("an object that is wrong in 50,000 places is judged at once", "[policy][rule][hostile]") {
  struct Case {
    const char *name, *rule, *with;
    std::string object;
    std::size_t findings_min;
  };
  const Case cases[] = {
      {"passwords in env", "no-inline-secret", "{}",
       one_container(R"("env":[)" + repeat(50'000, [](auto i) { return R"({"name":"PASSWORD)" + i + R"(","value":"hunter2hunter2"})"; }) +
                     "]"),
       50'000},
      {"Odoo's -w", "no-inline-secret", "{}", one_container(R"("args":[)" + repeat(80'000, [](auto) { return R"("-w","x")"; }) + "]"), 0},
      {"references in env", "secret-reference", "{}",
       one_container(
           R"("env":[)" +
           repeat(30'000, [](auto i) { return R"({"name":"V)" + i + R"(","valueFrom":{"secretKeyRef":{"name":"x","key":"k"}}})"; }) + "]"),
       30'000},
      {"containers without a digest", "image-digest", "{require: digest}",
       deployment(R"({"containers":[)" + repeat(50'000, [](auto i) { return R"({"name":"c)" + i + R"(","image":"odoo"})"; }) + "]}"),
       50'000},
      {"containers from elsewhere", "image-registry", "{allow: [\"r.example/**\"]}",
       deployment(R"({"containers":[)" + repeat(50'000, [](auto i) { return R"({"name":"c)" + i + R"(","image":"odoo"})"; }) + "]}"),
       50'000},
      {"containers without bounds", "container-bounds", "{require: [requests.cpu, limits.memory]}",
       deployment(R"({"containers":[)" + repeat(50'000, [](auto i) { return R"({"name":"c)" + i + R"("})"; }) + "]}"), 50'000},
      {"terms that match nothing", "anti-affinity", "{}",
       deployment(R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[)" +
                  repeat(20'000,
                         [](auto i) {
                           return R"({"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"w)" + i + "\"}}}";
                         }) +
                  "]}}}"),
       1},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto tree = Tree::parse_copy(c.object);
      REQUIRE(tree);
      Subject subject;
      subject.group = "apps", subject.version = "v1", subject.kind = "Deployment", subject.resource = "deployments";
      subject.name_space = "acme-prod", subject.name = "web";
      subject.object.root = tree->root();
      read_object(subject, {});
      Facts facts{};
      facts.tenant = "acme", facts.environment = "production";
      const RulePtr rule = testing::compile(c.rule, c.with);
      const auto begun = Clock::now();
      Findings findings;
      rule->evaluate(subject, facts, findings);
      CHECK(Clock::now() - begun < time_max);
      CHECK(findings.all().size() + findings.omitted() >= c.findings_min);
      CHECK(findings.all().size() <= findings_max);
    }
  }
}

TEST_CASE("container-bounds mends pods that could run, and leaves 50,000 containers at once", "[policy][rule][hostile]") {
  const RulePtr rule = testing::compile("container-bounds", "{require: [limits.memory], defaults: {limits.memory: 1Gi}}");
  for (const int count : {1'000, 50'000}) {
    const auto tree = Tree::parse_copy(
        deployment(R"({"containers":[)" + repeat(count, [](const std::string& i) { return R"({"name":"c)" + i + R"("})"; }) + "]}"));
    REQUIRE(tree);
    Subject subject;
    subject.group = "apps", subject.version = "v1", subject.kind = "Deployment";
    subject.object.root = tree->root();
    read_object(subject, {});
    const auto begun = Clock::now();
    Patch patch;
    rule->mend(subject, Facts{}, patch);
    CHECK(Clock::now() - begun < time_max);
    CHECK(patch.operations().size() == (count == 1'000 ? 1'000 : 0));
  }
}

}  // namespace portcullis::policy
