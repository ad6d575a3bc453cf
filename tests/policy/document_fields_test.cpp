// The registry of fields held against the decoders, both ways: what it names is taken, what it requires is missed, its bounds
// and words are the decoders', and nothing else is taken.
#include <algorithm>
#include <functional>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "policy/document/fields.hpp"
#include "policy/document/load.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

// One change to a whole document, at the field with this path.
struct Change {
  std::string path;
  enum class What { nothing, remove, replace, add } what = What::nothing;
  std::string text;  // of replace: the value; of add: another member
};

std::string example_of(const Field& field, const std::string& path, const Change& change);

// Of fields that exclude each other the first one stands in a document, unless the change is of another or of one beside it.
std::string_view chosen(const Record& record, const std::string& path, const Change& change) {
  for (const Field& field : record.fields) {
    const std::string at = path + "." + std::string(field.name);
    if (change.what == Change::What::nothing || (change.path != at && !change.path.starts_with(at + "."))) continue;
    if (!field.beside.empty()) return field.beside.front();
    if (std::find(record.one_of.begin(), record.one_of.end(), field.name) != record.one_of.end()) return field.name;
  }
  return record.one_of.empty() ? "" : record.one_of.front();
}

std::string members_of(const Record& record, const std::string& path, const Change& change) {
  std::string out;
  const auto add = [&out](const std::string& member) { out += (out.empty() ? "" : ", ") + member; };
  const std::string_view one = chosen(record, path, change);
  for (const Field& field : record.fields) {
    const std::string at = path + "." + std::string(field.name);
    const bool one_of = std::find(record.one_of.begin(), record.one_of.end(), field.name) != record.one_of.end();
    if (one_of && field.name != one) continue;
    if (!field.beside.empty() && std::find(field.beside.begin(), field.beside.end(), one) == field.beside.end()) continue;
    if (change.path == at && change.what == Change::What::remove) continue;
    add(std::string(field.name) + ": " + example_of(field, at, change));
  }
  if (change.path == path && change.what == Change::What::add) add(change.text);
  return "{" + out + "}";
}

std::string example_of(const Field& field, const std::string& path, const Change& change) {
  if (change.path == path && change.what == Change::What::replace) return change.text;
  switch (field.type) {
    case FieldType::text:
    case FieldType::instant:
      return '"' + std::string(field.example) + '"';
    case FieldType::integer:
    case FieldType::number:
    case FieldType::boolean:
    case FieldType::quantity:
    case FieldType::word:
    case FieldType::params:
      return std::string(field.example);
    case FieldType::list:
      return "[" + example_of(*field.each, path + "[0]", change) + "]";
    case FieldType::mapping:
      return "{" + std::string(field.example) + ": " + example_of(*field.each, path + "." + std::string(field.example), change) + "}";
    case FieldType::record:
      return members_of(*field.record, path, change);
  }
  return "";
}

// Every kind once, each in a file of its own, `change` in the one of `kind`.
DocumentErrors load(std::string_view kind, const Change& change) {
  std::vector<DocumentFile> files;
  for (const DocumentKind& each : document_kinds()) {
    const std::string name = each.kind == "Tenant" ? "acme" : each.kind == "Calendar" ? "finance" : "default";
    files.push_back(
        {std::string(each.kind), "apiVersion: portcullis.dev/v1\nkind: " + std::string(each.kind) + "\nmetadata: {name: " + name +
                                     "}\nspec: " + members_of(*each.spec, "spec", each.kind == kind ? change : Change{}) + "\n"});
  }
  const auto set = load_documents(files, true);
  return set ? DocumentErrors{} : set.error();
}

// What is said of the field at `path` in the document of `kind`; "" when nothing is.
std::string said(std::string_view kind, const Change& change, const std::string& path) {
  for (const Error& error : load(kind, change)) {
    const std::size_t space = error.where.find(' ');
    if (error.where.starts_with(std::string(kind) + ":") && space != std::string::npos && error.where.substr(space + 1) == path)
      return error.what;
  }
  return "";
}

using Visit = std::function<void(const Field& field, const std::string& path)>;

void walk(const Record& record, const std::string& path, const Visit& visit);

void walk(const Field& field, const std::string& path, const Visit& visit) {
  visit(field, path);
  if (field.type == FieldType::list) walk(*field.each, path + "[0]", visit);
  if (field.type == FieldType::mapping) walk(*field.each, path + "." + std::string(field.example), visit);
  if (field.type == FieldType::record) walk(*field.record, path, visit);
}

void walk(const Record& record, const std::string& path, const Visit& visit) {
  for (const Field& field : record.fields) walk(field, path + "." + std::string(field.name), visit);
}

void for_each_field(const std::function<void(std::string_view kind, const Field&, const std::string&)>& visit) {
  for (const DocumentKind& each : document_kinds())
    walk(*each.spec, "spec", [&](const Field& field, const std::string& path) { visit(each.kind, field, path); });
}

std::string listed(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) out += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + std::string(words[i]);
  return out;
}

}  // namespace

TEST_CASE("documents with every field of the registry are taken", "[policy][document][fields]") {
  for (const Error& error : load("", {})) FAIL_CHECK(error.message());
}

TEST_CASE("what the registry requires is missed, and nothing else", "[policy][document][fields]") {
  for_each_field([](std::string_view kind, const Field& field, const std::string& path) {
    if (field.name.empty()) return;
    CAPTURE(kind, path);
    const std::string what = said(kind, {path, Change::What::remove, ""}, path);
    if (path == "spec.namespaces[0].name" || path == "spec.namespaces[0].pattern" || path.ends_with(".values")) return;  // by their checks
    if (path == "spec.guard.classes.edi.limits" || !field.beside.empty()) return;  // of an own class; beside what says when
    CHECK((what.starts_with("found nothing, want ")) == field.required);
  });
}

TEST_CASE("a record takes its fields and no other", "[policy][document][fields]") {
  const auto check = [](std::string_view kind, const Record& record, const std::string& path) {
    CAPTURE(kind, path);
    std::vector<std::string_view> names;
    for (const Field& field : record.fields) names.push_back(field.name);
    CHECK(said(kind, {path, Change::What::add, "unheardOf: 1"}, path + ".unheardOf") ==
          "found the unknown field `unheardOf`, want " + listed(names) + did_you_mean("unheardOf", names));
    for (const std::string_view later : record.later) {
      const std::string what = said(kind, {path, Change::What::add, std::string(later) + ": 1"}, path + "." + std::string(later));
      CHECK(what.find("comes with a later version") != std::string::npos);
    }
  };
  for (const DocumentKind& each : document_kinds()) check(each.kind, *each.spec, "spec");
  for_each_field([&](std::string_view kind, const Field& field, const std::string& path) {
    if (field.type == FieldType::record) check(kind, *field.record, path);
  });
}

TEST_CASE("of fields that exclude each other each one is taken alone", "[policy][document][fields]") {
  CHECK(load("Tenant", {"spec.namespaces[0].pattern", Change::What::replace, "acme-prod*"}).empty());
  CHECK(load("Calendar", {"spec.periods[0].recurrence", Change::What::replace, "FREQ=DAILY"}).empty());
  CHECK(load("Calendar", {"spec.periods[0].from", Change::What::replace, "2026-11-20T00:00"}).empty());
}

TEST_CASE("the registry's words are the decoders'", "[policy][document][fields]") {
  for_each_field([](std::string_view kind, const Field& field, const std::string& path) {
    if (field.type != FieldType::word) return;
    CAPTURE(kind, path);
    for (const std::string_view word : field.words) CHECK(said(kind, {path, Change::What::replace, std::string(word)}, path).empty());
    CHECK(said(kind, {path, Change::What::replace, "unheard-of-word"}, path) == "found `unheard-of-word`, want " + listed(field.words));
  });
}

TEST_CASE("the registry's bounds are the decoders'", "[policy][document][fields]") {
  for_each_field([](std::string_view kind, const Field& field, const std::string& path) {
    if (field.type != FieldType::integer && field.type != FieldType::number) return;
    CAPTURE(kind, path);
    const auto at = [&](std::int64_t value) { return said(kind, {path, Change::What::replace, std::to_string(value)}, path); };
    CHECK(at(field.range.max).empty());
    CHECK_FALSE(at(field.range.max + 1).empty());
    CHECK(at(field.range.min).empty() == !field.above_min);
    CHECK_FALSE(at(field.range.min - 1).empty());
  });
}

TEST_CASE("types of the registry are the decoders'", "[policy][document][fields]") {
  for_each_field([](std::string_view kind, const Field& field, const std::string& path) {
    CAPTURE(kind, path);
    const bool wants_list = field.type == FieldType::list;
    const bool wants_mapping = field.type == FieldType::mapping || field.type == FieldType::record || field.type == FieldType::params;
    if (field.name != "values")  // of which the operator decides
      CHECK(said(kind, {path, Change::What::replace, "[]"}, path).empty() == (wants_list && field.range.min == 0));
    if (!wants_mapping) CHECK_FALSE(said(kind, {path, Change::What::replace, "{}"}, path).empty());
    if (field.type != FieldType::boolean) CHECK_FALSE(said(kind, {path, Change::What::replace, "true"}, path).empty());
  });
}

TEST_CASE("examples match the registry's patterns", "[policy][document][fields]") {
  for_each_field([](std::string_view kind, const Field& field, const std::string& path) {
    if (field.pattern.empty()) return;
    CAPTURE(kind, path, field.example);
    CHECK(std::regex_match(std::string(field.example), std::regex(std::string(field.pattern))));
  });
}
