// doctor: the API server, and what we may do there.
#include <charconv>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "cli/doctor.hpp"
#include "cli/render_rbac.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::json;
using Verdict = Check::Verdict;

constexpr int minor_min = 30;
constexpr std::string_view account = "portcullis-webhook";

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;  // "30+" of some providers is 30
  return value;
}

struct Right {
  std::string group, resource, subresource, name, verb, name_space;
  [[nodiscard]] std::string text() const {
    std::string words = verb + " " + resource + (subresource.empty() ? "" : "/" + subresource) + (group.empty() ? "" : "." + group);
    if (!name.empty()) words += " " + name;
    if (!name_space.empty()) words += " in " + name_space;
    return words;
  }
};

std::vector<Right> rights_of(const Json& role, const std::string& name_space) {
  std::vector<Right> rights;
  for (const Json& rule : member(role, {"rules"})) {
    Json names = member(rule, {"resourceNames"});
    if (!names.is_array() || names.empty()) names = Json::array({""});
    for (const Json& group : member(rule, {"apiGroups"}))
      for (const Json& resource : member(rule, {"resources"}))
        for (const Json& verb : member(rule, {"verbs"}))
          for (const Json& name : names) {
            const std::string whole = resource.get<std::string>();
            const auto slash = whole.find('/');
            rights.push_back({group.get<std::string>(), whole.substr(0, slash), slash == std::string::npos ? "" : whole.substr(slash + 1),
                              name.get<std::string>(), verb.get<std::string>(), name_space});
          }
  }
  return rights;
}

// As the program's account when we are somebody else: what counts is what the replicas may do.
Result<bool> is_allowed(const Examination& examination, const Right& right, bool as_account) {
  Json attributes{{"group", right.group}, {"resource", right.resource}, {"verb", right.verb}};
  if (!right.subresource.empty()) attributes["subresource"] = right.subresource;
  if (!right.name.empty()) attributes["name"] = right.name;
  if (!right.name_space.empty()) attributes["namespace"] = right.name_space;
  Json review{{"apiVersion", "authorization.k8s.io/v1"},
              {"kind", as_account ? "SubjectAccessReview" : "SelfSubjectAccessReview"},
              {"spec", {{"resourceAttributes", attributes}}}};
  if (as_account) {
    review["spec"]["user"] = "system:serviceaccount:" + examination.name_space + ":" + std::string(account);
    review["spec"]["groups"] = {"system:serviceaccounts", "system:serviceaccounts:" + examination.name_space, "system:authenticated"};
  }
  const auto answer = send_object(
      examination.call, "POST",
      std::string("/apis/authorization.k8s.io/v1/") + (as_account ? "subjectaccessreviews" : "selfsubjectaccessreviews"), review);
  if (!answer) return tl::unexpected(answer.error());
  const Json& allowed = member(*answer, {"status", "allowed"});
  return allowed.is_boolean() && allowed.get<bool>();
}

// One check: fine when all are given, else with those that lack.
Check judge_rights(const Examination& examination, const std::vector<Right>& rights, bool as_account, std::string_view id,
                   const std::string& hint) {
  std::string missing;
  std::size_t count = 0;
  for (const Right& right : rights) {
    const auto allowed = is_allowed(examination, right, as_account);
    if (!allowed) return not_seen("permissions", id, allowed.error());
    if (*allowed) continue;
    ++count;
    missing += (missing.empty() ? "" : ", ") + right.text();
  }
  if (count == 0) return {"permissions", id, Verdict::fine, std::to_string(rights.size()) + " rights are given", ""};
  return {"permissions", id, Verdict::failed, "missing: " + printable(missing, 1'000), hint};
}

}  // namespace

Check not_seen(std::string_view category, std::string_view id, const Error& error) {
  const bool reached = error.kind == ErrorKind::invalid || error.kind == ErrorKind::not_found;
  return {category, id, Verdict::unknown, error.message(),
          is_forbidden(error) ? "run the doctor as somebody who may, or live without this check"
          : reached           ? ""
                              : "look at category kubernetes-api"};
}

Checks check_api(const Examination& examination) {
  const auto version = get_object(examination.call, "/version");
  if (!version)
    return {{"kubernetes-api", "api-reachable", Verdict::failed, version.error().message(),
             "look at --kubeconfig or KUBECONFIG, and whether a NetworkPolicy lets us out to the API server"}};
  const std::string shown = printable(text_member(*version, {"gitVersion"}));
  Checks checks{{"kubernetes-api", "api-reachable", Verdict::fine, "it answers", ""}};
  const auto major = number(text_member(*version, {"major"})), minor = number(text_member(*version, {"minor"}));
  const bool good = major && minor && (*major > 1 || (*major == 1 && *minor >= minor_min));
  checks.push_back({"kubernetes-api", "api-version", good ? Verdict::fine : Verdict::failed, "Kubernetes " + shown,
                    good ? "" : "Portcullis needs Kubernetes 1.30 or newer"});
  return checks;
}

Checks check_may_install(const Examination& examination) {
  std::vector<Right> rights;
  for (const auto& [group, resource] :
       std::vector<std::pair<std::string, std::string>>{{"", "namespaces"},
                                                        {"apiextensions.k8s.io", "customresourcedefinitions"},
                                                        {"rbac.authorization.k8s.io", "clusterroles"},
                                                        {"rbac.authorization.k8s.io", "clusterrolebindings"},
                                                        {"admissionregistration.k8s.io", "validatingwebhookconfigurations"},
                                                        {"admissionregistration.k8s.io", "mutatingwebhookconfigurations"}})
    rights.push_back({group, resource, "", "", "create", ""});
  for (const auto& [group, resource] : std::vector<std::pair<std::string, std::string>>{{"apps", "deployments"},
                                                                                        {"", "services"},
                                                                                        {"", "serviceaccounts"},
                                                                                        {"", "secrets"},
                                                                                        {"", "configmaps"},
                                                                                        {"policy", "poddisruptionbudgets"},
                                                                                        {"networking.k8s.io", "networkpolicies"},
                                                                                        {"rbac.authorization.k8s.io", "roles"},
                                                                                        {"rbac.authorization.k8s.io", "rolebindings"}})
    rights.push_back({group, resource, "", "", "create", examination.name_space});
  return {judge_rights(examination, rights, false, "may-install", "install as somebody who may, such as a member of cluster-admin")};
}

Checks check_permissions(const Examination& examination) {
  if (!examination.snapshot) return {};
  std::vector<Right> rights;
  for (const auto& object : webhook_rights(*examination.snapshot, examination.name_space)) {
    const Json role = Json::parse(object.dump());
    const std::string name_space = text_member(role, {"metadata", "namespace"});
    for (Right& right : rights_of(role, name_space)) rights.push_back(std::move(right));
  }
  return {judge_rights(examination, rights, !examination.in_cluster, "permission",
                       "apply what `portcullis render rbac` prints for these documents")};
}

}  // namespace portcullis::cli
