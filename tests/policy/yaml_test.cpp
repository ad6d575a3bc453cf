// YAML as Kubernetes reads it: a corpus of texts with the JSON that sigs.k8s.io/yaml 1.4 (go-yaml v2) makes of them, the places
// of keys and values, what is refused, and the bounds.
#include "policy/document/yaml.hpp"

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

std::string json_of(std::string_view text, const DocumentLimits& limits = {}) {
  const auto documents = yaml::parse_stream("x.yaml", text, limits);
  if (!documents) return documents.error().message();
  std::string out;
  for (const yaml::Document& document : *documents) out += (out.empty() ? "" : " ") + yaml::to_json(document.root);
  return out;
}

std::string span_text(const Span& span) {
  return std::to_string(span.line) + ":" + std::to_string(span.column) + "-" + std::to_string(span.end_line) + ":" +
         std::to_string(span.end_column);
}

// Numbers as they are written: 1e5 is not 100000.
struct Tokens : nlohmann::json::json_sax_t {
  std::string out;
  bool null() override { return put("null"); }
  bool boolean(bool value) override { return put(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return put(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& token) override { return put(token); }
  bool string(string_t& value) override { return put("\"" + value + "\""); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return put("{"); }
  bool key(string_t& value) override { return put(value + ":"); }
  bool end_object() override { return put("}"); }
  bool start_array(std::size_t) override { return put("["); }
  bool end_array() override { return put("]"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }
  bool put(const std::string& token) {
    out += token + " ";
    return true;
  }
};

std::string tokens(const std::string& json) {
  Tokens reader;
  return nlohmann::json::sax_parse(json, &reader) ? reader.out : "not JSON: " + json;
}

}  // namespace

TEST_CASE("a text means what it means to Kubernetes", "[policy][yaml]") {
  std::ifstream corpus(PORTCULLIS_SOURCE_DIR "/tests/data/yaml/kubernetes.jsonl");
  REQUIRE(corpus);
  std::size_t count = 0, wrong = 0;
  for (std::string line; std::getline(corpus, line); ++count) {
    const auto each = nlohmann::json::parse(line);
    const std::string text = each.at("yaml");
    const auto documents = yaml::parse_stream("x.yaml", text);
    const bool same = each.at("json").is_null()
                          ? !documents
                          : documents && documents->size() == 1 &&
                                tokens(yaml::to_json(documents->front().root)) == tokens(each.at("json").get<std::string>());
    if (same) continue;
    ++wrong;
    UNSCOPED_INFO(text << " is " << json_of(text) << ", want " << each.at("json"));
  }
  CHECK(count > 1'000);
  CHECK(wrong == 0);
}

TEST_CASE("what decoders read differently is refused", "[policy][yaml]") {
  CHECK(json_of("a: 1\nb: 2\na: 3") == "x.yaml:3:1: found the key `a` a second time, want each key once (the first is at 1:1)");
  CHECK(json_of("1: a\n\"1\": b") == "x.yaml:2:1: found the key `1` a second time, want each key once (the first is at 1:1)");
  CHECK(json_of("a: 1\n<<: {a: 2}") ==
        "x.yaml:2:1: found `<<` after the key `a` that it brings too, which decoders read differently; write `<<` first");
  CHECK(json_of("a: 0x1ffffffffffffffffff") ==
        "x.yaml:1:4: found `0x1ffffffffffffffffff`, an integer beyond 64 bits, which decoders read differently; quote it");
  CHECK(json_of("a: .inf") == "x.yaml:1:4: found `.inf`, which JSON has no number for; quote it if text is meant");
  CHECK(json_of("a: !!binary /w==") == "x.yaml:1:4: found !!binary whose bytes are no UTF-8 text, which JSON cannot hold");
  CHECK(json_of("image: {{ .Values.image }}") ==
        "x.yaml:1:9: found a mapping as a key, want a word (`{{ ... }}` of a template must be rendered first)");
  CHECK(json_of("~: 1") == "x.yaml:1:1: found nothing as a key, want a word");
  CHECK(json_of("a: *b") == "x.yaml:1:4: found the alias `*b` of no anchor before it");
  CHECK(json_of("a: &a [*a]") == "x.yaml:1:8: found the alias `*a` inside its own anchor");
  CHECK(json_of("ok: 1\na: \xff\n") == "x.yaml:2:4: not YAML: found bytes that are no UTF-8");
  CHECK(json_of("a:\n\tb: 1").find("(a tab; indent with spaces)") != std::string::npos);
  std::string many = "k0: 1\n";
  for (int i = 1; i < 40; ++i) many += "k" + std::to_string(i) + ": 1\n";
  CHECK(json_of(many + "k7: 2\n") == "x.yaml:41:1: found the key `k7` a second time, want each key once (the first is at 8:1)");
}

TEST_CASE("streams: several documents, empty ones, BOM, CRLF", "[policy][yaml]") {
  CHECK(json_of("a: 1\n---\n# nothing\n---\n~\n---\nb: 2\n...\n") == R"({"a":1} {"b":2})");
  CHECK(json_of("") == "");
  CHECK(json_of("\xEF\xBB\xBF"
                "a: 1") == R"({"a":1})");
  CHECK(json_of("a: 1\r\nb:\r\n- x\r\n") == R"({"a":1,"b":["x"]})");
  CHECK(json_of("a: |\n  ---\n  b\n") == R"({"a":"---\nb\n"})");
  const auto documents = yaml::parse_stream("x.yaml", "a: 1\n---\n---\nb: 2\n");
  REQUIRE(documents);
  REQUIRE(documents->size() == 2);
  CHECK((*documents)[1].index == 2);
}

TEST_CASE("keys and values know their places", "[policy][yaml]") {
  const auto documents = yaml::parse_stream("x.yaml",
                                            "\xEF\xBB\xBF"
                                            "aéé: x\r\nbase: &b\r\n  k: 'v w'\r\nuse: *b\r\nlist:\r\n- 0777\r\n- {p: q}\r\nend: ~\r\n");
  REQUIRE(documents);
  const yaml::Node& root = documents->front().root;
  CHECK(span_text(root.find_pair("aéé")->key_span) == "1:1-1:4");
  CHECK(span_text(root.find("aéé")->span) == "1:6-1:7");  // columns are code points
  CHECK(span_text(root.find("base")->find("k")->span) == "3:6-3:11");
  CHECK(root.find("base")->find("k")->quoted);
  CHECK(span_text(root.find("use")->span) == "4:6-4:8");             // an alias has its own place,
  CHECK(span_text(root.find("use")->find("k")->span) == "4:6-4:8");  // and so has what it brings
  CHECK(span_text(root.find("list")->span) == "6:1-7:9");
  CHECK(root.find("list")->items[0].text == "511");
  CHECK(root.find("list")->items[0].source == "0777");
  CHECK(root.find("nothing") == nullptr);
}

TEST_CASE("merge keys", "[policy][yaml]") {
  CHECK(json_of("b: &b {x: 1, z: 2}\nc: {<<: *b, x: 3}") == R"({"b":{"x":1,"z":2},"c":{"z":2,"x":3}})");
  CHECK(json_of("b: &b {x: 1}\nd: &d {x: 5, z: 1}\nc: {<<: [*b, *d]}") == R"({"b":{"x":1},"d":{"x":5,"z":1},"c":{"x":1,"z":1}})");
  CHECK(json_of("c: {\"<<\": {x: 1}}") == R"({"c":{"<<":{"x":1}}})");
  CHECK(json_of("c: {<<: 3}") == "x.yaml:1:9: found `3` after `<<`, want a mapping or a list of mappings");
}

TEST_CASE("bounds are named", "[policy][yaml]") {
  DocumentLimits limits;
  limits.depth_max = 3;
  CHECK(json_of("[[[1]]]", limits) == "[[[1]]]");
  CHECK(json_of("[[[[1]]]]", limits) == "x.yaml:1:4: found more than 3 levels of nesting (limit depth_max)");
  CHECK(json_of("a: &a [[1]]\nb: [*a]", limits) == "x.yaml:2:5: found more than 3 levels of nesting (limit depth_max)");
  limits = {};
  limits.nodes_max = 4;
  CHECK(json_of("[1, 2, 3]", limits) == "[1,2,3]");
  CHECK(json_of("[1, 2, 3, 4]", limits) == "x.yaml:1:11: found more than 4 keys and values in one file (limit nodes_max)");
  limits = {};
  limits.aliases_max = 1;
  CHECK(json_of("[&a 1, *a, *a]", limits) == "x.yaml:1:12: found more than 1 aliases in one file (limit aliases_max)");
  limits = {};
  limits.file_bytes_max = 3;
  CHECK(json_of("a: 1", limits) == "x.yaml: found 4 bytes, want at most 3 in one file (limit file_bytes_max)");
  CHECK(yaml::parse_stream("x.yaml", "a: 1", limits).error().kind == ErrorKind::limit_exceeded);
}

TEST_CASE("bombs end at once", "[policy][yaml]") {
  std::string nine = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    nine += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) nine += (j ? ", *a" : "*a") + std::to_string(i - 1);
    nine += "]\n";
  }
  const std::string long_text = "a: &a " + std::string(1'000'000, 'x') + "\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n";
  const std::string deep(1'000'000, '[');
  const auto began = std::chrono::steady_clock::now();
  CHECK(json_of(nine).find("(limit alias_bytes_max)") != std::string::npos);
  CHECK(json_of(long_text).find("(limit alias_bytes_max)") != std::string::npos);
  CHECK(json_of(deep).find("(limit depth_max)") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));  // milliseconds, but sanitizers and neighbours
}
