// doctor: the documents, the tenants' namespaces and budgets, and the proof that a bad Pod is denied.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "cli/doctor.hpp"
#include "cli/instant.hpp"
#include "cli/render_quotas.hpp"
#include "config/store.hpp"
#include "policy/document/load.hpp"
#include "webhook/configuration.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::json;
using Verdict = Check::Verdict;

constexpr std::string_view plurals[] = {"platforms", "tenants", "policies", "policyexceptions", "guardpolicies", "calendars"};
constexpr std::string_view group_path = "/apis/portcullis.dev/v1/";
constexpr std::size_t shown_max = 5;  // names in one check; the rest is counted
constexpr std::size_t tried_max = 10;
constexpr std::chrono::days soon{7};

std::string some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t at = 0; at < std::min(names.size(), shown_max); ++at) text += (at > 0 ? ", " : "") + printable(names[at]);
  if (names.size() > shown_max) text += " and " + std::to_string(names.size() - shown_max) + " more";
  return text;
}

// A custom resource without what the API server adds.
std::string as_document(const Json& object) {
  return Json{{"apiVersion", member(object, {"apiVersion"})},
              {"kind", member(object, {"kind"})},
              {"metadata", {{"name", member(object, {"metadata", "name"})}}},
              {"spec", member(object, {"spec"})}}
      .dump();
}

void check_accepted(const Json& object, Checks& checks) {
  for (const Json& condition : member(object, {"status", "conditions"})) {
    if (text_member(condition, {"type"}) != "Accepted" || text_member(condition, {"status"}) != "False") continue;
    checks.push_back({"documents", "documents-accepted", Verdict::failed,
                      printable(text_member(object, {"kind"})) + "/" + printable(text_member(object, {"metadata", "name"})) + ": " +
                          printable(text_member(condition, {"message"}), 500),
                      "mend it; until then the former set stays in force"});
  }
}

// From --config, else the custom resources, else the ConfigMap that the manifests mount.
Result<std::vector<policy::DocumentFile>> document_files(const Examination& examination, Checks& checks, std::string& from) {
  if (!examination.config.empty()) {
    from = examination.config;
    auto files = config::read_directory(examination.config);
    if (!files) return tl::unexpected(files.error().front());
    return *std::move(files);
  }
  std::vector<policy::DocumentFile> files;
  for (const std::string_view plural : plurals) {
    auto items = list_objects(examination.call, std::string(group_path) + std::string(plural));
    if (!items && items.error().kind == ErrorKind::not_found) continue;  // no such CRD
    if (!items) return tl::unexpected(items.error());
    for (const Json& item : *items) {
      Json object = item;  // the items of a list lack what the list says
      if (!object.contains("kind")) object["kind"] = "";
      check_accepted(object, checks);
      files.push_back({text_member(object, {"kind"}) + "/" + text_member(object, {"metadata", "name"}), as_document(object)});
    }
  }
  from = "custom resources";
  if (!files.empty()) return files;
  const auto map = get_object(examination.call, "/api/v1/namespaces/" + examination.name_space + "/configmaps/portcullis-documents");
  if (!map) return tl::unexpected(map.error());
  for (const auto& [name, text] : member(*map, {"data"}).items())
    if (text.is_string() && (name.ends_with(".yaml") || name.ends_with(".yml"))) files.push_back({name, text.get<std::string>()});
  from = "ConfigMap portcullis-documents";
  return files;
}

void check_exceptions(const policy::DocumentSet& documents, Instant now, Checks& checks) {
  std::vector<std::string> expired, ending;
  for (const policy::PolicyException& each : documents.exceptions) {
    if (each.expires_at <= now) {
      expired.push_back(each.name);
    } else if (each.expires_at - now <= soon) {
      ending.push_back(each.name + " at " + instant_text(each.expires_at));
    }
  }
  if (!expired.empty())
    checks.push_back({"documents", "exceptions", Verdict::warn, "expired: " + some(expired), "remove them, or have them granted anew"});
  if (!ending.empty())
    checks.push_back({"documents", "exceptions", Verdict::warn, "end within 7 days: " + some(ending),
                      "what they cover will be denied: mend it, or have them granted anew"});
}

struct LiveNamespace {
  std::string name;
  Json labels;
  policy::PolicySnapshot::NamespaceOwner owner;
};

Result<std::vector<LiveNamespace>> tenants_namespaces(const Examination& examination) {
  const auto items = list_objects(examination.call, "/api/v1/namespaces");
  if (!items) return tl::unexpected(items.error());
  std::vector<LiveNamespace> found;
  for (const Json& item : *items) {
    const std::string name = text_member(item, {"metadata", "name"});
    if (const auto owner = examination.snapshot->owner_of(name)) found.push_back({name, member(item, {"metadata", "labels"}), owner});
  }
  return found;
}

bool enforces(const policy::DocumentSet& documents) {
  return std::any_of(documents.policies.begin(), documents.policies.end(), [](const policy::Policy& each) {
    return std::any_of(each.rules.begin(), each.rules.end(),
                       [&](const policy::PolicyRule& rule) { return rule.mode.value_or(each.mode) == policy::Mode::enforce; });
  });
}

// What no policy that means it lets pass: a floating tag from a registry nobody vouches for, no bounds, root, a password.
Json bad_pod(const std::string& name_space) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", "portcullis-doctor"}, {"namespace", name_space}}},
          {"spec",
           {{"containers",
             {{{"name", "doctor"},
               {"image", "docker.io/portcullis/doctor:latest"},
               {"env", {{{"name", "DB_PASSWORD"}, {"value", "kX9-doctor-2vQ7-sample"}}}}}}}}}};
}

}  // namespace

Checks check_documents(Examination& examination) {
  Checks checks;
  std::string from;
  const auto files = document_files(examination, checks, from);
  if (!files) {
    if (examination.config.empty()) {
      checks.push_back(not_seen("documents", "documents-valid", files.error()));
    } else {
      checks.push_back({"documents", "documents-valid", Verdict::failed, files.error().message(), ""});
    }
    return checks;
  }
  auto loaded = policy::load_documents(*files);
  std::vector<Error> errors;
  if (!loaded) {
    errors = loaded.error();
  } else if (auto compiled = policy::PolicySnapshot::compile(*std::move(loaded)); compiled) {
    examination.snapshot = *std::move(compiled);
  } else {
    errors = compiled.error();
  }
  if (!errors.empty()) {
    const std::string more = errors.size() > 1 ? " (and " + std::to_string(errors.size() - 1) + " more)" : "";
    checks.push_back({"documents", "documents-valid", Verdict::failed, from + ": " + printable(errors.front().message(), 500) + more,
                      "`portcullis config validate` shows every mistake"});
    return checks;
  }
  const policy::DocumentSet& documents = examination.snapshot->documents();
  checks.push_back(
      {"documents", "documents-valid", Verdict::fine,
       from + ": " + std::to_string(documents.tenants.size()) + " tenants, " + std::to_string(documents.policies.size()) + " policies",
       ""});
  check_exceptions(documents, examination.now, checks);
  return checks;
}

Checks check_facts(const Examination& examination) {
  if (!examination.snapshot) return {};
  const auto namespaces = tenants_namespaces(examination);
  if (!namespaces) return {not_seen("facts", "namespace-labels", namespaces.error())};
  std::vector<std::string> wrong;
  for (const LiveNamespace& each : *namespaces) {
    const std::string tenant = text_member(each.labels, {"portcullis.dev/tenant"}),
                      tier = text_member(each.labels, {"portcullis.dev/tier"});
    if (tenant != each.owner.tenant->name || tier != std::to_string(each.owner.tier) ||
        text_member(each.labels, {"portcullis.dev/environment"}) != each.owner.name_space->environment)
      wrong.push_back(each.name);
  }
  if (wrong.empty())
    return {{"facts", "namespace-labels", Verdict::fine,
             std::to_string(namespaces->size()) + " namespaces of tenants, labelled as the documents say", ""}};
  return {{"facts", "namespace-labels", Verdict::warn, "labels differ from the documents: " + some(wrong),
           "the gate writes them on the next write: `kubectl annotate namespace NAME portcullis.dev/touched=1 --overwrite`; until then the "
           "strictest entry judges there"}};
}

Checks check_quotas(const Examination& examination) {
  if (!examination.snapshot) return {};
  std::map<std::string, Json> wanted;
  for (const auto& object : tenant_quotas(examination.snapshot->documents(), "")) {
    Json quota = Json::parse(object.dump());
    std::string tenant = text_member(quota, {"spec", "tenant"});
    wanted.emplace(std::move(tenant), std::move(quota));
  }
  if (wanted.empty()) return {{"quotas", "quota-present", Verdict::fine, "no tenant has a budget", ""}};
  const auto live = list_objects(examination.call, std::string(group_path) + "tenantquotas");
  constexpr std::string_view hint = "apply what `portcullis render tenant-quotas` prints for these documents";
  if (!live && live.error().kind == ErrorKind::not_found)
    return {{"quotas", "quota-present", Verdict::failed, "the cluster does not know TenantQuota",
             "apply what `portcullis render crds` prints"}};
  if (!live) return {not_seen("quotas", "quota-present", live.error())};
  std::vector<std::string> drifted, strangers;
  for (const Json& each : *live) {
    const std::string tenant = text_member(each, {"spec", "tenant"});
    const auto at = wanted.find(tenant);
    if (at == wanted.end()) {
      strangers.push_back(tenant);
      continue;
    }
    if (member(each, {"spec", "hard"}) != member(at->second, {"spec", "hard"})) drifted.push_back(tenant);
    wanted.erase(at);
  }
  Checks checks;
  std::vector<std::string> missing;
  missing.reserve(wanted.size());
  for (const auto& [tenant, quota] : wanted) missing.push_back(tenant);
  if (!missing.empty())
    checks.push_back(
        {"quotas", "quota-present", Verdict::failed, "tenants with a budget and no TenantQuota: " + some(missing), std::string(hint)});
  if (!drifted.empty())
    checks.push_back({"quotas", "quota-drift", Verdict::failed, "hard differs from the documents: " + some(drifted), std::string(hint)});
  if (!strangers.empty())
    checks.push_back({"quotas", "quota-drift", Verdict::warn, "of no tenant with a budget: " + some(strangers), "delete them"});
  if (checks.empty())
    checks.push_back({"quotas", "quota-present", Verdict::fine, std::to_string(live->size()) + " as the documents say", ""});
  return checks;
}

Checks check_self_test(const Examination& examination) {
  if (!examination.snapshot) return {};
  const auto found = tenants_namespaces(examination);
  if (!found) return {not_seen("self-test", "denies", found.error())};
  if (found->empty()) return {{"self-test", "denies", Verdict::warn, "no tenant has a namespace yet, so nothing can be proven", ""}};
  std::vector<const LiveNamespace*> order;
  order.reserve(found->size());
  for (const LiveNamespace& each : *found) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->owner.tier < b->owner.tier; });
  if (order.size() > tried_max) order.resize(tried_max);
  std::string let_in;
  for (const LiveNamespace* each : order) {
    const auto answer = send_object(examination.call, "POST", "/api/v1/namespaces/" + each->name + "/pods?dryRun=All", bad_pod(each->name));
    if (answer) {
      if (let_in.empty()) let_in = each->name;
      continue;
    }
    const Error& error = answer.error();
    if (error.kind != ErrorKind::invalid && error.kind != ErrorKind::not_found) return {not_seen("self-test", "denies", error)};
    if (error.what.find("failed calling webhook") != std::string::npos)
      return {{"self-test", "reachable", Verdict::failed, each->name + ": " + printable(error.what, 500),
               "the API server cannot reach the Service: look at replicas, at NetworkPolicies, and on private control planes at the "
               "firewall (it must reach nodes on the container's port)"}};
    if (error.what.find("portcullis.dev\" denied the request") != std::string::npos)
      return {{"self-test", "denies", Verdict::fine, "a bad Pod in " + each->name + " is denied", ""}};
    if (is_forbidden(error) && error.what.find("admission webhook") == std::string::npos) return {not_seen("self-test", "denies", error)};
  }
  if (!enforces(examination.snapshot->documents()))
    return {{"self-test", "denies", Verdict::warn, "a bad Pod is let in: failing open by design, no policy enforces yet",
             "look at what would be denied in the decision log, then set mode: warn, then enforce"}};
  if (let_in.empty()) return {{"self-test", "denies", Verdict::unknown, "somebody else denied the Pod before the gate was asked", ""}};
  return {{"self-test", "denies", Verdict::failed, "a bad Pod in " + let_in + " was let in, although policies enforce",
           "see whether the policies bind that namespace (`portcullis check`), and category webhook-config"}};
}

Checks check_uninstall(const Examination& examination) {
  Checks checks;
  const auto endpoints = ready_endpoints(examination);
  std::vector<std::string> present;
  for (const auto kind : {webhook::ConfigurationKind::validating, webhook::ConfigurationKind::mutating}) {
    const std::string path = webhook::configuration_path(kind, examination.configuration);
    const auto live = get_object(examination.call, path);
    if (live) {
      present.push_back(path.substr(path.rfind("/v1/") + 4));
    } else if (live.error().kind != ErrorKind::not_found) {
      checks.push_back(not_seen("uninstall", "webhooks-first", live.error()));
    }
  }
  if (!present.empty()) {
    const bool dead = endpoints && endpoints->empty();
    checks.push_back({"uninstall", "webhooks-first", Verdict::failed,
                      some(present) + (dead ? " call a Service without a ready replica: writes are refused now"
                                            : " would outlive the Service and refuse every write"),
                      "`portcullis uninstall --yes` takes them away first"});
  } else if (checks.empty()) {
    checks.push_back({"uninstall", "webhooks-first", Verdict::fine, "no webhook configuration is left: the rest may go in any order", ""});
  }
  const auto namespaces = list_objects(examination.call, "/api/v1/namespaces?labelSelector=portcullis.dev/tenant");
  if (namespaces && !namespaces->empty())
    checks.push_back({"uninstall", "what-stays", Verdict::warn,
                      std::to_string(namespaces->size()) + " namespaces keep the labels portcullis.dev/tenant, /tier and /environment",
                      "harmless; `kubectl label namespace NAME portcullis.dev/tenant-` and so on takes them off"});
  const auto exceptions = list_objects(examination.call, std::string(group_path) + "policyexceptions");
  if (exceptions && !exceptions->empty())
    checks.push_back({"uninstall", "what-stays", Verdict::warn,
                      std::to_string(exceptions->size()) + " PolicyExceptions and the other documents stay as custom resources",
                      "deleting the CRDs deletes them: keep a copy in version control"});
  return checks;
}

}  // namespace portcullis::cli
