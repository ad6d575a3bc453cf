#include "policy/object/value.hpp"

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "policy/object/json_reader.hpp"
#include "policy/object/to_json.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

// The reader beside a slow, obvious one. The root must be an object, which is all we ask for beyond RFC 8259.
bool oracle_takes(const std::string& text) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return !parsed.is_discarded() && parsed.is_object();
}

std::string padded(std::string text) {
  text.append(64, ' ');
  return text;
}

}  // namespace

TEST_CASE("a value answers for absent, null and wrong type", "[policy][value]") {
  const auto tree = Tree::parse_copy(R"({"a": {"b": [1, "x", true, null, -2.5e3]}, "n": null, "big": 9007199254740993, "e": {}})");
  REQUIRE(tree);
  const Value root = tree->root(), list = root["a"]["b"];
  CHECK(list.size() == 5);
  CHECK(list.at(0).integer() == 1);
  CHECK(list.at(1).text() == "x");
  CHECK(list.at(2).is_true());
  CHECK(list.at(3).is(ValueKind::null));
  CHECK_FALSE(list.at(3).present());
  CHECK_FALSE(list.at(4).integer());
  CHECK(list.at(4).token() == "-2.5e3");
  CHECK_FALSE(list.at(5));
  CHECK(root["big"].integer() == 9007199254740993);  // A34: exact beyond 2^53
  CHECK_FALSE(root["absent"]["deeper"]["still"]);
  CHECK_FALSE(root["n"]["x"]);
  CHECK(root["a"].text().empty());
  CHECK(root["e"].size() == 0);
  CHECK(list.at(1).path() == "a.b[1]");
  CHECK(list.parent() == root["a"]);
  CHECK(child_path(root["a"], "dotted.key") == "a[\"dotted.key\"]");
}

TEST_CASE("the same content, whatever the order and with null as absent", "[policy][value]") {
  struct Case {
    const char *name, *a, *b;
    bool same;
  };
  const Case cases[] = {
      {"order of members", R"({"x":{"a":1,"b":2}})", R"({"x":{"b":2,"a":1}})", true},
      {"order of items", R"({"x":[1,2]})", R"({"x":[2,1]})", false},
      {"null is absent", R"({"x":{"a":1,"b":null}})", R"({"x":{"a":1}})", true},
      {"one more member", R"({"x":{"a":1}})", R"({"x":{"a":1,"b":2}})", false},
      {"text is no number", R"({"x":"1"})", R"({"x":1})", false},
      {"absent", R"({})", R"({"x":null})", true},
      {"deep", R"({"x":[{"a":{"b":["c"]}}]})", R"({"x":[{"a":{"b":["d"]}}]})", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto a = Tree::parse_copy(c.a), b = Tree::parse_copy(c.b);
      REQUIRE(a);
      REQUIRE(b);
      CHECK(same_content(a->root()["x"], b->root()["x"]) == c.same);
      CHECK(same_content(b->root()["x"], a->root()["x"]) == c.same);
    }
  }
}

TEST_CASE("what is no JSON object is refused as a slow parser refuses it", "[policy][value]") {
  const char* texts[] = {"",
                         " ",
                         "1",
                         "\"a\"",
                         "[]",
                         "null",
                         "{",
                         "}",
                         "{]",
                         "{\"a\"}",
                         "{\"a\":}",
                         "{\"a\":1,}",
                         "{,}",
                         "{\"a\":1 \"b\":2}",
                         "{\"a\":1}{",
                         "{} x",
                         "{\"a\":01}",
                         "{\"a\":-}",
                         "{\"a\":1.}",
                         "{\"a\":.5}",
                         "{\"a\":1e}",
                         "{\"a\":+1}",
                         "{\"a\":0x1}",
                         "{\"a\":tru}",
                         "{\"a\":nulll}",
                         "{\"a\":True}",
                         "{\"a\":\"\\x\"}",
                         "{\"a\":\"\\ud800\"}",
                         "{\"a\":\"\\u00g0\"}",
                         "{\"a\":\"b}",
                         "{\"a\":\"b\"c}",
                         "{\"a\":[1,]}",
                         "{\"a\":[,1]}",
                         "{\"a\":[1 2]}",
                         "{\"a\":[1}",
                         "{\"a\":{\"b\":1]}",
                         "{\"a\":\"\x01\"}",
                         "{\"a\":\"\xFF\"}",
                         "{a:1}",
                         "{'a':1}",
                         "{\"a\":1}",
                         "{ \"a\" : [ 1 , 2 ] , \"b\" : { } }",
                         "{\"a\":\"\\u00e9\\n\\\"\"}",
                         "{\"a\":-0.5e-3}",
                         "{\"\":\"\"}",
                         "{\"a\\u0062\":1}",
                         "\n{\t\"a\"\r:1}\n",
                         "{\"a\":\"x\" }",
                         "{\"a\":true , \"b\":false}",
                         "{\"a\":[[[[]]]]}",
                         "{\"a\":1}\n\n",
                         "{\"a\":NaN}",
                         "{\"a\":/**/1}"};
  for (const char* text : texts) {
    CAPTURE(text);
    CHECK(static_cast<bool>(Tree::parse_copy(text)) == oracle_takes(text));
  }
}

TEST_CASE("reading agrees with a slow parser over mangled text", "[policy][value]") {
  const std::string seed =
      R"({"kind":"Pod","spec":{"containers":[{"name":"a","env":[{"name":"X","value":"\u00e9 \"q\""},{"n":-1.5e3}],"t":true}],"x":null}})";
  std::mt19937 random(20261123);  // the seed of a failure is the loop's count
  const std::string alphabet = "{}[]:,\"\\ntfu019.eE-+ \n\x01\xC3";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int edit = 0; edit < edits; ++edit) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1 + random() % 4);
          break;
        case 1:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default:
          text[at] = alphabet[random() % alphabet.size()];
          break;
      }
      if (text.empty()) text = "{";
    }
    Tree tree;
    JsonReader reader;
    const std::string bytes = padded(text);
    const ReadOutcome outcome = reader.read({bytes.data(), text.size()}, JsonShape::object, {}, tree);
    CAPTURE(round, text);
    REQUIRE((outcome.error == nullptr) == oracle_takes(text));
    if (outcome.error) continue;
    // A member name twice: the slow parser keeps the last, the tree both; the comparison is for texts without.
    const auto parsed = nlohmann::json::parse(text);
    if (const auto again = Tree::parse_copy(text)) REQUIRE(nlohmann::json::parse(to_json(again->root())) == parsed);
  }
}

TEST_CASE("names twice are refused where the text comes from a file", "[policy][value]") {
  const auto tree = Tree::parse_copy(R"({"spec":{"image":"a","tag":"b","image":"c"}})");
  REQUIRE_FALSE(tree);
  CHECK(tree.error().message() == "spec.image: the same name twice in one object");
}

TEST_CASE("A35 A36: depth and values are bounded, whatever the text", "[policy][value]") {
  const std::string deep = "{\"a\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  const auto too_deep = Tree::parse_copy(deep);
  REQUIRE_FALSE(too_deep);
  CHECK(too_deep.error().what == "nested deeper than 64 levels");

  std::string wide = "{\"a\":[0";
  for (int i = 0; i < 250'000; ++i) wide += ",0";
  const auto too_wide = Tree::parse_copy(wide + "]}");
  REQUIRE_FALSE(too_wide);
  CHECK(too_wide.error().what == "more than 200000 values");

  const std::string at_the_limit = "{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}";
  CHECK(Tree::parse_copy(at_the_limit));
  CHECK_FALSE(Tree::parse_copy("{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}"));
}

TEST_CASE("A35: beyond the budget the envelope is still whole", "[policy][value]") {
  const std::string text = R"({"kind":"AdmissionReview","request":{"object":{"a":)" + std::string(100, '[') + std::string(100, ']') +
                           R"(},"uid":"u-1","oldObject":{"b":1}}})";
  const std::string bytes = padded(text);
  Tree tree;
  JsonReader reader;
  const ReadOutcome outcome = reader.read({bytes.data(), text.size()}, JsonShape::review, {}, tree);
  CHECK(outcome.error == nullptr);
  CHECK(outcome.over == OverBudget::depth);
  const Value request = tree.root()["request"];
  CHECK(request["uid"].text() == "u-1");
  CHECK(request["oldObject"]["b"].path() == "b");  // a root of its own
}

TEST_CASE("A37: managedFields is stepped over, and only that of metadata", "[policy][value]") {
  const auto tree = Tree::parse_copy(
      R"({"metadata":{"name":"x","managedFields":[{"fieldsV1":{"f:a":{}}}],"labels":{"a":"b"}},"spec":{"managedFields":[1]}})");
  REQUIRE(tree);
  CHECK_FALSE(tree->root()["metadata"]["managedFields"]);
  CHECK(tree->root()["metadata"]["labels"]["a"].text() == "b");
  CHECK(tree->root()["spec"]["managedFields"].size() == 1);
}

// Anywhere else than where the API server writes it a list of that name would be a place to hide in.
TEST_CASE("A37: managedFields of another metadata is read", "[policy][value]") {
  const auto tree =
      Tree::parse_copy(R"({"spec":{"metadata":{"managedFields":[{"value":"hidden"}]}},"list":[{"metadata":{"managedFields":[2]}}]})");
  REQUIRE(tree);
  CHECK(tree->root()["spec"]["metadata"]["managedFields"].at(0)["value"].text() == "hidden");
  CHECK(tree->root()["list"].at(0)["metadata"]["managedFields"].size() == 1);
}
