// doctor: the API server, what we may do there, and the replicas.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>
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

Result<std::vector<Endpoint>> ready_endpoints(const Examination& examination) {
  const auto slices =
      list_objects(examination.call, "/apis/discovery.k8s.io/v1/namespaces/" + examination.name_space +
                                         "/endpointslices?labelSelector=kubernetes.io/service-name%3D" + examination.service);
  if (!slices) return tl::unexpected(slices.error());
  std::vector<Endpoint> endpoints;
  for (const Json& slice : *slices) {
    int port = 0;
    for (const Json& each : member(slice, {"ports"}))
      if (member(each, {"port"}).is_number_integer()) port = each["port"].get<int>();
    for (const Json& each : member(slice, {"endpoints"})) {
      const Json& ready = member(each, {"conditions", "ready"});
      if (ready.is_boolean() && !ready.get<bool>()) continue;
      for (const Json& address : member(each, {"addresses"})) {
        if (!address.is_string()) continue;
        const auto host = address.get<std::string>();
        const bool v6 = host.find(':') != std::string::npos;
        endpoints.push_back({(v6 ? "[" + host + "]" : host) + ":" + std::to_string(port), text_member(each, {"targetRef", "name"})});
      }
    }
  }
  return endpoints;
}

namespace {

// What a replica's metrics listener says of itself, asked through the API server.
Result<std::string> readiness_of(const Examination& examination, const std::string& pod) {
  const std::string path = "/api/v1/namespaces/" + examination.name_space + "/pods/";
  const auto object = get_object(examination.call, path + pod);
  if (!object) return tl::unexpected(object.error());
  int port = 0;
  for (const Json& container : member(*object, {"spec", "containers"}))
    for (const Json& each : member(container, {"ports"}))
      if (text_member(each, {"name"}) == "metrics" && member(each, {"containerPort"}).is_number_integer())
        port = each["containerPort"].get<int>();
  if (port == 0) return fail(ErrorKind::not_found, "pod " + pod, "has no port named metrics");
  kube::ApiRequest request;
  request.target = path + pod + ":" + std::to_string(port) + "/proxy/readyz";
  request.accept = "*/*";
  auto answer = examination.call(std::move(request));
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 403) return fail(ErrorKind::invalid, "pod " + pod, "forbidden: get pods/proxy");
  return std::move(answer->body);
}

std::string line_after(const std::string& text, std::string_view word) {
  const auto at = text.find(word);
  if (at == std::string::npos) return {};
  const auto begin = at + word.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

Checks check_replicas(const Examination& examination) {
  const auto endpoints = ready_endpoints(examination);
  if (!endpoints) return {not_seen("replicas", "replicas-ready", endpoints.error())};
  Checks checks;
  const std::size_t count = endpoints->size();
  const std::string words = std::to_string(count) + (count == 1 ? " replica of " : " replicas of ") + examination.service + " ready";
  checks.push_back({"replicas", "replicas-ready",
                    count == 0   ? Verdict::failed
                    : count == 1 ? Verdict::warn
                                 : Verdict::fine,
                    words,
                    count == 0 ? "look at `kubectl -n " + examination.name_space + " describe pods`: their /readyz says what they wait for"
                    : count == 1 ? "with one replica a restart closes the gate: run two or more"
                                 : ""});
  std::map<std::string, int> hashes;
  std::optional<Error> unseen;
  for (const Endpoint& endpoint : *endpoints) {
    if (endpoint.pod.empty()) continue;
    const auto said = readiness_of(examination, endpoint.pod);
    if (!said) {
      unseen = said.error();
      continue;
    }
    if (const std::string hash = line_after(*said, "documents "); !hash.empty()) ++hashes[hash];
    if (const std::string refused = line_after(*said, "the last set was refused: "); !refused.empty())
      checks.push_back({"replicas", "documents-refused", Verdict::failed,
                        "pod " + endpoint.pod + " goes on with its old documents: " + printable(refused),
                        "mend the documents; `portcullis config validate` shows every mistake"});
  }
  if (unseen && hashes.empty()) {
    checks.push_back(not_seen("replicas", "same-documents", *unseen));
  } else if (hashes.size() == 1) {
    checks.push_back({"replicas", "same-documents", Verdict::fine, "all judge by " + printable(hashes.begin()->first), ""});
  } else if (hashes.size() > 1) {
    std::string found;
    for (const auto& [hash, replicas] : hashes) found += (found.empty() ? "" : ", ") + std::to_string(replicas) + " by " + printable(hash);
    checks.push_back(
        {"replicas", "same-documents", Verdict::warn, "replicas judge differently: " + found,
         "a change takes a minute to reach every mounted ConfigMap; if it stays, look at the replicas' log for documents_refused"});
  }
  return checks;
}

}  // namespace portcullis::cli
