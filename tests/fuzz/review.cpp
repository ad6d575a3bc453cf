// An AdmissionReview through the webhook without its wire: read, judged, mended. Answers are JSON, a denial is a 403 with its
// reason, and every patch that is made applies and is complete.
#include "webhook/review.hpp"

#include <chrono>

#include "policy/document/load.hpp"
#include "policy/engine.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json_oracle.hpp"
#include "webhook/answer.hpp"
#include "webhook/patching.hpp"

using namespace portcullis;
using fuzz::must;
using nlohmann::json;

namespace {

// Every rule there is, with mending, for one tenant.
constexpr const char* documents = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec:
  environments: [staging, production]
  systemNamespaces: [kube-system]
  workloadKinds: [{apiVersion: odoo.example/v1, kind: Odoo, podTemplate: spec.template, replicas: spec.instances}]
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
metadata: {name: all}
spec:
  rules:
    - {id: image-registry, with: {allow: ["registry.hoster.example/**"]}}
    - {id: image-digest, with: {require: digest}}
    - {id: no-inline-secret}
    - {id: secret-reference, with: {allow: ["{tenant}-*"], forbidEnv: true}}
    - {id: replica-floor, with: {min: 2}}
    - {id: anti-affinity, inject: true, with: {topologyKey: kubernetes.io/hostname}}
    - id: container-bounds
      inject: true
      with:
        require: [requests.cpu, requests.memory, limits.memory]
        max: {limits.memory: 4Gi}
        maxLimitRequestRatio: 4
        defaults: {requests.cpu: 100m, requests.memory: 256Mi, limits.memory: 1Gi}
)";

const policy::PolicySnapshot& snapshot() {
  static const auto made = [] {
    auto set = policy::load_documents({{"documents.yaml", documents}});
    must(set.has_value(), "the target's own documents load", set ? "" : set.error().front().message());
    auto compiled = policy::PolicySnapshot::compile(*std::move(set));
    must(compiled.has_value(), "the target's own documents compile", compiled ? "" : compiled.error().front().message());
    return *compiled;
  }();
  return *made;
}

void judge(const webhook::Review& review, Instant now) {
  static policy::PolicySnapshot::Scratch scratch;
  static policy::Decision decision;
  static std::string body;
  snapshot().judge(review.subject, now, scratch, decision);
  webhook::write_validation(review.uid, review.subject, decision, snapshot().hash(), body);
  const json answer = json::parse(body)["response"];
  must(answer["uid"] == review.uid, "the uid comes back");
  const bool allowed = answer["allowed"];
  must(allowed == (decision.verdict != policy::Verdict::deny), "the answer says what was decided");
  must(allowed != answer.contains("status"), "a denial has a status, an admission none");
  if (!allowed) must(!answer["status"]["message"].get<std::string>().empty(), "a denial says why");
  std::size_t characters = 0;
  for (const json& warning : answer.value("warnings", json::array())) {
    const std::string said = warning;
    characters += said.size();
    must(said.size() <= webhook::warning_characters_max, "a warning has its bound");
    for (const char c : said) must(c >= ' ' && c < 0x7F, "a warning is printable ASCII");
  }
  must(characters <= webhook::warnings_characters_max, "all warnings have their bound");
}

void mend(const webhook::Review& review, Instant now) {
  static policy::PolicySnapshot::Scratch scratch;
  static std::string body;
  policy::Patch patch;
  snapshot().mend(review.subject, now, scratch, patch);
  if (!patch.empty()) {
    const auto proven = webhook::prove(snapshot(), review.subject, now, patch);
    must(proven.has_value(), "a patch that is made can be proven", proven ? "" : proven.error().message() + patch.json());
  }
  webhook::write_mutation(review.uid, patch, body);
  must(json::parse(body)["response"]["patch"].is_string() != patch.empty(), "a patch is sent when there is one");
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  static webhook::Review review;
  const fuzz::Padded body(input);
  if (!webhook::read_review(body.view(), snapshot().documents().platform.workload_kinds, {}, review)) return;
  if (review.over != policy::OverBudget::no) return;
  const Instant now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23);
  judge(review, now);
  mend(review, now);
}
