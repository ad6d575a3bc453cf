// A rule's parameters: what its declaration takes and refuses, their places, and when two sets are the same.
#include "policy/document/params.hpp"

#include "policy/document/decode_params.hpp"
#include "policy/document/yaml.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

const std::vector<ParamInfo> declared{
    {.name = "min", .type = ParamType::integer, .meaning = "", .required = true, .range = {2, 100}},
    {.name = "ratio", .type = ParamType::number, .meaning = "", .range = {1, 20}},
    {.name = "key", .type = ParamType::string, .meaning = ""},
    {.name = "accept", .type = ParamType::strings, .meaning = "", .range = {1, 2}, .words = {"spread", "node"}},
    {.name = "strict", .type = ParamType::boolean, .meaning = ""},
    {.name = "max", .type = ParamType::quantities, .meaning = ""},
};

struct Decoded {
  Params params;
  std::string refused;
};

Decoded decode(std::string_view with, const std::vector<ParamInfo>& infos = declared) {
  Decoded out;
  DocumentErrors errors;
  const auto file = std::make_shared<const std::string>("p.yaml");
  const auto documents = yaml::parse_stream("p.yaml", with);
  REQUIRE(documents);
  const yaml::Node* node = documents->empty() ? nullptr : &documents->front().root;
  decode_params(node, infos, file, "spec.rules[0].with", out.params, errors, {7, 3, 7, 4});
  for (const Error& error : errors) out.refused += (out.refused.empty() ? "" : "\n") + error.message();
  return out;
}

}  // namespace

TEST_CASE("parameters are read by their declaration", "[policy][params]") {
  const Decoded all = decode("{min: 2, ratio: 1.5, key: a, accept: [spread], strict: yes, max: {requests.cpu: 500m, limits.memory: 1Gi}}");
  CHECK(all.refused == "");
  CHECK(all.params.integer("min", 0) == 2);
  CHECK(all.params.number("ratio", 0) == 1.5);
  CHECK(all.params.string("key", "") == "a");
  CHECK(all.params.strings("accept", {}) == Params::Strings{"spread"});
  CHECK(all.params.boolean("strict", false));
  REQUIRE(all.params.quantities("max").size() == 2);
  CHECK(all.params.quantities("max")[0].first == "requests.cpu");
  CHECK(all.params.quantities("max")[0].second == *Quantity::parse("500m"));
  CHECK_FALSE(decode("{min: 2}").params.has("ratio"));
}

TEST_CASE("refused parameters", "[policy][params]") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "p.yaml:7:3 spec.rules[0].with.min: found nothing, want an integer from 2 to 100"},
      {"{min: 1}", "p.yaml:1:7 spec.rules[0].with.min: found `1` (an integer), want an integer from 2 to 100"},
      {"{min: two}", "p.yaml:1:7 spec.rules[0].with.min: found `two`, want an integer from 2 to 100; write it without quotes"},
      {"{min: 2.5}", "p.yaml:1:7 spec.rules[0].with.min: found `2.5` (a number), want an integer from 2 to 100"},
      {"{min: 2, ratoi: 3}",
       "p.yaml:1:10 spec.rules[0].with.ratoi: found the unknown field `ratoi`, want min, ratio, key, accept, strict or "
       "max (did you mean `ratio`?)"},
      {"{min: 2, ratio: 21}", "p.yaml:1:17 spec.rules[0].with.ratio: found `21` (an integer), want a number from 1 to 20"},
      {"{min: 2, key: [a]}", "p.yaml:1:15 spec.rules[0].with.key: found a list, want a text"},
      {"{min: 2, accept: []}", "p.yaml:1:18 spec.rules[0].with.accept: found an empty list, want a list of 1 to 2 texts"},
      {"{min: 2, accept: spread}", "p.yaml:1:18 spec.rules[0].with.accept: found `spread`, want a list of 1 to 2 texts"},
      {"{min: 2, accept: [sprad]}",
       "p.yaml:1:19 spec.rules[0].with.accept[0]: found `sprad`, want spread or node (did you mean `spread`?)"},
      {"{min: 2, accept: [node, node]}", "p.yaml:1:25 spec.rules[0].with.accept[1]: found `node` a second time, want each once"},
      {"{min: 2, strict: \"true\"}", "p.yaml:1:18 spec.rules[0].with.strict: found `true`, want true or false; write it without quotes"},
      {"{min: 2, max: {cpu: 1 Gi}}", "p.yaml:1:21 spec.rules[0].with.max.cpu: found `1 Gi`, want a quantity such as 500m, 2 or 1Gi"},
      {"{min: 2, max: {cpu: -1}}", "p.yaml:1:21 spec.rules[0].with.max.cpu: found `-1` (an integer), want a quantity of at least 0"},
      {"[min]", "p.yaml:1:1 spec.rules[0].with: found a list, want a mapping with min, ratio, key, accept, strict or max"},
  };
  for (const auto& [with, told] : cases) DYNAMIC_SECTION(with) {
      CHECK(decode(with).refused == told);
    }
  CHECK(decode("{a: 1}", {}).refused == "p.yaml:1:1 spec.rules[0].with: found a mapping, want nothing: this rule takes no parameters");
  CHECK(decode("{}", {}).refused == "");
}

TEST_CASE("parameters know their places", "[policy][params]") {
  const Params params = decode("{min: 2,\n key: a}").params;
  CHECK(params.where("key") == "p.yaml:2:7 spec.rules[0].with.key");
  CHECK(params.where("ratio") == "p.yaml:1:1 spec.rules[0].with.ratio");
  CHECK(params.error("key", "found `a`, want b").message() == "p.yaml:2:7 spec.rules[0].with.key: found `a`, want b");
}

TEST_CASE("the same parameters have the same fingerprint", "[policy][params]") {
  const auto print = [](std::string_view with) { return decode(with).params.fingerprint(); };
  CHECK(print("{min: 2, key: a}") == print("{key: \"a\", min: 0x2}"));
  CHECK(print("{min: 2, max: {cpu: 1, memory: 1Gi}}") == print("{min: 2, max: {memory: 1024Mi, cpu: 1000m}}"));
  CHECK(print("{min: 2}") != print("{min: 3}"));
  CHECK(print("{min: 2, accept: [spread]}") != print("{min: 2, accept: [node]}"));
  CHECK(print("{min: 2, key: \"a;3:min\"}") != print("{min: 2, key: a}"));
  CHECK(print("{min: 2, max: {cpu: 1}}") != print("{min: 2, max: {cpu: 1n}}"));
}
