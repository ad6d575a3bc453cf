#include "webhook/handler.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/catch.hpp"
#include "tests/temp_dir.hpp"
#include "tests/webhook/door_parts.hpp"

using namespace portcullis;
using nlohmann::json;

namespace {

constexpr const char* documents = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production], systemNamespaces: [kube-system]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Madrid
  namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]
---
apiVersion: portcullis.dev/v1
kind: Policy
metadata: {name: production}
spec:
  rules:
    - {id: replica-floor, with: {min: 2}}
    - {id: container-bounds, mode: warn, inject: true, with: {require: [limits.memory], defaults: {limits.memory: 1Gi}}}
    - {id: no-inline-secret}
---
apiVersion: portcullis.dev/v1
kind: PolicyException
metadata: {name: bridge}
spec:
  rules: [replica-floor]
  match: {tenants: [acme], namespaces: [acme-prod], objects: [{kind: Deployment, name: bridge}]}
  reason: once per site
  ticket: CHG0048213
  approvedBy: security@hoster.example
  validFrom: 2026-11-20T00:00:00Z
  expiresAt: 2026-12-31T00:00:00Z
)";

// The door with everything behind it but the wire.
class Door {
 public:
  Door() {
    webhook::WebhookOptions webhook_options;
    webhook_options.now = [] { return Instant(std::chrono::sys_days(std::chrono::year(2026) / 11 / 23)); };
    handler_ = webhook::make_handlers(*store_, *log_, metrics_, webhook_options)(0);
  }

  net::Response post(const std::string& target, const std::string& body, const std::string& method = "POST",
                     const std::string& content_type = "application/json", Clock::duration age = {}) {
    return test::answer_of(*handler_, {.target = target, .body = body, .method = method, .content_type = content_type, .age = age});
  }

  json review(const std::string& path, const json& object, const std::string& operation = "CREATE", const json& old_object = nullptr) {
    const net::Response response = post(path + "?timeout=10s", text(object, operation, old_object));
    CAPTURE(response.body);
    REQUIRE(response.status == 200);
    CHECK(response.content_type == "application/json");
    const json answer = json::parse(response.body);
    CHECK(answer.at("apiVersion") == "admission.k8s.io/v1");
    CHECK(answer.at("kind") == "AdmissionReview");
    CHECK(answer.at("response").at("uid") == "0df28fbd-5f5f-11e8-bc74-36e6bb280816");
    return answer.at("response");
  }

  static std::string text(const json& object, const std::string& operation = "CREATE", const json& old_object = nullptr) {
    const json& named = object.is_null() ? old_object : object;
    const json request{{"uid", "0df28fbd-5f5f-11e8-bc74-36e6bb280816"},
                       {"kind", {{"group", "apps"}, {"version", "v1"}, {"kind", "Deployment"}}},
                       {"resource", {{"group", "apps"}, {"version", "v1"}, {"resource", "deployments"}}},
                       {"name", named["metadata"]["name"]},
                       {"namespace", "acme-prod"},
                       {"operation", operation},
                       {"userInfo", {{"username", "alice"}, {"groups", {"dev"}}}},
                       {"object", object},
                       {"oldObject", old_object},
                       {"dryRun", false},
                       {"options", nullptr}};
    return json{{"apiVersion", "admission.k8s.io/v1"}, {"kind", "AdmissionReview"}, {"request", request}}.dump();
  }

  std::string records() {
    log_->flush();
    std::stringstream all;
    all << std::ifstream(dir_.path() / "decisions.jsonl").rdbuf();
    return all.str();
  }

  webhook::WebhookMetrics& metrics() { return metrics_; }

 private:
  tests::TempDir dir_;
  std::unique_ptr<config::Store> store_ = test::open_store(dir_.path(), documents);
  std::unique_ptr<audit::Log> log_ = test::open_log(dir_.path());
  webhook::WebhookMetrics metrics_;
  std::unique_ptr<net::Handler> handler_;
};

json deployment(const std::string& name, int replicas, const json& container_more = json::object()) {
  json container{{"name", "odoo"}, {"image", "registry.example/odoo:17"}, {"resources", {{"limits", {{"memory", "1Gi"}}}}}};
  container.update(container_more);
  return json{{"apiVersion", "apps/v1"},
              {"kind", "Deployment"},
              {"metadata", {{"name", name}, {"namespace", "acme-prod"}, {"annotations", {{"portcullis.dev/change-ticket", "CHG7"}}}}},
              {"spec",
               {{"replicas", replicas},
                {"selector", {{"matchLabels", {{"app", name}}}}},
                {"template", {{"metadata", {{"labels", {{"app", name}}}}}, {"spec", {{"containers", {container}}}}}}}}};
}

std::string decoded(const std::string& base64) {
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const char c : base64) {
    if (c == '=') break;
    buffer = buffer << 6U | static_cast<unsigned>(alphabet.find(c));
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(buffer >> static_cast<unsigned>(bits) & 255U);
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("a well-made object is allowed, with annotations for the audit log", "[webhook]") {
  Door door;
  const json response = door.review("/validate", deployment("web", 2));
  CHECK(response.at("allowed") == true);
  CHECK_FALSE(response.contains("status"));
  CHECK_FALSE(response.contains("patch"));
  CHECK_FALSE(response.contains("patchType"));
  CHECK_FALSE(response.contains("warnings"));
  const json& annotations = response.at("auditAnnotations");
  CHECK(annotations.at("decision") == "allow");
  CHECK(annotations.at("tenant") == "acme");
  CHECK(annotations.at("change-ticket") == "CHG7");
  CHECK(annotations.at("policy-hash").get<std::string>().starts_with("sha256:"));
  for (const auto& [key, value] : annotations.items()) CHECK((key.size() <= 63 && key.find('/') == std::string::npos && value.is_string()));
}

TEST_CASE("a denial names every finding, its place and its fix", "[webhook]") {
  Door door;
  const json response =
      door.review("/validate", deployment("web", 1, {{"env", {{{"name", "DB_PASSWORD"}, {"value", "canary-4f9Qz81xLmT2"}}}}}));
  CHECK(response.at("allowed") == false);
  const json& status = response.at("status");
  CHECK(status.at("code") == 403);
  CHECK(status.at("reason") == "Forbidden");
  CHECK(status.at("status") == "Failure");
  const json& causes = status.at("details").at("causes");
  REQUIRE(causes.size() == 2);
  CHECK(causes[0].at("reason") == "replica-floor");
  CHECK(causes[0].at("field") == "spec.replicas");
  CHECK(causes[1].at("reason") == "no-inline-secret");
  CHECK(causes[1].at("field") == "spec.template.spec.containers[0].env[0].value");
  CHECK(status.at("message").get<std::string>().find("replica-floor: ") != std::string::npos);
  CHECK(response.at("auditAnnotations").at("findings") == "replica-floor,no-inline-secret");
  // A119: the value that was denied reaches no output.
  CHECK(response.dump().find("canary") == std::string::npos);
  CHECK(door.records().find("canary") == std::string::npos);
}

TEST_CASE("warnings are short, ASCII and on one line", "[webhook]") {
  Door door;
  json object = deployment("web", 2);
  object["spec"]["template"]["spec"]["containers"] = json::array();
  for (int i = 0; i < 60; ++i)
    object["spec"]["template"]["spec"]["containers"].push_back({{"name", "caf\xC3\xA9-" + std::to_string(i)}, {"image", "r.example/a\nb"}});
  const json response = door.review("/validate", object);
  CHECK(response.at("allowed") == true);
  std::size_t total = 0;
  for (const json& each : response.at("warnings")) {
    const std::string text = each;
    total += text.size();
    CHECK(text.size() <= 256);
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; }));
  }
  CHECK(total <= 4'096);
  CHECK(response.at("warnings").size() > 2);
}

TEST_CASE("an exception covers its finding and is named", "[webhook]") {
  Door door;
  const json response = door.review("/validate", deployment("bridge", 1));
  CHECK(response.at("allowed") == true);
  CHECK(response.at("auditAnnotations").at("exception") == "bridge");
  CHECK(response.at("auditAnnotations").at("findings") == "replica-floor");
}

TEST_CASE("/mutate patches what is absent and nothing else", "[webhook]") {
  Door door;
  json object = deployment("web", 1);
  object["spec"]["template"]["spec"]["containers"][0].erase("resources");
  const json response = door.review("/mutate", object);
  CHECK(response.at("allowed") == true);
  CHECK(response.at("patchType") == "JSONPatch");
  const json patch = json::parse(decoded(response.at("patch")));
  const json patched = object.patch(patch);
  CHECK(patched["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "1Gi");
  CHECK(patched["spec"]["replicas"] == 1);
  // A second run has nothing to add (A73), and without a patch neither field is there.
  const json second = door.review("/mutate", patched);
  CHECK_FALSE(second.contains("patch"));
  CHECK_FALSE(second.contains("patchType"));
  CHECK_FALSE(second.contains("auditAnnotations"));
}

TEST_CASE("UPDATE, DELETE and deep or elsewhere objects", "[webhook]") {
  Door door;
  CHECK(door.review("/validate", deployment("web", 2), "UPDATE", deployment("web", 2)).at("allowed") == true);
  CHECK(door.review("/validate", nullptr, "DELETE", deployment("web", 1)).at("allowed") == true);

  json deep = deployment("web", 2);
  json nest = json::array();
  for (int i = 0; i < 80; ++i) nest = json::array({nest});
  deep["spec"]["x"] = nest;
  for (const char* path : {"/validate", "/mutate"}) {
    const json response = door.review(path, deep);  // A35: a verdict, not an error, which Ignore would let in
    CHECK(response.at("allowed") == false);
    CHECK(response.at("status").at("message") == "the object is nested deeper than 64 levels");
  }

  json elsewhere = deployment("web", 2);
  elsewhere["metadata"]["namespace"] = "kube-system";
  CHECK(door.review("/validate", elsewhere).at("status").at("details").at("causes")[0].at("reason") == "namespace-mismatch");  // A49
}

TEST_CASE("what is no review is a 4xx and the next one is answered", "[webhook]") {
  Door door;
  const std::string good = Door::text(deployment("web", 2));
  CHECK(door.post("/validate", "{").status == 400);
  CHECK(door.post("/validate", good, "GET").status == 405);
  CHECK(door.post("/validate", good, "POST", "text/plain").status == 415);
  CHECK(door.post("/validate", good, "POST", "application/json; charset=utf-8").status == 200);
  CHECK(door.post("/nowhere", good).status == 404);
  CHECK(door.post("/validate", good).status == 200);
  CHECK(door.metrics().malformed.value() == 1);
}

TEST_CASE("a review whose time is over is shed with Retry-After", "[webhook]") {
  Door door;
  const net::Response late =
      door.post("/validate?timeout=1s", Door::text(deployment("web", 2)), "POST", "application/json", std::chrono::seconds(2));
  CHECK(late.status == 503);
  REQUIRE(late.headers().size() == 1);
  CHECK(late.headers()[0].name == "retry-after");
  CHECK(late.headers()[0].value == "1");
  CHECK(door.post("/validate?timeout=5s", Door::text(deployment("web", 2)), "POST", "application/json", std::chrono::seconds(2)).status ==
        200);
}

TEST_CASE("health, readiness and the record of a decision", "[webhook]") {
  Door door;
  CHECK(door.post("/healthz", "", "GET").status == 200);
  CHECK(door.post("/readyz", "", "GET").status == 200);
  door.review("/validate", deployment("web", 1));
  std::istringstream lines(door.records());
  std::string line, last;
  while (std::getline(lines, line))
    if (json::parse(line).at("kind") == "admission") last = line;
  const json record = json::parse(last);
  CHECK(record.at("uid") == "0df28fbd-5f5f-11e8-bc74-36e6bb280816");
  CHECK(record.at("op") == "CREATE");
  CHECK(record.at("res") == "apps/v1/deployments");
  CHECK(record.at("ns") == "acme-prod");
  CHECK(record.at("name") == "web");
  CHECK(record.at("tenant") == "acme");
  CHECK(record.at("who") == "alice");
  CHECK(record.at("verdict") == "deny");
  CHECK(record.at("rules") == json::array({"replica-floor"}));
}
