#include "cli/render_crds.hpp"

#include <string_view>

#include "cli/embedded.hpp"
#include "cli/yaml_writer.hpp"
#include "policy/document/field_patterns.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;
using policy::Field;
using policy::FieldType;
using policy::Record;

constexpr std::string_view group = "portcullis.dev";

Json check(const std::string& rule, std::string_view message) { return {{"rule", rule}, {"message", message}}; }

std::string quoted_words(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "'" : ", '") + std::string(word) + "'";
  return "[" + out + "]";
}

Json record_schema(const Record& record);

void add_text(const Field& field, Json& schema) {
  schema["type"] = "string";
  if (field.range.min > 0) schema["minLength"] = field.range.min;
  schema["maxLength"] = field.range.max;
  if (!field.pattern.empty()) schema["pattern"] = field.pattern;
}

void add_number(const Field& field, Json& schema) {
  const bool integer = field.type == FieldType::integer;
  schema["type"] = integer ? "integer" : "number";
  if (integer) schema["format"] = "int64";
  schema["minimum"] = field.range.min;
  if (field.above_min) schema["exclusiveMinimum"] = true;
  schema["maximum"] = field.range.max;
}

Json field_schema(const Field& field);

void add_mapping(const Field& field, Json& schema) {
  schema["type"] = "object";
  schema["maxProperties"] = field.range.max;
  schema["additionalProperties"] = field_schema(*field.each);
  if (!field.words.empty())
    schema["x-kubernetes-validations"] = {
        check("self.all(name, name in " + quoted_words(field.words) + ")", "want only names that there are")};
}

Json field_schema(const Field& field) {
  Json schema;
  if (field.type == FieldType::record) schema = record_schema(*field.record);
  switch (field.type) {
    case FieldType::text:
      add_text(field, schema);
      break;
    case FieldType::integer:
    case FieldType::number:
      add_number(field, schema);
      break;
    case FieldType::boolean:
      schema["type"] = "boolean";
      break;
    case FieldType::quantity:
      schema["anyOf"] = {{{"type", "integer"}}, {{"type", "string"}}};
      schema["pattern"] = policy::pattern::quantity;
      schema["x-kubernetes-int-or-string"] = true;
      break;
    case FieldType::instant:
      schema = {{"type", "string"}, {"format", "date-time"}};
      break;
    case FieldType::word:
      schema = {{"type", "string"}, {"enum", field.words}};
      if (!field.fallback.empty()) schema["default"] = field.fallback;
      break;
    case FieldType::list:
      schema["type"] = "array";
      if (field.range.min > 0) schema["minItems"] = field.range.min;
      schema["maxItems"] = field.range.max;
      schema["x-kubernetes-list-type"] = "atomic";
      schema["items"] = field_schema(*field.each);
      break;
    case FieldType::mapping:
      add_mapping(field, schema);
      break;
    case FieldType::params:
      schema = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
      break;
    case FieldType::record:
      break;
  }
  Json described{{"description", field.meaning}};
  described.update(schema);
  return described;
}

Json record_schema(const Record& record) {
  Json schema{{"type", "object"}};
  Json required = Json::array(), properties = Json::object(), checks = Json::array();
  for (const Field& field : record.fields) {
    if (field.required) required.push_back(field.name);
    properties[std::string(field.name)] = field_schema(field);
  }
  for (const policy::FieldCheck& each : record.checks) checks.push_back(check(std::string(each.rule), each.message));
  if (!required.empty()) schema["required"] = std::move(required);
  schema["properties"] = std::move(properties);
  if (!checks.empty()) schema["x-kubernetes-validations"] = std::move(checks);
  return schema;
}

// Conditions as every Kubernetes object has them; `Accepted` tells whether the whole set with this document is in force.
Json status_schema() {
  return Json::parse(R"({
    "type": "object",
    "properties": {
      "conditions": {
        "type": "array", "maxItems": 8, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": {
          "type": "object",
          "required": ["type", "status", "reason", "message", "lastTransitionTime"],
          "properties": {
            "type": {"type": "string", "maxLength": 316},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
            "message": {"type": "string", "maxLength": 32768},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "lastTransitionTime": {"type": "string", "format": "date-time"}
          }
        }
      }
    }
  })");
}

Json version_of(const policy::DocumentKind& kind) {
  Json columns = Json::array();
  for (const auto& column : kind.columns) columns.push_back({{"name", column.name}, {"type", column.type}, {"jsonPath", column.path}});
  Json spec = record_schema(*kind.spec);
  Json schema{{"description", kind.meaning}, {"type", "object"}, {"required", {"spec"}}};
  if (kind.label_name)
    schema["x-kubernetes-validations"] = {
        check("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')", "want a DNS label as its name: it becomes a label")};
  schema["properties"] = {{"apiVersion", {{"type", "string"}}},
                          {"kind", {{"type", "string"}}},
                          {"metadata", {{"type", "object"}}},
                          {"spec", std::move(spec)},
                          {"status", status_schema()}};
  return {{"name", "v1"},
          {"served", true},
          {"storage", true},
          {"subresources", {{"status", Json::object()}}},
          {"additionalPrinterColumns", std::move(columns)},
          {"schema", {{"openAPIV3Schema", std::move(schema)}}}};
}

}  // namespace

Json document_crd(const policy::DocumentKind& kind) {
  Json names{{"kind", kind.kind},
             {"listKind", std::string(kind.kind) + "List"},
             {"plural", kind.plural},
             {"singular", kind.singular},
             {"categories", {"portcullis"}}};
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", std::string(kind.plural) + "." + std::string(group)}}},
          {"spec", {{"group", group}, {"scope", "Cluster"}, {"names", std::move(names)}, {"versions", Json::array({version_of(kind)})}}}};
}

std::vector<CrdFile> crd_files() {
  std::vector<CrdFile> files;
  for (const policy::DocumentKind& kind : policy::document_kinds())
    files.push_back({std::string(kind.plural) + ".yaml", to_yaml(document_crd(kind))});
  files.push_back({"tenantquotas.yaml", std::string(embedded_tenant_quota_crd)});
  return files;
}

}  // namespace portcullis::cli
