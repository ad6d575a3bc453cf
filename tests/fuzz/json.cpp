// The JSON reader: takes what nlohmann/json takes and nothing else, and builds the same value. Every node's pointer leads to it.
#include "policy/object/json_reader.hpp"
#include "policy/object/to_json.hpp"
#include "policy/rule/findings.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json_oracle.hpp"

using namespace portcullis;
using fuzz::must;
using fuzz::Opinion;
using nlohmann::json;

namespace {

void walk(policy::Value value, const json& wanted) {
  must(wanted.contains(json::json_pointer(policy::json_pointer(value))) || !value.parent(), "a node's pointer leads to it");
  must(!value.parent() || !value.path().empty(), "a node has a path");
  for (const policy::Value child : value) {
    must(child.parent() == value, "a child knows its parent");
    walk(child, wanted);
  }
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const fuzz::Padded body(input);
  const auto tree = policy::Tree::parse(body.view());
  const bool steps_over = input.find("managedFields") != std::string_view::npos || input.find("\\u") != std::string_view::npos;
  const Opinion opinion = fuzz::opinion_on(input);
  if (!tree) {
    // Refused for more than its grammar: an own limit, a name twice, no object; nlohmann steps over a byte order mark.
    const std::string message = tree.error().message();
    if (tree.error().kind == ErrorKind::limit_exceeded || message.find("same name twice") != std::string::npos) return;
    if (message.find("want an object") != std::string::npos || input.starts_with("\xEF\xBB\xBF")) return;
    must(opinion != Opinion::json, "what is JSON is read", message);
    return;
  }
  if (opinion == Opinion::none) return;
  if (opinion == Opinion::no_json) {
    must(steps_over, "what is no JSON is refused");
    return;
  }
  json wanted = json::parse(input);
  if (wanted.contains("metadata") && wanted["metadata"].is_object() && wanted["metadata"].contains("managedFields") &&
      wanted["metadata"]["managedFields"].is_array())
    wanted["metadata"].erase("managedFields");
  must(json::parse(policy::to_json(tree->root())) == wanted, "the tree holds what the text says");
  must(policy::same_content(tree->root(), tree->root()), "a value is the same as itself");
  walk(tree->root(), wanted);
}
