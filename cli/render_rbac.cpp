#include "cli/render_rbac.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "cli/resource_table.hpp"
#include "cli/yaml_writer.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;
using policy::FactKind;

constexpr std::string_view account = "portcullis-webhook";

constexpr std::string_view comment =
    "# The webhook's rights: written by `portcullis render rbac` from the documents, and to be written again when their rules or\n"
    "# budgets change. It reads what a loaded rule asks to know and nothing else, never Secrets: of the one that holds its own\n"
    "# certificate it may write the next one, and reads it back from where it is mounted. Of a TenantQuota it writes the status,\n"
    "# so that it cannot raise its own limits.\n";

using Groups = std::map<std::string, std::set<std::string>>;  // resources by API group

bool charges(const policy::DocumentSet& documents) {
  return std::any_of(documents.policies.begin(), documents.policies.end(), [](const policy::Policy& each) {
    return std::any_of(each.rules.begin(), each.rules.end(), [](const policy::PolicyRule& use) {
      const policy::RuleInfo* rule = policy::find_rule(use.id);
      return rule && rule->charges;
    });
  });
}

Groups facts(const policy::PolicySnapshot& snapshot) {
  Groups out;
  const policy::FactKinds wanted = snapshot.facts_wanted();
  if (wanted.has(FactKind::namespaces)) out[""].insert("namespaces");
  if (wanted.has(FactKind::autoscalers)) out["autoscaling"].insert("horizontalpodautoscalers");
  if (wanted.has(FactKind::workloads))
    for (const Resource& resource : resource_table(snapshot.documents().platform))
      if (resource.role == Resource::Role::workload && resource.kind != "Pod" && resource.kind != "PodTemplate")
        out[resource.group].insert(resource.plural);
  return out;
}

// Objects that budgets count are looked for one by one, too: a reservation ends when its object is known not to come.
Groups counted(const policy::DocumentSet& documents) {
  Groups out;
  if (!charges(documents)) return out;
  for (const policy::CountedResource& each : budgeted_resources(documents)) out[each.group].insert(each.resource);
  return out;
}

Json rule(const std::string& group, const Json& resources, const Json& verbs) {
  return {{"apiGroups", Json::array({group})}, {"resources", resources}, {"verbs", verbs}};
}

Json named(Json rule, const Json& names) {
  const Json verbs = rule["verbs"];
  rule.erase("verbs");
  rule["resourceNames"] = names;
  rule["verbs"] = verbs;
  return rule;
}

Json cluster_rules(const policy::PolicySnapshot& snapshot) {
  Json rules = Json::array();
  Groups watched = facts(snapshot);
  const Groups sought = counted(snapshot.documents());
  for (const auto& [group, resources] : sought)
    for (const std::string& resource : resources) watched[group].erase(resource);
  for (const auto& [group, resources] : watched)
    if (!resources.empty()) rules.push_back(rule(group, resources, {"list", "watch"}));
  for (const auto& [group, resources] : sought) rules.push_back(rule(group, resources, {"get", "list", "watch"}));
  if (charges(snapshot.documents())) {
    rules.push_back(rule("portcullis.dev", {"tenantquotas"}, {"get", "list", "watch"}));
    rules.push_back(rule("portcullis.dev", {"tenantquotas/status"}, {"get", "patch"}));
  }
  rules.push_back(
      named(rule("admissionregistration.k8s.io", {"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}, {"get", "patch"}),
            {"portcullis"}));
  return rules;
}

Json namespace_rules() {
  return Json::array({rule("coordination.k8s.io", {"leases"}, {"get", "list", "watch", "create", "patch", "delete"}),
                      named(rule("", {"secrets"}, {"patch"}), {"portcullis-webhook-tls"})});
}

Json metadata(const std::string& name_space) {
  Json out{{"name", account}};
  if (!name_space.empty()) out["namespace"] = name_space;
  out["labels"] = {{"app.kubernetes.io/part-of", "portcullis"}};
  return out;
}

Json role(std::string_view kind, const std::string& name_space, Json rules) {
  return {{"apiVersion", "rbac.authorization.k8s.io/v1"}, {"kind", kind}, {"metadata", metadata(name_space)}, {"rules", std::move(rules)}};
}

Json binding(std::string_view kind, std::string_view to, const std::string& name_space, const std::string& account_name_space) {
  return {{"apiVersion", "rbac.authorization.k8s.io/v1"},
          {"kind", kind},
          {"metadata", metadata(name_space)},
          {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", to}, {"name", account}}},
          {"subjects", Json::array({{{"kind", "ServiceAccount"}, {"name", account}, {"namespace", account_name_space}}})}};
}

}  // namespace

std::vector<Json> webhook_rights(const policy::PolicySnapshot& snapshot, const std::string& name_space) {
  return {role("ClusterRole", "", cluster_rules(snapshot)), binding("ClusterRoleBinding", "ClusterRole", "", name_space),
          role("Role", name_space, namespace_rules()), binding("RoleBinding", "Role", name_space, name_space)};
}

std::string rights(const policy::PolicySnapshot& snapshot, const std::string& name_space) {
  std::string out(comment);
  bool first = true;
  for (const Json& object : webhook_rights(snapshot, name_space)) {
    out += (first ? "" : "---\n") + to_yaml(object);
    first = false;
  }
  return out;
}

}  // namespace portcullis::cli
