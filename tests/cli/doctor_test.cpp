// The doctor and the uninstaller beside an API server in memory: what is well is said so, what is wrong is named.
#include "cli/doctor.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/render_quotas.hpp"
#include "cli/render_webhooks.hpp"
#include "cli/uninstall.hpp"
#include "net/base64.hpp"
#include "net/certificate_authority.hpp"
#include "policy/document/load.hpp"
#include "tests/catch.hpp"
#include "tests/cli/support.hpp"
#include "webhook/configuration.hpp"

using namespace portcullis;
using namespace portcullis::cli;
using Json = nlohmann::json;
using Verdict = Check::Verdict;
using namespace std::chrono_literals;

namespace {

const std::string host = "portcullis-webhook.portcullis-system.svc";
const std::string validating_path = webhook::configuration_path(webhook::ConfigurationKind::validating, "portcullis");
const std::string mutating_path = webhook::configuration_path(webhook::ConfigurationKind::mutating, "portcullis");
const std::string slices_path = "/apis/discovery.k8s.io/v1/namespaces/portcullis-system/endpointslices";
const std::string pods_path = "/api/v1/namespaces/portcullis-system/pods/";
const Instant now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

std::string metrics(int dropped, int failed) {
  return "# TYPE portcullis_audit_dropped_total counter\nportcullis_audit_dropped_total " + std::to_string(dropped) +
         "\nportcullis_audit_write_errors_total " + std::to_string(failed) + "\n";
}

// Everything as it should be; tests spoil one thing each.
struct Hospital {
  Hospital() {
    const auto authority = net::make_authority("Portcullis CA", {now - 24h, now + 24h * 3650}).value();
    chain = net::issue_leaf(authority, {.common_name = "portcullis-webhook",
                                        .dns_names = net::service_names("portcullis-webhook", "portcullis-system"),
                                        .addresses = {},
                                        .validity = {now - 24h, now + 24h * 90}})
                .value()
                .certificate;
    bundle = net::base64(authority.certificate);
    documents = std::string(cli::test::documents);
    install();
    answers["/version"] = {{"major", "1"}, {"minor", "35"}, {"gitVersion", "v1.35.3"}};
    const auto endpoint = [](const char* address, const char* pod) -> Json {
      return {{"addresses", {address}},
              {"conditions", {{"ready", true}}},
              {"targetRef", {{"name", pod}}},
              {"nodeName", std::string("node-") + pod}};
    };
    answers[slices_path] = {
        {"items",
         {{{"ports", {{{"name", "https"}, {"port", 8443}}}}, {"endpoints", {endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b")}}}}}};
    for (const char* pod : {"a", "b"}) {
      answers[pods_path + pod] = {{"spec", {{"containers", {{{"ports", {{{"name", "metrics"}, {"containerPort", 9090}}}}}}}}}};
      bodies[pods_path + pod + ":9090/proxy/readyz"] = "ready\ndocuments sha256:1\n";
      bodies[pods_path + pod + ":9090/proxy/metrics"] = metrics(0, 0);
    }
    for (const char* node : {"node-a", "node-b"}) answers["/api/v1/nodes"]["items"].push_back({{"metadata", {{"name", node}}}});
    const auto labelled = [](const char* name, const char* environment) -> Json {
      return {
          {"metadata",
           {{"name", name},
            {"labels", {{"portcullis.dev/tenant", "acme"}, {"portcullis.dev/tier", "1"}, {"portcullis.dev/environment", environment}}}}}};
    };
    answers["/api/v1/namespaces"] = {{"items", {labelled("acme-prod", "production"), {{"metadata", {{"name", "default"}}}}}}};
    pod_status = 403;
    pod_message = R"(admission webhook "validate-tier-1.portcullis.dev" denied the request: portcullis: image-digest)";
    set_documents();
  }
  void set_documents() {
    answers["/api/v1/namespaces/portcullis-system/configmaps/portcullis-documents"] = {{"data", {{"all.yaml", documents}}}};
  }
  [[nodiscard]] policy::DocumentSet loaded() const { return policy::load_documents({{"all.yaml", documents}}).value(); }
  void install() {
    const policy::DocumentSet set = loaded();
    answers[validating_path] = Json::parse(validating_configuration(set, {}).dump());
    answers[mutating_path] = Json::parse(mutating_configuration(set, {}).dump());
    for (const std::string& path : {validating_path, mutating_path}) {
      answers[path]["metadata"]["resourceVersion"] = "7";
      for (Json& entry : answers[path]["webhooks"]) {
        entry["clientConfig"]["caBundle"] = bundle;
        entry["objectSelector"] = Json::object();  // a default of the API server's
      }
    }
  }
  [[nodiscard]] Examination examination() {
    Examination made;
    made.now = now;
    made.call = [this](const kube::ApiRequest& request) { return answer(request); };
    made.certificates_of = [this](const std::string& endpoint, const std::string& name) -> Result<std::string> {
      CHECK(name == host);
      if (chain.empty()) return fail(ErrorKind::unavailable, endpoint, "no connection: timed out");
      return chain;
    };
    return made;
  }
  Result<kube::ApiResponse> answer(const kube::ApiRequest& request) {
    calls.push_back(request.method + " " + request.target);
    if (away) return fail(ErrorKind::unavailable, "10.0.0.9:443", "no connection");
    const std::string path = request.target.substr(0, request.target.find('?'));
    if (path.find("accessreviews") != std::string::npos) {
      const Json attributes = Json::parse(request.body)["spec"]["resourceAttributes"];
      const std::string words = attributes["verb"].get<std::string>() + " " + attributes["resource"].get<std::string>();
      return reply(201, {{"status", {{"allowed", words != refused}}}});
    }
    if (request.method == "POST" && path.ends_with("/pods")) {
      CHECK(request.target.ends_with("?dryRun=All"));
      return reply(pod_status, {{"message", pod_message}});
    }
    if (bodies.contains(path)) return kube::ApiResponse{200, bodies[path], "", std::nullopt};
    const auto at = answers.find(path);
    if (at == answers.end()) return reply(404, {{"message", "not found"}});
    if (request.method == "DELETE") answers.erase(at);
    return request.method == "DELETE" ? reply(200, Json::object()) : reply(200, at->second);
  }
  static kube::ApiResponse reply(int status, const Json& body) { return {status, body.dump(), "", std::nullopt}; }

  std::map<std::string, Json> answers;
  std::map<std::string, std::string> bodies;
  std::vector<std::string> calls;
  std::string chain, bundle, refused, pod_message, documents;
  int pod_status = 0;
  bool away = false;
};

// All categories, as the command looks at them; "id verdict", only what is not fine.
std::vector<std::string> complaints(Hospital& hospital) {
  Examination examination = hospital.examination();
  std::vector<std::string> found;
  const auto look = [&](const Checks& checks) {
    for (const Check& each : checks) {
      if (each.verdict == Verdict::fine) continue;
      const std::string word = each.verdict == Verdict::warn ? " warn" : each.verdict == Verdict::failed ? " failed" : " unknown";
      std::string line = std::string(each.id) + word;
      if (std::find(found.begin(), found.end(), line) == found.end()) found.push_back(std::move(line));
      INFO(each.what);
      if (each.verdict != Verdict::unknown && each.id != "exceptions") CHECK(!each.what.empty());
    }
  };
  look(check_api(examination));
  look(check_documents(examination));
  look(check_permissions(examination));
  look(check_replicas(examination));
  look(check_certificates(examination));
  look(check_webhook_config(examination));
  look(check_audit(examination));
  look(check_facts(examination));
  look(check_quotas(examination));
  look(check_self_test(examination));
  return found;
}

Json& entry_of(Hospital& hospital, std::size_t at) { return hospital.answers[validating_path]["webhooks"][at]; }

}  // namespace

TEST_CASE("the doctor finds what is wrong and nothing else", "[cli][doctor]") {
  struct Case {
    const char* name;
    void (*spoil)(Hospital&);
    std::vector<std::string> complaints;
  };
  const Case cases[] = {
      {"all is well", [](Hospital&) {}, {}},
      {"an old cluster", [](Hospital& h) { h.answers["/version"]["minor"] = "29"; }, {"api-version failed"}},
      {"a provider's plus sign", [](Hospital& h) { h.answers["/version"]["minor"] = "30+"; }, {}},
      {"documents with a mistake",
       [](Hospital& h) {
         h.documents += "---\nkind: Tenant\n";
         h.set_documents();
       },
       {"documents-valid failed"}},
      {"an exception that has expired",
       [](Hospital& h) {
         h.documents += cli::test::exception;
         h.documents.replace(h.documents.find("2026-12-01"), 10, "2026-11-20");
         h.set_documents();
       },
       {"exceptions warn"}},
      {"a right is missing", [](Hospital& h) { h.refused = "patch secrets"; }, {"permission failed"}},
      {"no replica",
       [](Hospital& h) {
         for (Json& each : h.answers[slices_path]["items"][0]["endpoints"]) each["conditions"]["ready"] = false;
       },
       {"replicas-ready failed", "certificate-expiry unknown", "ca-bundle unknown"}},
      {"one replica", [](Hospital& h) { h.answers[slices_path]["items"][0]["endpoints"].erase(1); }, {"replicas-ready warn"}},
      {"all on one node",
       [](Hospital& h) { h.answers[slices_path]["items"][0]["endpoints"][1]["nodeName"] = "node-a"; },
       {"replicas-spread warn"}},
      {"all on the one node that takes pods",
       [](Hospital& h) {
         h.answers[slices_path]["items"][0]["endpoints"][1]["nodeName"] = "node-a";
         h.answers["/api/v1/nodes"]["items"][1]["spec"]["unschedulable"] = true;
       },
       {}},
      {"all on one node, and nodes may not be listed",
       [](Hospital& h) {
         h.answers[slices_path]["items"][0]["endpoints"][1]["nodeName"] = "node-a";
         h.answers.erase("/api/v1/nodes");
       },
       {"replicas-spread unknown"}},
      {"records were lost", [](Hospital& h) { h.bodies[pods_path + "b:9090/proxy/metrics"] = metrics(3, 0); }, {"decision-log warn"}},
      {"a write failed", [](Hospital& h) { h.bodies[pods_path + "a:9090/proxy/metrics"] = metrics(0, 1); }, {"decision-log warn"}},
      {"a replica whose metrics are not to be had",
       [](Hospital& h) { h.bodies.erase(pods_path + "b:9090/proxy/metrics"); },
       {"decision-log unknown"}},
      {"replicas that judge differently",
       [](Hospital& h) { h.bodies[pods_path + "b:9090/proxy/readyz"] = "ready\ndocuments sha256:2\n"; },
       {"same-documents warn"}},
      {"a replica that refused its documents",
       [](Hospital& h) { h.bodies[pods_path + "b:9090/proxy/readyz"] += "the last set was refused: a.yaml:1\n"; },
       {"documents-refused failed"}},
      {"no configuration", [](Hospital& h) { h.answers.erase(mutating_path); }, {"present failed"}},
      {"a configuration of somebody else",
       [](Hospital& h) {
         for (Json& each : h.answers[mutating_path]["webhooks"]) each["clientConfig"]["service"]["name"] = "other";
       },
       {"present failed"}},
      {"no caBundle", [](Hospital& h) { entry_of(h, 1)["clientConfig"].erase("caBundle"); }, {"ca-bundle failed"}},
      {"the caBundle of another",
       [](Hospital& h) {
         const auto other = net::make_authority("Portcullis CA", {now - 24h, now + 24h}).value();
         entry_of(h, 0)["clientConfig"]["caBundle"] = net::base64(other.certificate);
       },
       {"ca-bundle failed"}},
      {"a certificate that cannot be reached, and no Secret",
       [](Hospital& h) { h.chain.clear(); },
       {"certificate-expiry unknown", "ca-bundle unknown"}},
      {"our own namespace is sent",
       [](Hospital& h) {
         entry_of(h, 0)["namespaceSelector"]["matchExpressions"][0]["values"] = {"kube-system", "kube-public", "kube-node-lease"};
       },
       {"own-namespace failed", "as-rendered warn"}},
      {"no selector", [](Hospital& h) { entry_of(h, 0).erase("namespaceSelector"); }, {"own-namespace failed", "as-rendered warn"}},
      {"leases are sent",
       [](Hospital& h) {
         entry_of(h, 0)["rules"][0] = {{"apiGroups", {"coordination.k8s.io"}}, {"resources", {"leases"}}};
       },
       {"no-loops failed", "as-rendered warn"}},
      {"everything is sent",
       [](Hospital& h) {
         entry_of(h, 0)["rules"] = {{{"apiGroups", {"*"}}, {"resources", {"*/*"}}}};
       },
       {"no-loops failed", "as-rendered warn"}},
      {"a long timeout", [](Hospital& h) { entry_of(h, 0)["timeoutSeconds"] = 30; }, {"timeout warn", "as-rendered warn"}},
      {"open where the documents say closed", [](Hospital& h) { entry_of(h, 0)["failurePolicy"] = "Ignore"; }, {"failure-policy warn"}},
      {"an entry is missing", [](Hospital& h) { h.answers[validating_path]["webhooks"].erase(1); }, {"as-rendered failed"}},
      {"a namespace without labels",
       [](Hospital& h) { h.answers["/api/v1/namespaces"]["items"][0]["metadata"].erase("labels"); },
       {"namespace-labels warn"}},
      {"a bad Pod is let in", [](Hospital& h) { h.pod_status = 201; }, {"denies failed"}},
      {"the gate cannot be reached",
       [](Hospital& h) {
         h.pod_status = 500;
         h.pod_message = "Internal error occurred: failed calling webhook \"validate-tier-1.portcullis.dev\": context deadline exceeded";
       },
       {"reachable failed"}},
      {"somebody else denies",
       [](Hospital& h) {
         h.pod_status = 403;
         h.pod_message = "pods \"portcullis-doctor\" is forbidden: violates PodSecurity";
       },
       {"denies unknown"}},
      {"no tenant's namespace yet", [](Hospital& h) { h.answers["/api/v1/namespaces"]["items"].erase(0); }, {"denies warn"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Hospital hospital;
      c.spoil(hospital);
      CHECK(complaints(hospital) == c.complaints);
      for (const std::string& call : hospital.calls) {
        CAPTURE(call);
        CHECK((call.starts_with("GET ") || call.find("accessreviews") != std::string::npos || call.ends_with("?dryRun=All")));
      }
    }
  }
}

TEST_CASE("the doctor says when nobody enforces yet", "[cli][doctor]") {
  Hospital hospital;
  hospital.documents.replace(hospital.documents.find("  rules:\n    - {id: replica-floor"), 0, "  mode: audit\n");
  hospital.set_documents();
  hospital.install();
  hospital.pod_status = 201;
  CHECK(complaints(hospital) == std::vector<std::string>{"denies warn"});
  entry_of(hospital, 1)["failurePolicy"] = "Fail";  // and the configuration is stricter than they are
  CHECK(complaints(hospital) == std::vector<std::string>{"failure-policy failed", "denies warn"});
}

TEST_CASE("budgets beside their TenantQuotas", "[cli][doctor]") {
  Hospital hospital;
  hospital.documents.replace(hospital.documents.find("  timeZone"), 0, "  budget: {pods: 10}\n");
  hospital.set_documents();
  hospital.install();
  const std::string path = "/apis/portcullis.dev/v1/tenantquotas";
  CHECK(complaints(hospital) == std::vector<std::string>{"quota-present failed"});
  Json items = Json::array();
  for (const auto& each : tenant_quotas(hospital.loaded(), "")) items.push_back(Json::parse(each.dump()));
  hospital.answers[path] = {{"items", items}};
  CHECK(complaints(hospital).empty());
  hospital.answers[path]["items"][0]["spec"]["hard"]["pods"] = 11;
  CHECK(complaints(hospital) == std::vector<std::string>{"quota-drift failed"});
  hospital.answers[path]["items"].push_back({{"spec", {{"tenant", "gone"}}}});
  hospital.answers[path]["items"].erase(0);
  CHECK(complaints(hospital) == std::vector<std::string>{"quota-present failed", "quota-drift warn"});
}

TEST_CASE("documents that are custom resources", "[cli][doctor]") {
  Hospital hospital;
  const std::string group = "/apis/portcullis.dev/v1/";
  hospital.answers[group + "platforms"] = {{"items",
                                            {{{"apiVersion", "portcullis.dev/v1"},
                                              {"kind", "Platform"},
                                              {"metadata", {{"name", "hoster"}, {"uid", "1"}}},
                                              {"spec", {{"environments", {"production"}}}}}}}};
  Examination examination = hospital.examination();
  const Checks checks = check_documents(examination);
  REQUIRE(checks.size() == 1);
  CHECK(checks[0].what == "custom resources: 0 tenants, 0 policies");
  hospital.answers[group + "platforms"]["items"][0]["status"] = {
      {"conditions", {{{"type", "Accepted"}, {"status", "False"}, {"message", "spec.x: found the unknown field"}}}}};
  const Checks refused = check_documents(examination);
  REQUIRE(refused.size() == 2);
  CHECK(refused[0].id == "documents-accepted");
  CHECK(refused[0].what == "Platform/hoster: spec.x: found the unknown field");
}

TEST_CASE("an API server that is away is said once", "[cli][doctor]") {
  Hospital hospital;
  hospital.away = true;
  const Checks checks = check_api(hospital.examination());
  REQUIRE(checks.size() == 1);
  CHECK(checks[0].verdict == Verdict::failed);
}

TEST_CASE("before installing", "[cli][doctor]") {
  Hospital hospital;
  CHECK(check_may_install(hospital.examination()).front().verdict == Verdict::fine);
  hospital.refused = "create clusterroles";
  const Checks checks = check_may_install(hospital.examination());
  CHECK(checks.front().what == "missing: create clusterroles.rbac.authorization.k8s.io");
}

TEST_CASE("taking it away in the safe order", "[cli][uninstall]") {
  Hospital hospital;
  const ApiCall call = hospital.examination().call;
  std::ostringstream out, err;
  CHECK(check_uninstall(hospital.examination()).front().verdict == Verdict::failed);

  CHECK(uninstall(call, {.yes = false}, out, err) == ExitCode::no);
  CHECK(out.str() ==
        "would go   ValidatingWebhookConfiguration portcullis\nwould go   MutatingWebhookConfiguration portcullis\nnothing was changed: "
        "--yes does it\n");
  CHECK(hospital.answers.contains(validating_path));

  out.str("");
  CHECK(uninstall(call, {.yes = true}, out, err) == ExitCode::fine);
  CHECK(out.str().starts_with(
      "deleted    ValidatingWebhookConfiguration portcullis\ndeleted    MutatingWebhookConfiguration portcullis\nwhat remains "));
  CHECK_FALSE(hospital.answers.contains(validating_path));
  CHECK_FALSE(hospital.answers.contains(mutating_path));
  CHECK(check_uninstall(hospital.examination()).front().verdict == Verdict::fine);

  out.str("");
  CHECK(uninstall(call, {.yes = true}, out, err) == ExitCode::fine);  // again
  CHECK(out.str().starts_with("gone       ValidatingWebhookConfiguration portcullis\n"));
  CHECK(err.str().empty());

  hospital.away = true;
  CHECK(uninstall(call, {.yes = true}, out, err) == ExitCode::not_judged);
  CHECK(err.str().find("no connection") != std::string::npos);
}

TEST_CASE("doctor and uninstall without a cluster", "[cli][doctor]") {
  const cli::test::TempDir dir;
  const std::string none = dir.path().string() + "/kubeconfig";
  for (const char* command : {"doctor", "uninstall"}) {
    CHECK(cli::test::run_program({command, "--kubeconfig", none}).code == 2);
    const std::string broken = dir.write("broken", "clusters: []\n");
    CHECK(cli::test::run_program({command, "--kubeconfig", broken}).code == 2);
  }
  CHECK(cli::test::run_program({"doctor", "--category", "certs"}).err.find("want kubernetes-api") != std::string::npos);
  CHECK(cli::test::run_program({"doctor", "--wait", "soon"}).code == 2);
  CHECK(cli::test::run_program({"doctor", "--pre", "--uninstall"}).code == 2);
}
