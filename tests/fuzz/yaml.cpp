// YAML: whatever is read becomes JSON, and that JSON, which is YAML too, says the same again.
#include "policy/document/yaml.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json_oracle.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const auto documents = policy::yaml::parse_stream("a.yaml", input);
  if (!documents) {
    must(documents.error().where.starts_with("a.yaml"), "an error has its place", documents.error().message());
    return;
  }
  for (const policy::yaml::Document& document : *documents) {
    const std::string text = policy::yaml::to_json(document.root);
    must(fuzz::opinion_on(text) != fuzz::Opinion::no_json, "a document is JSON", text);
    if (document.root.kind == policy::yaml::Kind::null) continue;
    const auto again = policy::yaml::parse_stream("b.yaml", text);
    if (!again) {
      must(again.error().kind == ErrorKind::limit_exceeded, "JSON is YAML", again.error().message() + text);
      continue;
    }
    must(again->size() == 1 && policy::yaml::to_json(again->front().root) == text, "JSON as YAML says the same", text);
  }
}
