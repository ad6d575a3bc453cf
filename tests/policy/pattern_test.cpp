#include "policy/rule/pattern.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis::policy;

TEST_CASE("names match patterns filled from what is judged", "[policy][pattern]") {
  struct Case {
    const char *pattern, *tenant, *environment, *name_space, *name;
    bool matches;
  };
  const Case cases[] = {
      {"{tenant}-*", "acme", "prod", "ns", "acme-db", true},
      {"{tenant}-*", "acme", "prod", "ns", "acme", false},
      {"{tenant}-*", "acme", "prod", "ns", "other-acme-db", false},
      {"{tenant}-*", "", "", "ns", "-db", false},       // nobody's namespace
      {"{tenant}*", "*", "", "ns", "anything", false},  // a value brings no wildcard of its own
      {"{namespace}", "acme", "prod", "*", "x", false},
      {"{namespace}-{environment}-{tenant}", "a", "b", "c", "c-b-a", true},
      {"db", "", "", "", "db", true},
      {"db", "", "", "", "db2", false},
      {"*", "", "", "", "anything", true},
      {"a*c*e", "", "", "", "abcde", true},
      {"a*c*e", "", "", "", "abcd", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.pattern << " on " << c.name << " of " << c.tenant) {
      const auto pattern = NamePattern::parse(c.pattern);
      REQUIRE(pattern);
      Facts facts;
      facts.tenant = c.tenant, facts.environment = c.environment;
      CHECK(pattern->matches(c.name, facts, c.name_space) == c.matches);
    }
  }
}

TEST_CASE("patterns that are none", "[policy][pattern]") {
  CHECK(NamePattern::parse("").error().what == "found an empty pattern");
  CHECK(NamePattern::parse("{tenent}-*").error().what ==
        "found the placeholder `{tenent}`, want {tenant}, {environment} or {namespace} (did you mean `tenant`?)");
  CHECK(NamePattern::parse("{tenant-*").error().what == "found a brace without its other half in `{tenant-*`");
  CHECK(NamePattern::parse("tenant}-*").error().what == "found a brace without its other half in `tenant}-*`");
  CHECK(NamePattern::parse(std::string(513, 'a')).error().what == "found a pattern of 513 bytes, want at most 512");
  CHECK(ImagePattern::parse("odoo/**").error().what == "found `odoo/**`, want a registry host and a path, such as docker.io/library/odoo");
  CHECK(ImagePattern::parse("**").error().what == "found `**`, want a registry host and a path, such as docker.io/library/odoo");
  CHECK(ImagePattern::parse("*.corp/odoo").error().what ==
        "found `*.corp/odoo`, want the registry host written whole: `*` stands in the path only");
  CHECK(ImagePattern::parse("index.docker.io/library/odoo").error().what ==
        "found `index.docker.io/library/odoo`, want docker.io, the name that index.docker.io stands for");
  CHECK(ImagePattern::parse("registry.corp/odoo:17").error().what ==
        "found `registry.corp/odoo:17`, want a repository without tag or digest");
}

TEST_CASE("images match patterns with placeholders", "[policy][pattern]") {
  Facts facts;
  facts.tenant = "acme";
  const auto pattern = ImagePattern::parse("registry.corp:5000/{tenant}/**");
  REQUIRE(pattern);
  CHECK(pattern->matches(*parse_image("registry.corp:5000/acme/odoo:17"), facts, "ns"));
  CHECK_FALSE(pattern->matches(*parse_image("registry.corp:5000/other/odoo:17"), facts, "ns"));
  facts.tenant = "";
  CHECK_FALSE(pattern->matches(*parse_image("registry.corp:5000/acme/odoo:17"), facts, "ns"));
}
