#include "policy/update.hpp"

#include <string>

#include "policy/object/content.hpp"
#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

namespace portcullis::policy {
namespace {

using testing::Given;
using testing::World;

World update_of(std::string before, std::vector<WorkloadKind> kinds = {}) {
  World world;
  world.operation = Operation::update;
  world.old = std::move(before);
  world.workload_kinds = std::move(kinds);
  return world;
}

// One letter a finding of the rule: `k` was so before, `n` is new.
std::string kept(std::string_view rule, std::string_view with, const std::string& before, const std::string& now,
                 std::vector<WorkloadKind> kinds = {}) {
  const RulePtr compiled = testing::compile(rule, with);
  const Given given(now, update_of(before, std::move(kinds)));
  Findings found, found_before;
  compiled->evaluate(given.subject, given.facts, found);
  Subject old_subject = given.subject;
  old_subject.object = given.subject.old_object;
  compiled->evaluate(old_subject, given.facts, found_before);
  std::string letters;
  for (const bool unchanged : unchanged_flaws(found, found_before, given.subject)) letters += unchanged ? 'k' : 'n';
  return letters;
}

std::string pod(const std::string& containers) {
  return "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: acme-prod}, spec: {containers: [" + containers + "]}}";
}

}  // namespace

TEST_CASE("a flaw that was there vouches for itself and for no copy", "[policy][update]") {
  const auto digest = [](const std::string& before, const std::string& now) {
    return kept("image-digest", "{require: digest}", pod(before), pod(now));
  };
  const std::string good = "{name: good, image: \"r.example/a@sha256:" + std::string(64, 'a') + "\"}";
  const std::string flawed = "{name: web, image: \"r.example/a:1\"}";
  CHECK(digest(flawed, flawed) == "k");
  CHECK(digest(flawed, good + ", " + flawed) == "k");  // another place in the list is the same place
  CHECK(digest(flawed, flawed + ", " + flawed) == "kn");
  CHECK(digest(flawed + ", " + flawed, flawed) == "k");
  CHECK(digest(flawed, "{name: web, image: \"r.example/a:1\", args: [x]}") == "n");
  CHECK(digest(good, flawed) == "n");
}

TEST_CASE("a flaw moved elsewhere is a new one", "[policy][update]") {
  const auto object = [](const std::string& list) {
    return "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {" + list + ": [{name: web, image: \"r.example/a:1\"}]}}";
  };
  CHECK(kept("image-digest", "{require: digest}", object("initContainers"), object("initContainers")) == "k");
  CHECK(kept("image-digest", "{require: digest}", object("initContainers"), object("containers")) == "n");
}

TEST_CASE("A71: a custom kind's own replicas multiply too", "[policy][update]") {
  const std::vector<WorkloadKind> kinds{{"odoo.example", "v1", "Odoo", {"spec", "template"}, {"spec", "instances"}}};
  const auto object = [](int instances) {
    return "{apiVersion: odoo.example/v1, kind: Odoo, metadata: {name: web}, spec: {instances: " + std::to_string(instances) +
           ", template: {spec: {containers: [{name: web, image: \"r.example/a:1\"}]}}}}";
  };
  CHECK(kept("image-digest", "{require: digest}", object(2), object(2), kinds) == "k");
  CHECK(kept("image-digest", "{require: digest}", object(2), object(1), kinds) == "k");
  CHECK(kept("image-digest", "{require: digest}", object(2), object(20), kinds) == "n");
}

TEST_CASE("content is compared and hashed whatever its order", "[policy][update]") {
  struct Case {
    const char *a, *b;
    bool same;
  };
  const Case cases[] = {
      {"{a: 1, b: {c: [x, y], d: true}}", "{b: {d: true, c: [x, y]}, a: 1}", true},
      {"{a: 1, b: null}", "{a: 1}", true},
      {"{a: [null]}", "{a: [null]}", true},
      {"{a: [x, y]}", "{a: [y, x]}", false},
      {"{a: {x: b}, c: {x: d}}", "{a: {x: d}, c: {x: b}}", false},
      {"{a: '1'}", "{a: 1}", false},
      {"{a: b}", "{b: a}", false},
      {"{a: {}}", "{a: []}", false},
      {"{a: [{}]}", "{a: [{}, {}]}", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.a << " " << c.b) {
      const Tree a = testing::tree_of(c.a), b = testing::tree_of(c.b);
      CHECK(same_content(a.root(), b.root()) == c.same);
      CHECK((content_hash(a.root()) == content_hash(b.root())) == c.same);
      CHECK(same_members(a.root(), b.root()) == c.same);
    }
  }
  const Tree a = testing::tree_of("{a: 1, status: x}"), b = testing::tree_of("{status: y, a: 1, metadata: {}}");
  constexpr std::array<std::string_view, 2> but{"status", "metadata"};
  CHECK(same_members(a.root(), b.root(), but));
  CHECK_FALSE(same_members(a.root(), b.root()));
}

// Comparing every member with every other would take minutes.
TEST_CASE("an object with 100,000 members and finalizers that is being deleted is compared at once", "[policy][update]") {
  const auto object = [](bool backwards, int finalizers) {
    std::string text = R"({"metadata":{"deletionTimestamp":"2026-11-23T10:00:00Z","finalizers":[)";
    for (int i = 0; i < finalizers; ++i) text += (i ? "," : "") + std::string("\"example.org/f") + std::to_string(i) + '"';
    text += "]}";
    for (int i = 0; i < 100'000; ++i) text += ",\"m" + std::to_string(backwards ? 99'999 - i : i) + "\":0";
    return text + "}";
  };
  WorkBudget budget;
  const auto before = Tree::parse_copy(object(false, 50'000), budget), now = Tree::parse_copy(object(true, 49'999), budget);
  REQUIRE(before);
  REQUIRE(now);
  Subject subject;
  subject.operation = Operation::update;
  subject.old_object.root = before->root();
  subject.object.root = now->root();
  CHECK(only_loses_finalizers(subject));
  subject.object.root = before->root();
  CHECK_FALSE(only_loses_finalizers(subject));
}

}  // namespace portcullis::policy
