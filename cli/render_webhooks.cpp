#include "cli/render_webhooks.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "cli/resource_table.hpp"
#include "cli/yaml_writer.hpp"
#include "policy/document/budget.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;
using policy::Operation;

constexpr int timeout_seconds = 5;  // the program answers within it; what waits longer is a slow cluster
constexpr int tiers[]{1, 2, 3};

constexpr std::string_view comment =
    "# What the API server sends here: written by `portcullis render webhook-config` from the documents, and to be written again\n"
    "# when they change. One validating entry a tier, because a tier may fail closed while another fails open; an object matches\n"
    "# one of them, because a user is shown one webhook's message only. The kinds are listed, never `*`: leases and events must\n"
    "# not wait for anybody. A subresource is an entry of its own: `pods` alone would let a resize pass unseen. Secrets are not\n"
    "# sent. Namespaces of the system are left out by their exact name, which no tenant can set, so that the gate can always be\n"
    "# repaired.\n";

// ---- Which resources: a set of (resource or resource/subresource, operations).

using Operations = std::set<Operation>;

struct Asked {
  std::vector<Resource> table;
  std::map<std::string, Operations> operations;  // by "group/plural" or "group/plural/subresource"

  void ask(const Resource& resource, std::string_view subresource, const Operations& wanted) {
    if (wanted.empty() || is_never_sent(resource.group, resource.plural)) return;
    operations[key(resource, subresource)].insert(wanted.begin(), wanted.end());
  }
  static std::string key(const Resource& resource, std::string_view subresource) {
    return resource.group + "/" + resource.plural + (subresource.empty() ? "" : "/" + std::string(subresource));
  }
};

bool rule_judges(const policy::RuleInfo& rule, const Resource& resource) {
  const bool is_workload = resource.role == Resource::Role::workload;
  // Of budgets, who will ask for pods is told early; what is counted is asked for beside (ask_counted).
  if (rule.charges) return is_workload || resource.role == Resource::Role::autoscaler;
  if (rule.kinds.empty()) return is_workload;
  const std::string name = resource.group.empty() ? resource.kind : resource.kind + "." + resource.group;
  const bool is_every = is_workload || resource.role == Resource::Role::configuration;
  return std::any_of(rule.kinds.begin(), rule.kinds.end(),
                     [&](std::string_view kind) { return kind == name || (kind == "*" && is_every); });
}

bool policy_binds(const policy::PolicyMatch& match, const Resource& resource) {
  return match.kinds.empty() || std::any_of(match.kinds.begin(), match.kinds.end(),
                                            [&](const policy::KindPattern& kind) { return kind.matches(resource.kind, resource.group); });
}

Operations common_operations(const policy::RuleInfo& rule, const policy::PolicyMatch& match) {
  Operations out;
  for (const Operation operation : rule.operations)
    if (match.operations.empty() || std::find(match.operations.begin(), match.operations.end(), operation) != match.operations.end())
      out.insert(operation);
  return out;
}

bool is_known(const policy::KindPattern& kind, const std::vector<Resource>& table) {
  return std::any_of(table.begin(), table.end(), [&](const Resource& resource) { return kind.matches(resource.kind, resource.group); });
}

// Kinds that a policy names and the table does not: a rule about every kind judges them too.
void add_named_kinds(const policy::DocumentSet& documents, std::vector<Resource>& table) {
  for (const policy::Policy& each : documents.policies) {
    for (const policy::KindPattern& kind : each.match.kinds) {
      if (kind.any_group || is_known(kind, table)) continue;
      Resource resource{kind.kind, kind.group, "*", guessed_plural(kind.kind), {}};
      resource.role = Resource::Role::configuration;
      table.push_back(std::move(resource));
    }
  }
}

// What budgets count. Pods, Services and claims may come to use more; of other kinds only their number counts.
void ask_counted(const policy::DocumentSet& documents, const policy::PolicyMatch& match, const Operations& operations, Asked& asked) {
  for (const policy::CountedResource& each : budgeted_resources(documents)) {
    auto resource = std::find_if(asked.table.begin(), asked.table.end(),
                                 [&](const Resource& known) { return known.group == each.group && known.plural == each.resource; });
    if (resource == asked.table.end()) resource = asked.table.insert(asked.table.end(), Resource{"", each.group, "*", each.resource, {}});
    if (!resource->kind.empty() && !policy_binds(match, *resource)) continue;
    Operations wanted = operations;
    if (!is_measured(each)) wanted.erase(Operation::update);
    asked.ask(*resource, "", wanted);
  }
}

Asked asked_of(const policy::DocumentSet& documents) {
  Asked asked;
  asked.table = resource_table(documents.platform);
  add_named_kinds(documents, asked.table);
  for (const policy::Policy& each : documents.policies) {
    for (const policy::PolicyRule& use : each.rules) {
      const policy::RuleInfo* rule = policy::find_rule(use.id);
      if (!rule) continue;
      const Operations operations = common_operations(*rule, each.match);
      if (rule->charges) ask_counted(documents, each.match, operations, asked);
      for (const Resource& resource : asked.table) {
        if (!rule_judges(*rule, resource) || !policy_binds(each.match, resource)) continue;
        asked.ask(resource, "", operations);
        for (const std::string& subresource : resource.subresources)
          if (std::find(rule->subresources.begin(), rule->subresources.end(), subresource) != rule->subresources.end() &&
              operations.contains(Operation::update))
            asked.ask(resource, subresource, {Operation::update});
      }
    }
  }
  if (documents.platform.unknown_namespace != policy::FailureMode::allow)
    for (const Resource& resource : asked.table)
      if (resource.role == Resource::Role::workload) asked.ask(resource, "", {Operation::create, Operation::update});
  return asked;
}

bool mends(const policy::Policy& policy, const policy::PolicyRule& use) {
  return use.inject && use.mode.value_or(policy.mode) != policy::Mode::audit;
}

Asked mended_of(const policy::DocumentSet& documents, Operation operation) {
  Asked asked;
  asked.table = resource_table(documents.platform);
  for (const policy::Policy& each : documents.policies) {
    for (const policy::PolicyRule& use : each.rules) {
      const policy::RuleInfo* rule = policy::find_rule(use.id);
      if (!rule || !mends(each, use) || !common_operations(*rule, each.match).contains(operation)) continue;
      for (const Resource& resource : asked.table) {
        if (resource.mended == Resource::Mended::never || !rule_judges(*rule, resource) || !policy_binds(each.match, resource)) continue;
        if (resource.mended == Resource::Mended::on_create && operation != Operation::create) continue;
        asked.ask(resource, "", {operation});
      }
    }
  }
  return asked;
}

// ---- As the API writes it: resources of one group, version and set of operations together, in the table's order.

Json operation_names(const Operations& operations) {
  Json names = Json::array();
  for (const Operation operation : operations) names.push_back(policy::operation_name(operation));
  return names;
}

Json rules_of(const Asked& asked) {
  Json rules = Json::array();
  const auto add = [&](const Resource& resource, const std::string& name, const Operations& operations) {
    const Json operation_list = operation_names(operations);
    for (Json& rule : rules) {
      if (rule["apiGroups"][0] != resource.group || rule["apiVersions"][0] != resource.version || rule["operations"] != operation_list)
        continue;
      rule["resources"].push_back(name);
      return;
    }
    rules.push_back({{"apiGroups", Json::array({resource.group})},
                     {"apiVersions", Json::array({resource.version})},
                     {"operations", operation_list},
                     {"resources", Json::array({name})},
                     {"scope", "Namespaced"}});
  };
  for (const Resource& resource : asked.table) {
    if (const auto found = asked.operations.find(Asked::key(resource, "")); found != asked.operations.end())
      add(resource, resource.plural, found->second);
    for (const std::string& subresource : resource.subresources)
      if (const auto found = asked.operations.find(Asked::key(resource, subresource)); found != asked.operations.end())
        add(resource, resource.plural + "/" + subresource, found->second);
  }
  return rules;
}

Json namespace_rules(const Operations& operations, Json resources) {
  return Json::array({{{"apiGroups", {""}},
                       {"apiVersions", {"v1"}},
                       {"operations", operation_names(operations)},
                       {"resources", std::move(resources)},
                       {"scope", "Cluster"}}});
}

// Every namespace but the system's and our own.
Json selector(const policy::Platform& platform, const WebhookOptions& options) {
  Json left_out = platform.system_namespaces;
  if (std::find(left_out.begin(), left_out.end(), options.name_space) == left_out.end()) left_out.push_back(options.name_space);
  return {{"matchExpressions", {{{"key", "kubernetes.io/metadata.name"}, {"operator", "NotIn"}, {"values", std::move(left_out)}}}}};
}

// `NotIn` takes namespaces without the label too.
Json by_tier(Json selector, std::string_view how, Json values) {
  selector["matchExpressions"].push_back({{"key", "portcullis.dev/tier"}, {"operator", how}, {"values", std::move(values)}});
  return selector;
}

Json entry(const std::string& name, std::string_view path, bool closed, bool writes, Json namespace_selector, Json rules,
           const WebhookOptions& options) {
  return {{"name", name},
          {"clientConfig", {{"service", {{"name", options.service}, {"namespace", options.name_space}, {"path", path}, {"port", 443}}}}},
          {"admissionReviewVersions", {"v1"}},
          {"failurePolicy", closed ? "Fail" : "Ignore"},
          {"matchPolicy", "Equivalent"},
          {"sideEffects", writes ? "NoneOnDryRun" : "None"},
          {"timeoutSeconds", timeout_seconds},
          {"namespaceSelector", std::move(namespace_selector)},
          {"rules", std::move(rules)}};
}

Json configuration(std::string_view kind, Json webhooks) {
  return {
      {"apiVersion", "admissionregistration.k8s.io/v1"},
      {"kind", kind},
      {"metadata",
       {{"name", "portcullis"}, {"labels", {{"app.kubernetes.io/part-of", "portcullis"}, {"app.kubernetes.io/component", "admission"}}}}},
      {"webhooks", std::move(webhooks)}};
}

// ---- Which tiers a policy may bind.

template <class T>
bool holds(const std::vector<T>& list, const T& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

// May the policy bind a namespace of this tier, now or when namespaces of the patterns come? Where no namespace has this tier
// yet, only the policy's own `tiers` tell.
bool may_bind(const policy::PolicyMatch& match, const policy::DocumentSet& documents, int tier) {
  if (!holds(match.tiers, tier)) return false;
  bool any = false;
  for (const policy::Tenant& tenant : documents.tenants) {
    for (const policy::TenantNamespace& each : tenant.namespaces) {
      if (each.tier.value_or(tenant.tier) != tier) continue;
      any = true;
      const bool named =
          match.namespaces.empty() || std::any_of(match.namespaces.begin(), match.namespaces.end(), [&](const std::string& name) {
            return each.pattern ? name.starts_with(each.name) : name == each.name;
          });
      if (named && holds(match.tenants, tenant.name) && holds(match.environments, each.environment) && holds(match.tenancies, each.tenancy))
        return true;
    }
  }
  const bool unowned = tier == 1 && match.tiers.empty() && match.environments.empty() && match.tenancies.empty() && match.tenants.empty() &&
                       match.namespaces.empty();
  return !any || unowned;
}

bool charges(const policy::DocumentSet& documents, int tier) {
  return std::any_of(documents.policies.begin(), documents.policies.end(), [&](const policy::Policy& each) {
    return may_bind(each.match, documents, tier) && std::any_of(each.rules.begin(), each.rules.end(), [&](const policy::PolicyRule& rule) {
             const policy::RuleInfo* info = policy::find_rule(rule.id);
             return info && info->charges && rule.mode.value_or(each.mode) == policy::Mode::enforce;
           });
  });
}

// Where nothing is ever mended. A namespace that has no label yet may be of any tier.
Json tiers_not_mended(const policy::DocumentSet& documents) {
  Json out = Json::array();
  for (const int tier : tiers) {
    const bool any = std::any_of(documents.policies.begin(), documents.policies.end(), [&](const policy::Policy& each) {
      return may_bind(each.match, documents, tier) &&
             std::any_of(each.rules.begin(), each.rules.end(), [&](const policy::PolicyRule& use) { return mends(each, use); });
    });
    if (!any) out.push_back(std::to_string(tier));
  }
  return out;
}

}  // namespace

bool fails_closed(const policy::DocumentSet& documents, int tier) {
  if (tier == 1 && documents.platform.unknown_namespace == policy::FailureMode::deny) return true;
  return std::any_of(documents.policies.begin(), documents.policies.end(), [&](const policy::Policy& each) {
    return may_bind(each.match, documents, tier) && std::any_of(each.rules.begin(), each.rules.end(), [&](const policy::PolicyRule& rule) {
             return rule.mode.value_or(each.mode) == policy::Mode::enforce &&
                    rule.failure_mode.value_or(each.failure_mode) == policy::FailureMode::deny;
           });
  });
}

std::vector<std::string> kinds_not_sent(const policy::DocumentSet& documents) {
  std::vector<std::string> out;
  const std::vector<Resource> table = resource_table(documents.platform);
  for (const policy::Policy& each : documents.policies)
    for (const policy::KindPattern& kind : each.match.kinds)
      if (kind.any_group && !is_known(kind, table))
        out.push_back("policy " + each.name + " names the kind `" + kind.kind + "` without its group, so it is not sent; write `" +
                      kind.kind + ".<group>`");
  return out;
}

Json validating_configuration(const policy::DocumentSet& documents, const WebhookOptions& options) {
  const Json rules = rules_of(asked_of(documents)), everywhere = selector(documents.platform, options);
  Json webhooks = Json::array();
  bool any_closed = false;
  for (const int tier : tiers) {
    const bool closed = fails_closed(documents, tier);
    any_closed = any_closed || closed;
    if (rules.empty()) continue;
    const std::string name = std::to_string(tier);
    webhooks.push_back(entry("validate-tier-" + name + ".portcullis.dev", "/validate", closed, charges(documents, tier),
                             tier == 1 ? by_tier(everywhere, "NotIn", {"2", "3"}) : by_tier(everywhere, "In", {name}), rules, options));
  }
  // The labels that choose an entry are as safe as the strictest of them.
  webhooks.push_back(entry("validate-namespace.portcullis.dev", "/validate", any_closed, false, everywhere,
                           namespace_rules({Operation::create, Operation::update}, {"namespaces"}), options));
  // Labels come in by the parts too, and by these a namespace goes away: a gate that is down never keeps one from it.
  webhooks.push_back(entry("validate-namespace-parts.portcullis.dev", "/validate", false, false, everywhere,
                           namespace_rules({Operation::update}, {"namespaces/status", "namespaces/finalize"}), options));
  return configuration("ValidatingWebhookConfiguration", std::move(webhooks));
}

// failurePolicy Ignore throughout: what is not mended is judged as it is by the validating twin.
Json mutating_configuration(const policy::DocumentSet& documents, const WebhookOptions& options) {
  Json webhooks = Json::array();
  const Json everywhere = selector(documents.platform, options), not_mended = tiers_not_mended(documents);
  const Json mended = not_mended.empty() ? everywhere : by_tier(everywhere, "NotIn", not_mended);
  const auto add = [&](const std::string& name, const Json& where, Json rules) {
    if (rules.empty()) return;
    Json& webhook = webhooks.emplace_back(entry(name, "/mutate", false, false, where, std::move(rules), options));
    webhook["reinvocationPolicy"] = "IfNeeded";
  };
  add("mutate.portcullis.dev", mended, rules_of(mended_of(documents, Operation::create)));
  // A controller that writes back what it read must not start a roll-out: only what people and pipelines update is mended. An
  // entry of its own, for a condition costs the API server more than all else that it does to choose an entry.
  if (Json rules = rules_of(mended_of(documents, Operation::update)); !rules.empty()) {
    add("mutate-update.portcullis.dev", mended, std::move(rules));
    webhooks.back()["matchConditions"] = Json::array(
        {{{"name", "not-a-controllers-update"}, {"expression", "!('system:serviceaccounts:kube-system' in request.userInfo.groups)"}}});
  }
  add("mutate-namespace.portcullis.dev", everywhere, namespace_rules({Operation::create, Operation::update}, {"namespaces"}));
  return configuration("MutatingWebhookConfiguration", std::move(webhooks));
}

std::string webhook_configurations(const policy::DocumentSet& documents, const WebhookOptions& options) {
  return std::string(comment) + to_yaml(validating_configuration(documents, options)) + "---\n" +
         to_yaml(mutating_configuration(documents, options));
}

}  // namespace portcullis::cli
