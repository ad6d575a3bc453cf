#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

const std::string digest = "@sha256:" + std::string(64, 'a');
const char* const want_digest = ", want a digest, @sha256: and 64 hex digits";
const char* const want_tag = ", want a tag other than `latest`, or a digest";
const char* const want_fixed = ", want a tag that does not move, or a digest";

std::string image(std::string_view text) { return workload("Pod", "{containers: [{name: a, image: '" + std::string(text) + "'}]}"); }

}  // namespace

TEST_CASE("image-digest", "[policy][rule]") {
  struct Case {
    const char *name, *with;
    std::string image;
    const char *found, *wanted;  // "" when allowed
  };
  const Case cases[] = {
      {"a digest", "{}", "r.corp/odoo" + digest, "", ""},
      {"103: a tag beside a digest changes nothing", "{}", "r.corp/odoo:17" + digest, "", ""},
      {"103: not even one that moves", "{require: tag}", "r.corp/odoo:latest" + digest, "", ""},
      {"a tag", "{}", "r.corp/odoo:17", "`r.corp/odoo:17`", want_digest},
      {"nothing", "{require: digest}", "odoo", "`odoo`", want_digest},
      {"tag for tag", "{require: tag}", "r.corp/odoo:17", "", ""},
      {"no tag is latest", "{require: tag}", "r.corp/odoo", "`r.corp/odoo`", want_tag},
      {"no tag, whatever is forbidden", "{require: tag, forbidTags: []}", "r.corp/odoo", "`r.corp/odoo`", want_tag},
      {"latest", "{require: tag}", "r.corp/odoo:latest", "`r.corp/odoo:latest`", want_fixed},
      {"a port is no tag", "{require: tag}", "r.corp:5000/odoo", "`r.corp:5000/odoo`", want_tag},
      {"a forbidden pattern", "{require: tag, forbidTags: ['main-*', edge]}", "r.corp/odoo:main-7", "`r.corp/odoo:main-7`", want_fixed},
      {"beside the pattern", "{require: tag, forbidTags: ['main-*', edge]}", "r.corp/odoo:latest", "", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const RulePtr rule = compile("image-digest", c.with);
      CHECK(judge(*rule, image(c.image)) == (*c.found ? "spec.containers[0].image: found " + std::string(c.found) + c.wanted : ""));
    }
  }
  const RulePtr rule = compile("image-digest", "{}");
  for (const std::string& wrong : {"r.corp/odoo@sha256:" + std::string(64, 'A'), "r.corp/odoo@sha512:" + std::string(128, 'a'),
                                   "r.corp/odoo@sha256:" + std::string(63, 'a'), std::string(64, 'a'), "r.corp./odoo" + digest}) {
    DYNAMIC_SECTION("104, 105: " << wrong) {
      const auto told = findings(*rule, image(wrong));
      REQUIRE(told.size() == 1);
      CHECK(told[0].what == "unreadable image reference");
    }
  }
}

TEST_CASE("image-digest knows every door (threats 1, 3, 6, 11)", "[policy][rule]") {
  const RulePtr rule = compile("image-digest", "{}");
  for (const std::string_view kind : workload_kind_names()) {
    DYNAMIC_SECTION(kind) {
      const std::string path = pod_spec_path(kind);
      CHECK(judge(*rule, workload(kind,
                                  "{initContainers: [{image: a}], containers: [{image: b}], ephemeralContainers: [{image: c}], "
                                  "volumes: [{name: v, image: {reference: d}}]}")) ==
            path + ".initContainers[0].image: found `a`" + want_digest + "\n" + path + ".containers[0].image: found `b`" + want_digest +
                "\n" + path + ".ephemeralContainers[0].image: found `c`" + want_digest + "\n" + path +
                ".volumes[0].image.reference: found `d`" + want_digest);
    }
  }
  CHECK(judge(*rule, workload("Deployment", "{containers: {}}")) == "spec.template.spec.containers: found an object, want a list");
  CHECK(judge(*rule, workload("Deployment", "{containers: [{}]}")) ==
        "spec.template.spec.containers[0].image: found nothing, want an image reference");
}

TEST_CASE("image-digest refuses params", "[policy][rule]") {
  CHECK(refusal("image-digest", "{require: digest, forbidTags: [latest]}") ==
        "found tags beside `require: digest`, want them with `require: tag` only: a digest decides what runs, whatever the tag");
  for (const char* with :
       {"{require: signature}", "{require: 5}", "{require: tag, forbidTags: ['']}", "{forbidTags: latest, require: tag}"}) {
    CAPTURE(with);
    CHECK(refusal("image-digest", with) != "");
  }
}
