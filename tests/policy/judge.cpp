#include "tests/policy/judge.hpp"

#include "policy/document/decode_params.hpp"
#include "policy/document/yaml.hpp"
#include "tests/catch.hpp"

namespace portcullis::policy::testing {
namespace {

yaml::Node document(std::string_view text) {
  const auto documents = yaml::parse_stream("test.yaml", text);
  CAPTURE(text);
  if (!documents) FAIL(documents.error().message());
  REQUIRE(documents->size() == 1);
  return documents->front().root;
}

struct Compiled {
  RulePtr rule;
  std::string refusal;
};

Compiled compile_with(std::string_view id, std::string_view with) {
  const RuleInfo* info = find_rule(id);
  CAPTURE(id, with);
  REQUIRE(info != nullptr);
  const yaml::Node node = document(with);
  Params params;
  DocumentErrors errors;
  decode_params(&node, info->params, std::make_shared<const std::string>("test.yaml"), "with", params, errors);
  Compiled result;
  for (const Error& error : errors) result.refusal += (result.refusal.empty() ? "" : "\n") + error.what;
  if (!errors.empty()) return result;
  Result<RulePtr> rule = info->compile(params);
  if (rule)
    result.rule = *std::move(rule);
  else
    result.refusal = rule.error().what;
  return result;
}

std::string rendered(const Finding& finding) { return finding.where + ": found " + finding.found + ", want " + finding.wanted; }

std::string lower_plural(std::string_view kind) {
  std::string plural;
  for (const char c : kind) plural += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (plural.ends_with("s")) return plural + "es";
  if (plural.ends_with("y") && !plural.ends_with("ey") && !plural.ends_with("ay")) return plural.substr(0, plural.size() - 1) + "ies";
  return plural + "s";
}

std::string_view api_version_of(std::string_view kind) {
  if (kind == "Pod" || kind == "ReplicationController" || kind == "PodTemplate") return "v1";
  if (kind == "Job" || kind == "CronJob") return "batch/v1";
  return "apps/v1";
}

}  // namespace

Tree tree_of(std::string_view text) {
  Result<Tree> tree = Tree::parse_copy(text.starts_with("{\"") ? std::string(text) : yaml::to_json(document(text)));
  if (!tree) FAIL(tree.error().message());
  return *std::move(tree);
}

Given::Given(std::string_view manifest, World world) : world_(std::move(world)), tree_(tree_of(manifest)) {
  const bool removed = world_.operation == Operation::remove;
  if (!world_.old.empty()) old_tree_ = tree_of(world_.old);
  const Value root = tree_.root();
  const std::string api_version(root["apiVersion"].text());
  const std::size_t slash = api_version.find('/');
  group_ = slash == std::string::npos ? "" : api_version.substr(0, slash);
  version_ = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
  kind_ = root["kind"].text();
  resource_ = world_.resource.empty() ? lower_plural(kind_) : world_.resource;
  name_ = root["metadata"]["name"].text();
  generate_name_ = root["metadata"]["generateName"].text();

  subject.operation = world_.operation;
  subject.group = group_, subject.version = version_, subject.kind = kind_;
  subject.resource = resource_, subject.subresource = world_.subresource;
  subject.resource_group = world_.subresource == "scale" ? std::string_view("apps") : std::string_view(group_);
  subject.name_space = world_.name_space;
  subject.name = name_, subject.generate_name = generate_name_;
  subject.user.name = world_.user;
  subject.user.groups.assign(world_.groups.begin(), world_.groups.end());
  (removed ? subject.old_object : subject.object).root = root;
  if (!removed && !world_.old.empty()) subject.old_object.root = old_tree_.root();
  read_object(subject, world_.workload_kinds);

  facts.tenant = world_.tenant, facts.environment = world_.environment;
  facts.workload_kinds = world_.workload_kinds;
  const auto read_budget = [](const std::map<std::string, std::string>& from, std::map<std::string, Quantity>& into) {
    for (const auto& [name, text] : from) into.emplace(name, Quantity::parse(std::string_view(text)).value());
  };
  tenant_.name = world_.tenant;
  read_budget(world_.budget, tenant_.budget);
  TenantNamespace& entry = tenant_.namespaces.emplace_back();
  entry.name = "acme-", entry.pattern = true, entry.environment = world_.environment;
  read_budget(world_.entry_budget, entry.budget);
  facts.owner = &tenant_, facts.entry = &entry;
  facts.cluster = world_.cluster;
}

RulePtr compile(std::string_view id, std::string_view with) {
  Compiled compiled = compile_with(id, with);
  CAPTURE(id, with);
  if (!compiled.rule) FAIL(compiled.refusal);
  return std::move(compiled.rule);
}

std::string refusal(std::string_view id, std::string_view with) { return compile_with(id, with).refusal; }

std::string judge(const Rule& rule, std::string_view manifest, const World& world) {
  const Given given(manifest, world);
  Findings found;
  rule.evaluate(given.subject, given.facts, found);
  std::string text;
  for (const Finding& finding : found.all()) text += (text.empty() ? "" : "\n") + rendered(finding);
  return text;
}

std::vector<Told> findings(const Rule& rule, std::string_view manifest, const World& world) {
  const Given given(manifest, world);
  Findings found;
  rule.evaluate(given.subject, given.facts, found);
  std::vector<Told> told;
  for (const Finding& f : found.all())
    told.push_back({f.what, f.where, f.found, f.wanted, f.fix, f.at ? f.at.path() : "", f.scope ? f.scope.path() : ""});
  return told;
}

std::string all_words(const Rule& rule, std::string_view manifest, const World& world) {
  std::string words;
  for (const Told& told : findings(rule, manifest, world))
    words += told.what + "\n" + told.where + "\n" + told.found + "\n" + told.wanted + "\n" + told.fix + "\n";
  return words;
}

std::string mended(const Rule& rule, std::string_view manifest, const World& world) {
  const Given given(manifest, world);
  Patch patch;
  rule.mend(given.subject, given.facts, patch);
  return patch.json();
}

const std::vector<std::string_view>& workload_kind_names() {
  static const std::vector<std::string_view> names{
      "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "PodTemplate", "ReplicationController", "Job", "CronJob"};
  return names;
}

std::string workload(std::string_view kind, std::string_view pod_spec, std::string_view metadata, std::string_view spec_fields) {
  const std::string head = "{apiVersion: " + std::string(api_version_of(kind)) + ", kind: " + std::string(kind);
  const std::string named = ", metadata: {name: web, namespace: acme-prod}";
  const std::string inner = "{metadata: " + std::string(metadata) + ", spec: " + std::string(pod_spec) + "}";
  const std::string fields(spec_fields);
  if (kind == "Pod") {
    std::string own(metadata);
    own.insert(1, own == "{}" ? "name: web, namespace: acme-prod" : "name: web, namespace: acme-prod, ");
    return head + ", metadata: " + own + ", spec: " + std::string(pod_spec) + "}";
  }
  if (kind == "PodTemplate") return head + named + ", template: " + inner + "}";
  if (kind == "CronJob")
    return head + named + ", spec: {" + fields + "schedule: '@daily', jobTemplate: {spec: {template: " + inner + "}}}}";
  if (kind == "ReplicationController") return head + named + ", spec: {" + fields + "selector: {app: web}, template: " + inner + "}}";
  if (kind == "Job") return head + named + ", spec: {" + fields + "template: " + inner + "}}";
  return head + named + ", spec: {" + fields + "selector: {matchLabels: {app: web}}, template: " + inner + "}}";
}

std::string pod_spec_path(std::string_view kind) {
  if (kind == "Pod") return "spec";
  if (kind == "PodTemplate") return "template.spec";
  if (kind == "CronJob") return "spec.jobTemplate.spec.template.spec";
  return "spec.template.spec";
}

}  // namespace portcullis::policy::testing
