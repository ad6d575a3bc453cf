#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

const char* const allow = R"({allow: ["registry.corp/odoo/**", "registry.corp/shared/*", "ghcr.io/{tenant}/**"]})";
const char* const wanted = ", want an image from `registry.corp/odoo/**` or `registry.corp/shared/*` or `ghcr.io/{tenant}/**`";
const char* const readable = ", want host/path with an optional :tag and @sha256: with 64 lower-case hex digits";
const std::string digits(64, 'a');

std::string image(std::string_view text) { return workload("Pod", "{containers: [{name: a, image: '" + std::string(text) + "'}]}"); }

}  // namespace

TEST_CASE("image-registry", "[policy][rule]") {
  const RulePtr rule = compile("image-registry", allow);
  struct Case {
    const char* name;
    std::string image;
    const char* found;  // "" when allowed
  };
  const Case cases[] = {
      {"listed", "registry.corp/odoo/server:17", ""},
      {"listed with digest", "registry.corp/odoo/server@sha256:" + digits, ""},
      {"deeper", "registry.corp/odoo/a/b/c", ""},
      {"the tenant's own", "ghcr.io/acme/erp:1", ""},
      {"104: another registry's letters", "REGISTRY.corp/odoo/server:17", ""},
      {"another tenant's", "ghcr.io/other/erp:1", "`ghcr.io/other/erp:1`"},
      {"104: a short name", "odoo", "`odoo` (docker.io/library/odoo)"},
      {"104: a user's name", "corp/odoo:1", "`corp/odoo:1` (docker.io/corp/odoo)"},
      {"104: the old index", "index.docker.io/odoo", "`index.docker.io/odoo` (docker.io/library/odoo)"},
      {"104: a longer host", "registry.corp.evil.com/odoo/server", "`registry.corp.evil.com/odoo/server`"},
      {"104: a port", "registry.corp:443/odoo/server", "`registry.corp:443/odoo/server`"},
      {"a longer component", "registry.corp/odoo-evil/server", "`registry.corp/odoo-evil/server`"},
      {"one part only", "registry.corp/shared/a/b", "`registry.corp/shared/a/b`"},
      {"IPv6", "[fd00::1]:5000/odoo", "`[fd00::1]:5000/odoo`"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CHECK(judge(*rule, image(c.image)) == (*c.found ? "spec.containers[0].image: found " + std::string(c.found) + wanted : ""));
    }
  }
  const std::string unreadable[] = {"registry.corp./odoo/server",
                                    "registry.corp/odoo/Server",
                                    "registry.corp/odoo/server@sha256:" + std::string(64, 'A'),
                                    "registry.corp/odoo/server@sha512:" + std::string(64, 'a') + std::string(64, 'a'),
                                    "registry.corp/odoo/server@sha256:" + std::string(63, 'a'),
                                    digits};
  for (const std::string& text : unreadable) {
    DYNAMIC_SECTION("104, 105: " << text) {
      const auto told = findings(*rule, image(text));
      REQUIRE(told.size() == 1);
      CHECK(told[0].what == "unreadable image reference");
    }
  }
  CHECK(judge(*rule, image("r\xc3\xa9gistry.corp/odoo/x")).find("spec.containers[0].image: found `") == 0);
}

TEST_CASE("image-registry shows no password of a URL where an image should be", "[policy][rule]") {
  const RulePtr rule = compile("image-registry", allow);
  for (const std::string_view text : {"https://user:demo-7hQ2@registry.corp/odoo/x", "user:demo-7hQ2@registry.corp/odoo/x:1",
                                      "https://demo-7hQ2@registry.corp/x@latest"}) {
    DYNAMIC_SECTION(text) {
      const auto told = findings(*rule, image(text));
      REQUIRE(told.size() == 1);
      CHECK(told[0].found.find("demo-7hQ2") == std::string::npos);
    }
  }
}

TEST_CASE("image-registry knows every door (threats 1, 3, 6, 11)", "[policy][rule]") {
  const RulePtr rule = compile("image-registry", allow);
  const char* const good = "registry.corp/odoo/a";
  for (const std::string_view kind : workload_kind_names()) {
    DYNAMIC_SECTION(kind) {
      const std::string path = pod_spec_path(kind);
      const std::string ok = "{name: a, image: " + std::string(good) + "}";
      CHECK(judge(*rule, workload(kind, "{initContainers: [" + ok + "], containers: [" + ok + "], ephemeralContainers: [" + ok +
                                            "], volumes: [{name: v, image: {reference: " + good + "}}, {name: w, emptyDir: {}}]}")) == "");
      CHECK(judge(*rule, workload(kind,
                                  "{initContainers: [{image: evil/a}], containers: [{image: evil/b}], "
                                  "ephemeralContainers: [{image: evil/c}], volumes: [{name: v, image: {reference: evil/d}}]}")) ==
            path + ".initContainers[0].image: found `evil/a` (docker.io/evil/a)" + wanted + "\n" + path +
                ".containers[0].image: found `evil/b` (docker.io/evil/b)" + wanted + "\n" + path +
                ".ephemeralContainers[0].image: found `evil/c` (docker.io/evil/c)" + wanted + "\n" + path +
                ".volumes[0].image.reference: found `evil/d` (docker.io/evil/d)" + wanted);
    }
  }
  World world;
  world.operation = Operation::update;
  world.subresource = "ephemeralcontainers";
  const std::string before = workload("Pod", "{containers: [{image: registry.corp/odoo/a}]}");
  world.old = before;
  CHECK(judge(*rule, workload("Pod", "{containers: [{image: registry.corp/odoo/a}], ephemeralContainers: [{image: evil/x}]}"), world) ==
        "spec.ephemeralContainers[0].image: found `evil/x` (docker.io/evil/x)" + std::string(wanted));
}

TEST_CASE("image-registry on what is no image (threats 30, 31, 32)", "[policy][rule]") {
  const RulePtr rule = compile("image-registry", allow);
  struct Case {
    const char *spec, *finding;
  };
  const std::string no_image = ": found nothing, want an image reference";
  const Case cases[] = {
      {"{containers: [{name: a}]}", "spec.containers[0].image: found nothing, want an image reference"},
      {"{containers: [{name: a, image: null}]}", "spec.containers[0].image: found nothing, want an image reference"},
      {"{containers: [{name: a, image: ''}]}", "spec.containers[0].image: found ``, want an image reference"},
      {"{containers: [null]}", "spec.containers[0]: found null, want an object"},
      {"{containers: [x]}", "spec.containers[0]: found a string, want an object"},
      {"{containers: {}}", "spec.containers: found an object, want a list"},
      {"{containers: x}", "spec.containers: found a string, want a list"},
      {"{containers: []}", ""},
      {"{containers: null}", ""},
      {"null", ""},
      {"x", "spec: found a string, want an object"},
      {"{volumes: {}}", "spec.volumes: found an object, want a list"},
      {"{volumes: [null]}", "spec.volumes[0]: found null, want an object"},
      {"{volumes: [{name: v, image: x}]}", "spec.volumes[0].image: found a string, want an object"},
      {"{volumes: [{name: v, image: {}}]}", "spec.volumes[0].image.reference: found nothing, want an image reference"},
      {"{volumes: [{name: v, image: null}]}", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.spec) { CHECK(judge(*rule, workload("Pod", c.spec)) == c.finding); }
  }
  CHECK(judge(*rule, workload("Pod", "{containers: [{image: 5}]}")) == "spec.containers[0].image: found a number" + std::string(readable));
}

TEST_CASE("image-registry in a namespace of nobody", "[policy][rule]") {
  World world;
  world.tenant = world.environment = "";
  const RulePtr rule = compile("image-registry", R"({allow: ["ghcr.io/{tenant}/**"]})");
  CHECK(judge(*rule, image("ghcr.io/acme/erp"), world) != "");
  CHECK(judge(*rule, image("ghcr.io/acme/erp")) == "");
}

TEST_CASE("image-registry says what is at fault and how far it reaches", "[policy][rule]") {
  const auto told = findings(*compile("image-registry", allow), image("odoo"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].what == "registry not allowed");
  CHECK(told[0].at == "spec.containers[0].image");
  CHECK(told[0].scope == "spec.containers[0]");
  CHECK(told[0].fix == "push the image to an allowed repository and name it from there");
}

TEST_CASE("image-registry stops writing at the bound of findings (threats 36)", "[policy][rule]") {
  std::string list;
  for (int i = 0; i < 150; ++i) list += "{image: evil/a}, ";
  const Given given(workload("Pod", "{containers: [" + list + "]}"));
  Findings found;
  compile("image-registry", allow)->evaluate(given.subject, given.facts, found);
  CHECK(found.all().size() == findings_max);
  CHECK(found.omitted() == 150 - findings_max);
}

TEST_CASE("image-registry refuses params", "[policy][rule]") {
  CHECK(refusal("image-registry", "{allow: [odoo]}") == "found `odoo`, want a registry host and a path, such as docker.io/library/odoo");
  CHECK(refusal("image-registry", R"({allow: ["*/**"]})") ==
        "found `*/**`, want a registry host and a path, such as docker.io/library/odoo");
  for (const char* with : {"{}", "{allow: []}", "{allow: x}", R"({allow: ["a.b/{tenat}"]})"}) {
    CAPTURE(with);
    CHECK(refusal("image-registry", with) != "");
  }
}
