#include "policy/object/selector.hpp"

#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using portcullis::policy::testing::tree_of;

TEST_CASE("label selectors", "[policy][selector]") {
  struct Case {
    const char *selector, *labels;
    bool matches;
  };
  const Case cases[] = {
      {"{}", "{app: web}", true},
      {"{}", "{}", true},
      {"{matchLabels: {}}", "{}", true},
      {"{matchLabels: null, matchExpressions: null}", "{}", true},
      {"{matchLabels: {app: web}}", "{app: web, tier: a}", true},
      {"{matchLabels: {app: web}}", "{app: db}", false},
      {"{matchLabels: {app: web}}", "{}", false},
      {"{matchLabels: {app: web, tier: a}}", "{app: web}", false},
      {"{matchLabels: {app: ''}}", "{app: ''}", true},
      {"{matchLabels: {app: ''}}", "{}", false},
      {"{matchExpressions: [{key: app, operator: In, values: [db, web]}]}", "{app: web}", true},
      {"{matchExpressions: [{key: app, operator: In, values: [db]}]}", "{app: web}", false},
      {"{matchExpressions: [{key: app, operator: In, values: [db]}]}", "{}", false},
      {"{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}", "{app: web}", true},
      {"{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}", "{}", true},
      {"{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}", "{app: web}", false},
      {"{matchExpressions: [{key: app, operator: Exists}]}", "{app: web}", true},
      {"{matchExpressions: [{key: app, operator: Exists, values: []}]}", "{}", false},
      {"{matchExpressions: [{key: app, operator: DoesNotExist}]}", "{}", true},
      {"{matchExpressions: [{key: app, operator: DoesNotExist}]}", "{app: web}", false},
      {"{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: Exists}]}", "{app: web}", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.selector << " on " << c.labels) {
      const Tree selector = tree_of(c.selector), labels = tree_of(c.labels);
      const auto parsed = parse_selector(selector.root());
      REQUIRE(parsed);
      CHECK(parsed->matches(labels.root()) == c.matches);
      CHECK(selector_matches(selector.root(), labels.root()) == c.matches);
    }
  }
}

TEST_CASE("selectors that are none", "[policy][selector]") {
  struct Case {
    const char *selector, *message;
  };
  const Case cases[] = {
      {"{s: null}", "s: found null, want a label selector"},
      {"{s: web}", "s: found `web`, want a label selector"},
      {"{s: []}", "s: found a list, want a label selector"},
      {"{s: {matchLabels: []}}", "s.matchLabels: found a list, want an object of labels"},
      {"{s: {matchLabels: {app: 5}}}", "s.matchLabels.app: found a number, want a label value"},
      {"{s: {matchLabels: {app: 'a b'}}}", "s.matchLabels.app: found `a b`, want a label value"},
      {"{s: {matchLabels: {'-': a}}}", "s.matchLabels.-: found `-`, want a label key"},
      {"{s: {matchExpressions: {}}}", "s.matchExpressions: found an object, want a list of expressions"},
      {"{s: {matchExpressions: [null]}}", "s.matchExpressions[0]: found null, want an expression"},
      {"{s: {matchExpressions: [{operator: Exists}]}}", "s.matchExpressions[0].key: found nothing, want a label key"},
      {"{s: {matchExpressions: [{key: app, operator: Exist}]}}",
       "s.matchExpressions[0].operator: found `Exist`, want In, NotIn, Exists or DoesNotExist (did you mean `Exists`?)"},
      {"{s: {matchExpressions: [{key: app}]}}", "s.matchExpressions[0].operator: found nothing, want In, NotIn, Exists or DoesNotExist"},
      {"{s: {matchExpressions: [{key: app, operator: In}]}}", "s.matchExpressions[0].values: found no values, want at least one for In"},
      {"{s: {matchExpressions: [{key: app, operator: Exists, values: [a]}]}}",
       "s.matchExpressions[0].values: found values, want none for Exists"},
      {"{s: {matchExpressions: [{key: app, operator: In, values: [{}]}]}}",
       "s.matchExpressions[0].values: found what is no label value, want a list of label values"},
      {"{s: {matchExpressions: [{key: app, operator: In, values: web}]}}",
       "s.matchExpressions[0].values: found what is no label value, want a list of label values"},
  };
  const Tree labels = tree_of("{app: web}");
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.selector) {
      const Tree tree = tree_of(c.selector);
      const auto parsed = parse_selector(tree.root()["s"]);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.error().message() == c.message);
      CHECK_FALSE(selector_matches(tree.root()["s"], labels.root()));
    }
  }
  CHECK_FALSE(selector_matches(Value{}, labels.root()));
}

TEST_CASE("labels above the bound match nothing", "[policy][selector]") {
  std::string labels = "{app: web";
  for (std::size_t i = 1; i < selector_labels_max; ++i) labels += ", l" + std::to_string(i) + ": a";
  const Tree selector = tree_of("{matchLabels: {app: web}}");
  CHECK(selector_matches(selector.root(), tree_of(labels + "}").root()));
  CHECK_FALSE(selector_matches(selector.root(), tree_of(labels + ", more: a}").root()));
}

TEST_CASE("label keys and values", "[policy][selector]") {
  for (const std::string& key :
       {std::string("app"), std::string("a.b/c_d-e.f"), std::string("A9"), "p/" + std::string(63, 'n'), std::string(253, 'p') + "/n"}) {
    CAPTURE(key);
    CHECK(is_label_key(key));
  }
  for (const std::string& key :
       {std::string(), std::string("/n"), std::string("p/"), std::string("P/n"), std::string("a/b/c"), std::string("-a"), std::string("a-"),
        std::string("a b"), std::string(64, 'n'), std::string(254, 'p') + "/n", std::string("p..q/n"), std::string("\xc3\xa4")}) {
    CAPTURE(key);
    CHECK_FALSE(is_label_key(key));
  }
  CHECK(is_label_value(""));
  CHECK(is_label_value("1.2_3-x"));
  CHECK_FALSE(is_label_value(".x"));
  CHECK_FALSE(is_label_value(std::string(64, 'v')));
}
