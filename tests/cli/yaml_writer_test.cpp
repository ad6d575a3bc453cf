#include "cli/yaml_writer.hpp"

#include "tests/catch.hpp"

using namespace portcullis::cli;
using Json = nlohmann::ordered_json;

TEST_CASE("texts are quoted where YAML would take them for something else", "[cli][yaml]") {
  struct Case {
    const char *text, *written;
  };
  const Case cases[] = {
      {"pods", "pods"},
      {"pods/resize", "pods/resize"},
      {"kubernetes.io/metadata.name", "kubernetes.io/metadata.name"},
      {"a sentence without a colon", "a sentence without a colon"},
      {"", "\"\""},
      {"yes", "\"yes\""},
      {"No", "\"No\""},
      {"null", "\"null\""},
      {"3", "\"3\""},
      {"0x1", "\"0x1\""},
      {"-1", "\"-1\""},
      {".5", "\".5\""},
      {"2026-11-20", "\"2026-11-20\""},
      {"*", "\"*\""},
      {"a: b", "\"a: b\""},
      {"a #b", "\"a #b\""},
      {"a, b", "\"a, b\""},
      {"ends:", "\"ends:\""},
      {"{}", "\"{}\""},
      {"say \"it\"", "say \"it\""},
      {"\"it\"", "'\"it\"'"},
      {"a\\.b", "a\\.b"},
      {"^a\\.b[c]$", "'^a\\.b[c]$'"},
      {"it's \\d, \"no\"", "'it''s \\d, \"no\"'"},
      {"two\nlines", "\"two\\nlines\""},
      {"M\xC3\xBCller", "\"M\\u00fcller\""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) { CHECK(to_yaml(Json{{"k", c.text}}) == "k: " + std::string(c.written) + "\n"); }
  }
}

TEST_CASE("what fits on a line stands on a line", "[cli][yaml]") {
  const std::string wide(100, 'x');
  const Json value{{"a", {{"b", 1}, {"c", Json::array({"d", true, nullptr})}}},
                   {"empty", Json::object()},
                   {"none", Json::array()},
                   {"list", Json::array({Json{{"name", wide}, {"other", wide}}, 2})},
                   {"map", {{"x", wide}, {"z", wide}}}};
  CHECK(to_yaml(value) == "a: {b: 1, c: [d, true, null]}\nempty: {}\nnone: []\nlist:\n  - name: " + wide + "\n    other: " + wide +
                              "\n  - 2\nmap:\n  x: " + wide + "\n  z: " + wide + "\n");
}
