// Every refusal of a set of documents, as its author reads it.
#include <string>
#include <vector>

#include "policy/document/load.hpp"
#include "policy/rule/rule.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

// A valid set that each case adds its own file to.
constexpr const char* base = R"(apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Zurich
  namespaces:
    - {name: acme-prod, environment: production, tenancy: dedicated}
    - {pattern: "acme-proj-*", environment: staging, tenancy: multi-tenant}
  hosts: [erp.acme.example, "*.clients.acme.example"]
  guard: {plan: gold, lists: [{name: offices, cidrs: [198.51.100.0/24]}]}
)";
constexpr const char* guard = R"(apiVersion: portcullis.dev/v1
kind: GuardPolicy
metadata: {name: default}
spec:
  trustedProxies: {cidrs: [10.42.0.0/16]}
  plans: {gold: {factor: 4}}
  lists: [{name: vpn, cidrs: [192.0.2.240/28]}]
)";

std::string told(const std::vector<DocumentFile>& files) {
  const auto set = load_documents(files);
  if (set) return "";
  std::string out;
  for (const Error& error : set.error()) out += (out.empty() ? "" : "\n") + error.message();
  return out;
}

std::string document(const std::string& kind, const std::string& spec, const std::string& name = "x") {
  return "apiVersion: portcullis.dev/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}

std::string refused(const std::string& text) { return told({{"base.yaml", base}, {"guard.yaml", guard}, {"x.yaml", text}}); }

struct Case {
  std::string text, told;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(refused(c.text) == c.told);
    }
}

// ---- one kind each: a spec, and what is said of it at x.yaml
std::string tenant(const std::string& change) {
  // Fields of a sound tenant, unless `change` has its own.
  std::string spec = "{" + change;
  const auto add = [&](const std::string& field, const std::string& value) {
    if (change.find(field + ":") == std::string::npos) spec += ", " + field + ": " + value;
  };
  add("tier", "1");
  add("timeZone", "Europe/Zurich");
  add("namespaces", "[{name: x-prod, environment: production, tenancy: dedicated}]");
  return document("Tenant", spec + "}");
}

}  // namespace

TEST_CASE("a sound set is taken", "[policy][document]") {
  CHECK(refused("") == "");
  CHECK(refused(tenant("hosts: [x.example]")) == "");
}

TEST_CASE("refusals of what every document has", "[policy][document]") {
  check({
      {"- a\n", "x.yaml:1:1: found a list, want a document: a mapping with apiVersion, kind, metadata and spec"},
      {"kind: Tenat\n",
       "x.yaml:1:7 kind: found `Tenat`, want Platform, Tenant, Policy, PolicyException, GuardPolicy or Calendar (did you mean `Tenant`?)"},
      {"metadata: {name: x}\n", "x.yaml:1:1 kind: found nothing, want Platform, Tenant, Policy, PolicyException, GuardPolicy or Calendar"},
      {"apiVersion: portcullis.dev/v2\nkind: Policy\nmetadata: {name: x}\nspec: {rules: [{id: image-digest}]}\n",
       "x.yaml:1:13 apiVersion: found `portcullis.dev/v2`, want portcullis.dev/v1 (did you mean `portcullis.dev/v1`?)"},
      {"kind: Policy\nspce: {}\n",
       "x.yaml:1:1 apiVersion: found nothing, want portcullis.dev/v1\n"
       "x.yaml:1:1 metadata: found nothing, want a mapping with name\n"
       "x.yaml:1:1 spec: found nothing, want a mapping with match, mode, failureMode or rules\n"
       "x.yaml:2:1 spce: found the unknown field `spce`, want apiVersion, kind, metadata or spec (did you mean `spec`?)"},
      {"apiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: No_Name, labels: {}}\nspec: {rules: [{id: image-digest}]}\n",
       "x.yaml:3:18 metadata.name: found `No_Name`, want a DNS name: lower-case letters, digits, `-` and `.`, at most 253\n"
       "x.yaml:3:27 metadata.labels: found the unknown field `labels`, want name"},
      {"apiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: 12}\nspec: {rules: [{id: image-digest}]}\n",
       "x.yaml:3:18 metadata.name: found `12` (an integer), want a DNS name: lower-case letters, digits, `-` and `.`, at most 253; quote "
       "it to make it text"},
      {document("Grant", "{}"), "x.yaml:2:7 kind: found `Grant`, want Platform, Tenant, Policy, PolicyException, GuardPolicy or Calendar"},
      {"a: 1\na: 2\n", "x.yaml:2:1: found the key `a` a second time, want each key once (the first is at 1:1)"},
      {"a: [\n", "x.yaml:2:1: not YAML: did not find expected node content, while parsing a flow node that begins at 2:1"},
      {document("Platform", "{environments: [staging, production]}", "second"),
       "x.yaml:1:1: found a second Platform, want exactly one (the first is at base.yaml:1:1)"},
      {document("GuardPolicy", "{trustedProxies: {cidrs: [10.0.0.0/8]}}", "second"),
       "x.yaml:1:1: found a second GuardPolicy, want exactly one (the first is at guard.yaml:1:1)"},
      {document("Tenant", "{tier: 1, timeZone: UTC, namespaces: [{name: y, environment: staging, tenancy: dedicated}]}", "acme"),
       "x.yaml:1:1 metadata.name: found the Tenant `acme` a second time, want each name once (the first is at base.yaml:6:1)\n"
       "x.yaml:4:52 spec.namespaces[0].name: found `y` (a boolean), want a namespace's name, or `pattern` instead; quote it to make it "
       "text"},
  });
}

TEST_CASE("refusals of a Tenant", "[policy][document]") {
  check({
      {document("Tenant", "{}"),
       "x.yaml:4:7 spec.tier: found nothing, want a tier from 1 (production finance) to 3 (sandbox)\n"
       "x.yaml:4:7 spec.timeZone: found nothing, want an IANA time zone such as Europe/Zurich\n"
       "x.yaml:4:7 spec.namespaces: found nothing, want a list of namespaces"},
      {document("Tenant", "3"),
       "x.yaml:4:7 spec: found `3` (an integer), want a mapping with tier, timeZone, namespaces, hosts, budget, contacts or guard"},
      {tenant("tier: 4"), "x.yaml:4:14 spec.tier: found `4` (an integer), want a tier from 1 (production finance) to 3 (sandbox)"},
      {tenant("tier: \"1\""),
       "x.yaml:4:14 spec.tier: found `1`, want a tier from 1 (production finance) to 3 (sandbox); write it without quotes"},
      {tenant("tier: ~"), "x.yaml:4:14 spec.tier: found nothing, want a tier from 1 (production finance) to 3 (sandbox)"},
      {tenant("timeZone: Europe/Zurch"),
       "x.yaml:4:18 spec.timeZone: found `Europe/Zurch`, want an IANA time zone such as Europe/Zurich (did you mean `Europe/Zurich`?)"},
      {tenant("timezone: Europe/Zurich"),
       "x.yaml:4:8 spec.timezone: found the unknown field `timezone`, want tier, timeZone, namespaces, hosts, budget, contacts or guard "
       "(did you mean `timeZone`?)"},
      {tenant("namespaces: []"), "x.yaml:4:20 spec.namespaces: found an empty list, want a list of namespaces"},
      {tenant("namespaces: {}"), "x.yaml:4:20 spec.namespaces: found a mapping, want a list of namespaces"},
      {tenant("namespaces: [{environment: prodution, tenancy: dedicted}]"),
       "x.yaml:4:21 spec.namespaces[0].name: found nothing, want a namespace's name, or `pattern` instead\n"
       "x.yaml:4:35 spec.namespaces[0].environment: found `prodution`, want an environment of the Platform (did you mean `production`?)\n"
       "x.yaml:4:55 spec.namespaces[0].tenancy: found `dedicted`, want dedicated or multi-tenant (did you mean `dedicated`?)"},
      {tenant("namespaces: [{name: x-1, pattern: x-*, environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:42 spec.namespaces[0].pattern: found `pattern` beside `name`, want one of them"},
      {tenant("namespaces: [{pattern: \"*\", environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:31 spec.namespaces[0].pattern: found `*`, want a prefix of a namespace with one `*` at its end, such as acme-proj-*"},
      {tenant("namespaces: [{pattern: \"x-*-y\", environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:31 spec.namespaces[0].pattern: found `x-*-y`, want a prefix of a namespace with one `*` at its end, such as acme-proj-*"},
      {tenant("namespaces: [{name: X_1, environment: staging, tenancy: dedicated, tier: 0}]"),
       "x.yaml:4:7 spec.tier: found nothing, want a tier from 1 (production finance) to 3 (sandbox)\n"
       "x.yaml:4:28 spec.namespaces[0].name: found `X_1`, want a DNS label: lower-case letters, digits and `-`, at most 63\n"
       "x.yaml:4:81 spec.namespaces[0].tier: found `0` (an integer), want a tier from 1 (production finance) to 3 (sandbox)"},
      {tenant("namespaces: [{name: acme-prod, environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:28 spec.namespaces[0].name: found `acme-prod`, which tenant `acme` owns by `acme-prod` at base.yaml:13:14; want one owner "
       "for each namespace"},
      {tenant("namespaces: [{name: acme-proj-7, environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:28 spec.namespaces[0].name: found `acme-proj-7`, which tenant `acme` owns by `acme-proj-*` at base.yaml:14:17; want one "
       "owner for each namespace"},
      {tenant("namespaces: [{pattern: \"acme-*\", environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:31 spec.namespaces[0].pattern: found `acme-*`, which tenant `acme` owns by `acme-prod` at base.yaml:13:14; want one owner "
       "for each namespace\n"
       "x.yaml:4:31 spec.namespaces[0].pattern: found `acme-*`, which tenant `acme` owns by `acme-proj-*` at base.yaml:14:17; want one "
       "owner for each namespace"},
      {tenant("namespaces: [{name: kube-system, environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:28 spec.namespaces[0].name: found `kube-system` of tenant `x`, which holds the system namespace `kube-system`; want no "
       "tenant to own one"},
      {tenant("namespaces: [{pattern: \"kube-*\", environment: staging, tenancy: dedicated}]"),
       "x.yaml:4:31 spec.namespaces[0].pattern: found `kube-*` of tenant `x`, which holds the system namespace `kube-system`; want no "
       "tenant to own one"},
      {tenant("hosts: [ERP.x.example, \"*\", \"a.*.b\", x.example:443, x.example.]"),
       "x.yaml:4:16 spec.hosts[0]: found `ERP.x.example`, want a host name in lower case without a port, `*.` in front for any one label\n"
       "x.yaml:4:31 spec.hosts[1]: found `*`, want a host name in lower case without a port, `*.` in front for any one label\n"
       "x.yaml:4:36 spec.hosts[2]: found `a.*.b`, want a host name in lower case without a port, `*.` in front for any one label\n"
       "x.yaml:4:45 spec.hosts[3]: found `x.example:443`, want a host name in lower case without a port, `*.` in front for any one label\n"
       "x.yaml:4:60 spec.hosts[4]: found `x.example.`, want a host name in lower case without a port, `*.` in front for any one label"},
      {tenant("hosts: [erp.acme.example]"),
       "x.yaml:4:16 spec.hosts[0]: found `erp.acme.example`, which tenant `acme` owns by `erp.acme.example` at base.yaml:15:11; want one "
       "owner for each host"},
      {tenant("hosts: [wiki.clients.acme.example, a.b.clients.acme.example]"),
       "x.yaml:4:16 spec.hosts[0]: found `wiki.clients.acme.example`, which tenant `acme` owns by `*.clients.acme.example` at "
       "base.yaml:15:29; want one owner for each host"},
      {tenant("hosts: [\"*.acme.example\"]"),
       "x.yaml:4:16 spec.hosts[0]: found `*.acme.example`, which tenant `acme` owns by `erp.acme.example` at base.yaml:15:11; want one "
       "owner for each host"},
      {tenant("hosts: [a.example, a.example]"),
       "x.yaml:4:27 spec.hosts[1]: found `a.example`, which this tenant owns by `a.example` at x.yaml:4:16; want one owner for each host"},
      {tenant("budget: {request.cpu: 1, pods: -1, limits.memory: 1 Gi, count/deployments.apps: true}"),
       "x.yaml:4:30 spec.budget[\"request.cpu\"]: found the unknown resource `request.cpu`, want a resource name of ResourceQuota (did you "
       "mean `requests.cpu`?)\n"
       "x.yaml:4:39 spec.budget.pods: found `-1` (an integer), want a quantity of at least 0\n"
       "x.yaml:4:58 spec.budget[\"limits.memory\"]: found `1 Gi`, want a quantity such as 500m, 2 or 1Gi\n"
       "x.yaml:4:88 spec.budget[\"count/deployments.apps\"]: found `true` (a boolean), want a quantity such as 500m, 2 or 1Gi"},
      {tenant("budget: {storage: 1Ti, nvidia.com/gpu: 2, count/Pods: 3}"),
       "x.yaml:4:26 spec.budget.storage: found the unknown resource `storage`, want a resource name of ResourceQuota\n"
       "x.yaml:4:47 spec.budget[\"nvidia.com/gpu\"]: found the unknown resource `nvidia.com/gpu`, want requests.nvidia.com/gpu, since "
       "devices are counted by what is requested\n"
       "x.yaml:4:62 spec.budget.count/Pods: found the unknown resource `count/Pods`, want count/ and the plural name of a resource "
       "with its group, such as count/deployments.apps"},
      {tenant("contacts: {owner: 7, alert: x}"),
       "x.yaml:4:26 spec.contacts.owner: found `7` (an integer), want a mail address or name; quote it to make it text\n"
       "x.yaml:4:29 spec.contacts.alert: found the unknown field `alert`, want owner or alerts (did you mean `alerts`?)"},
      {tenant("guard: {plan: glod}"), "x.yaml:4:22 spec.guard.plan: found `glod`, want a plan of the GuardPolicy (did you mean `gold`?)"},
      {tenant("guard: {lists: [{name: a, cidrs: [10.0.0.0/8]}, {name: a, cidrs: [10.0.0.0/8]}]}"),
       "x.yaml:4:15 spec.guard.plan: found nothing, want a plan of the GuardPolicy\n"
       "x.yaml:4:63 spec.guard.lists[1].name: found the list `a` a second time, want each name once (the first is at x.yaml:4:31)"},
      {tenant("guard: {plan: gold, mode: shadw}"),
       "x.yaml:4:34 spec.guard.mode: found `shadw`, want enforce or shadow (did you mean `shadow`?)"},
      {tenant("guard: {plan: gold, access: [{classes: [rpcweb], allow: [vpm], deny: [offices], default: deny}]}"),
       "x.yaml:4:48 spec.guard.access[0].classes[0]: found `rpcweb`, want db-admin, login, login-page, signup-reset, rpc-legacy, "
       "rpc-json2, rpc-web, export, report, barcode, upload, image, static, ws-connect, poll, discuss, shop, public, form, pay-client, "
       "pay-hook, health, dev, pos, scan or other (did you mean `rpc-web`?)\n"
       "x.yaml:4:65 spec.guard.access[0].allow[0]: found `vpm`, want a list of the tenant or of the GuardPolicy (did you mean `vpn`?)\n"
       "x.yaml:4:78 spec.guard.access[0].deny[0]: found `offices`, want a list of the tenant or of the GuardPolicy"},
      {tenant("guard: {plan: gold, access: [{classes: [rpc-web], allow: [vpn]}]}"),
       "x.yaml:4:37 spec.guard.access[0].default: found nothing, want allow or deny"},
  });
}

TEST_CASE("refusals of a Policy", "[policy][document]") {
  check({
      {document("Policy", "{}"), "x.yaml:4:7 spec.rules: found nothing, want a list of rules, each with its `id`"},
      {document("Policy", "{rules: []}"), "x.yaml:4:15 spec.rules: found an empty list, want a list of rules, each with its `id`"},
      {document("Policy", "{rules: [{}]}"), "x.yaml:4:16 spec.rules[0].id: found nothing, want a rule's id such as container-bounds"},
      {document("Policy", "{rules: [{id: image-digst}]}"),
       "x.yaml:4:21 spec.rules[0].id: found the unknown rule `image-digst`, want one of " + rule_id_list() +
           " (did you mean "
           "`image-digest`?)"},
      {document("Policy", "{mode: enforced, failureMode: open, rules: [{id: image-digest, mode: off}]}"),
       "x.yaml:4:14 spec.mode: found `enforced`, want enforce, warn or audit (did you mean `enforce`?)\n"
       "x.yaml:4:37 spec.failureMode: found `open`, want deny, warn or allow\n"
       "x.yaml:4:76 spec.rules[0].mode: found `off` (a boolean), want enforce, warn or audit"},
      {document("Policy", "{rules: [{id: image-digest, inject: true}]}"),
       "x.yaml:4:43 spec.rules[0].inject: found `true`, but image-digest mends nothing; leave `inject` out"},
      {document("Policy", "{rules: [{id: replica-floor, with: {mn: 2}}]}"),
       "x.yaml:4:42 spec.rules[0].with.min: found nothing, want an integer from 2 to 100\n"
       "x.yaml:4:43 spec.rules[0].with.mn: found the unknown field `mn`, want min (did you mean `min`?)"},
      {document("Policy",
                "{match: {tiers: [], environments: [prod], tenants: [acne], namespaces: [acme-prd], tenancies: [both]}, rules: [{id: "
                "image-digest}]}"),
       "x.yaml:4:23 spec.match.tiers: found an empty list, want a list with at least one entry, or nothing at all to match everything\n"
       "x.yaml:4:42 spec.match.environments[0]: found `prod`, want an environment of the Platform\n"
       "x.yaml:4:59 spec.match.tenants[0]: found `acne`, want a tenant's name (did you mean `acme`?)\n"
       "x.yaml:4:79 spec.match.namespaces[0]: found `acme-prd`, want a namespace that a tenant owns (did you mean `acme-prod`?)\n"
       "x.yaml:4:102 spec.match.tenancies[0]: found `both`, want dedicated or multi-tenant"},
      {document(
           "Policy",
           "{match: {tiers: [4], kinds: [deployment, Pod.], operations: [create], groups: [1], tier: 1}, rules: [{id: image-digest}]}"),
       "x.yaml:4:24 spec.match.tiers[0]: found `4` (an integer), want a tier from 1 to 3\n"
       "x.yaml:4:36 spec.match.kinds[0]: found `deployment`, want a kind such as Deployment or Deployment.apps\n"
       "x.yaml:4:48 spec.match.kinds[1]: found `Pod.`, want a kind such as Deployment or Deployment.apps\n"
       "x.yaml:4:68 spec.match.operations[0]: found `create`, want CREATE, UPDATE, DELETE or CONNECT (did you mean `CREATE`?)\n"
       "x.yaml:4:86 spec.match.groups[0]: found `1` (an integer), want a group of the requesting user; quote it to make it text\n"
       "x.yaml:4:90 spec.match.tier: found the unknown field `tier`, want tiers, environments, tenancies, tenants, namespaces, kinds, "
       "operations, groups or selector (did you mean `tiers`?)"},
      {document("Policy",
                "{match: {selector: {matchLabels: {\"-a\": b, c: \"d e\"}, matchExpressions: [{key: a, operator: in}, {key: a, operator: "
                "Exists, values: [b]}, {key: a, operator: In, values: []}]}}, rules: [{id: image-digest}]}"),
       "x.yaml:4:47 spec.match.selector.matchLabels.-a: found the key `-a`, want a label key such as app.kubernetes.io/name\n"
       "x.yaml:4:53 spec.match.selector.matchLabels.c: found `d e`, want a label value of at most 63 letters, digits, `-`, `_` and `.`\n"
       "x.yaml:4:99 spec.match.selector.matchExpressions[0].operator: found `in`, want In, NotIn, Exists or DoesNotExist (did you mean "
       "`In`?)\n"
       "x.yaml:4:139 spec.match.selector.matchExpressions[1].values: found values beside the operator `Exists`, want none\n"
       "x.yaml:4:176 spec.match.selector.matchExpressions[2].values: found an empty list, want a list of label values"},
  });
}

TEST_CASE("refusals of a PolicyException", "[policy][document]") {
  const auto exception = [](const std::string& change) {
    std::string spec = "{" + change;
    const auto add = [&](const std::string& field, const std::string& value) {
      if (change.find(field + ":") == std::string::npos) spec += (spec == "{" ? "" : ", ") + field + ": " + value;
    };
    add("rules", "[image-digest]");
    add("match", "{tenants: [acme], namespaces: [acme-prod], objects: [{kind: Pod, name: a}]}");
    add("reason", "because");
    add("ticket", "CHG1");
    add("approvedBy", "security");
    add("validFrom", "2026-11-20T00:00:00+01:00");
    add("expiresAt", "2026-12-20T00:00:00Z");
    return document("PolicyException", spec + "}");
  };
  CHECK(refused(exception("")) == "");
  CHECK(refused(exception("validFrom: 2020-01-01T00:00:00Z, expiresAt: 2020-01-02T00:00:00Z")) == "");  // expired: inert, taken
  check({
      {document("PolicyException", "{}"),
       "x.yaml:4:7 spec.rules: found nothing, want a list of rule ids\n"
       "x.yaml:4:7 spec.match: found nothing, want a mapping with tenants, namespaces or objects\n"
       "x.yaml:4:7 spec.reason: found nothing, want the reason for this exception\n"
       "x.yaml:4:7 spec.ticket: found nothing, want the ticket of this exception\n"
       "x.yaml:4:7 spec.approvedBy: found nothing, want who approved this exception\n"
       "x.yaml:4:7 spec.validFrom: found nothing, want an instant with its offset such as 2026-11-20T00:00:00+01:00\n"
       "x.yaml:4:7 spec.expiresAt: found nothing, want an instant with its offset such as 2026-11-20T00:00:00+01:00"},
      {exception("rules: [\"*\", image-digets]"),
       "x.yaml:4:16 spec.rules[0]: found `*`, want a rule's id: an exception takes no wildcard here\n"
       "x.yaml:4:21 spec.rules[1]: found the unknown rule `image-digets`, want one of " +
           rule_id_list() +
           " (did you mean "
           "`image-digest`?)"},
      {exception("match: {tenants: [\"*\"], namespaces: [acme-*], objects: [{kind: deployment, name: \"*\"}]}"),
       "x.yaml:4:26 spec.match.tenants[0]: found `*`, want a tenant's name without a wildcard\n"
       "x.yaml:4:45 spec.match.namespaces[0]: found `acme-*`, want a namespace's name without a wildcard\n"
       "x.yaml:4:71 spec.match.objects[0].kind: found `deployment`, want a kind such as Deployment\n"
       "x.yaml:4:89 spec.match.objects[0].name: found `*`, want an object's name, with at most one `*` at its end and something before it"},
      {exception("match: {tenants: [acme], namespaces: [other], objects: [{kind: Pod, name: a*b}]}"),
       "x.yaml:4:46 spec.match.namespaces[0]: found `other`, want a namespace that a tenant owns\n"
       "x.yaml:4:82 spec.match.objects[0].name: found `a*b`, want an object's name, with at most one `*` at its end and something before "
       "it"},
      {exception("match: {tenants: [acme], namespaces: [acme-proj-1], objects: [{kind: Pod, name: a, generated: true}]}"),
       "x.yaml:4:102 spec.match.objects[0].generated: found `true` beside a whole name, want a `*` at the end of `name`"},
      {exception("reason: \" \""), "x.yaml:4:16 spec.reason: found a blank text, want the reason for this exception"},
      {exception("expiresAt: 2026-12-20T00:00:00"),
       "x.yaml:4:19 spec.expiresAt: found `2026-12-20T00:00:00`, want an instant with its offset such as 2026-11-20T00:00:00+01:00"},
      {exception("expiresAt: 2026-12-20T23:59:60Z"),
       "x.yaml:4:19 spec.expiresAt: found `2026-12-20T23:59:60Z`, want an instant with its offset such as 2026-11-20T00:00:00+01:00"},
      {exception("expiresAt: 2026-02-30T00:00:00Z"),
       "x.yaml:4:19 spec.expiresAt: found `2026-02-30T00:00:00Z`, want an instant with its offset such as 2026-11-20T00:00:00+01:00"},
      {exception("expiresAt: 9999-12-31T23:59:59Z"),
       "x.yaml:4:19 spec.expiresAt: found P2912120DT59M59S after validFrom, want at most P90D (Platform.exceptions.maxDuration)"},
      {exception("expiresAt: 2026-11-19T23:00:00Z"),
       "x.yaml:4:19 spec.expiresAt: found `2026-11-19T23:00:00Z`, want an instant after validFrom"},
      {exception("expiresAt: 2026-12-20"),
       "x.yaml:4:19 spec.expiresAt: found `2026-12-20`, want an instant with its offset such as 2026-11-20T00:00:00+01:00"},
  });
}

TEST_CASE("refusals of a GuardPolicy", "[policy][document]") {
  const auto told_of = [](const std::string& spec) {
    return told({{"base.yaml", base},
                 {"x.yaml", document("GuardPolicy",
                                     spec.find("plans:") == std::string::npos ? "{plans: {gold: {}}, " + spec + "}" : "{" + spec + "}")}});
  };
  const std::vector<Case> cases{
      {"mode: enforce", "x.yaml:4:7 spec.trustedProxies: found nothing, want a mapping with cidrs or hops"},
      {"trustedProxies: {}", "x.yaml:4:43 spec.trustedProxies.cidrs: found nothing, want a list of networks"},
      {"trustedProxies: {cidrs: [0.0.0.0/0], hops: 0}",
       "x.yaml:4:52 spec.trustedProxies.cidrs[0]: found `0.0.0.0/0`, which would trust every peer; want the networks of your proxies\n"
       "x.yaml:4:70 spec.trustedProxies.hops: found `0` (an integer), want the number of proxies that append to X-Forwarded-For, from 1 to "
       "16"},
      {"trustedProxies: {cidrs: [10.0.0.5/8, 10.0.0.0/33, 10.0.0.0/08, 10.0.0.1, 010.0.0.0/8, \"fe80::%1/64\", \"::ffff:0:0/96\"]}",
       "x.yaml:4:52 spec.trustedProxies.cidrs[0]: found `10.0.0.5/8` with address bits beyond its length, want 10.0.0.0/8\n"
       "x.yaml:4:64 spec.trustedProxies.cidrs[1]: found `10.0.0.0/33`, want a length from 0 to 32 after the `/`\n"
       "x.yaml:4:77 spec.trustedProxies.cidrs[2]: found `10.0.0.0/08`, want a length from 0 to 32 after the `/`\n"
       "x.yaml:4:90 spec.trustedProxies.cidrs[3]: found `10.0.0.1` without a length, want 10.0.0.1/32 for this one address\n"
       "x.yaml:4:100 spec.trustedProxies.cidrs[4]: found `010.0.0.0/8`, want a network such as 10.42.0.0/16 or 2001:db8::/32\n"
       "x.yaml:4:113 spec.trustedProxies.cidrs[5]: found `fe80::%1/64`, want a network such as 10.42.0.0/16 or 2001:db8::/32\n"
       "x.yaml:4:128 spec.trustedProxies.cidrs[6]: found `::ffff:0:0/96`, which holds every IPv4 address; write 0.0.0.0/0 or ::/0 if that "
       "is meant"},
      {"trustedProxies: {cidrs: [10.0.0.0/8, \"::ffff:10.0.0.0/104\"]}",
       "x.yaml:4:64 spec.trustedProxies.cidrs[1]: found the network `::ffff:10.0.0.0/104` a second time, want each once"},
      {"trustedProxies: {cidrs: [10.0.0.0/8]}, unknownHost: maybe, mode: off",
       "x.yaml:4:79 spec.unknownHost: found `maybe`, want deny or allow\n"
       "x.yaml:4:92 spec.mode: found `off` (a boolean), want enforce or shadow"},
      {"trustedProxies: {cidrs: [10.0.0.0/8]}, classes: {login: {cost: -1, limits: [{key: ip, rate: 30/m, burst: 0}]}, static: {limits: "
       "[]}}",
       "x.yaml:4:90 spec.classes.login.cost: found `-1` (an integer), want a cost from 0 to 1000\n"
       "x.yaml:4:109 spec.classes.login.limits[0].key: found `ip`, want address, session, login, api-key or tenant\n"
       "x.yaml:4:119 spec.classes.login.limits[0].rate: found `30/m`, want a rate such as 30/min; the units are s, min, h and day\n"
       "x.yaml:4:132 spec.classes.login.limits[0].burst: found `0` (an integer), want a burst of at least 1, the requests let through at "
       "once\n"
       "x.yaml:4:155 spec.classes.static.limits: found an empty list, want a list of limits, each with `key`, `rate` and `burst`"},
      {"trustedProxies: {cidrs: [10.0.0.0/8]}, plans: {Gold: {factor: 0, tenant: {rate: 0/s}}}",
       "base.yaml:16:17 spec.guard.plan: found `gold`, want a plan of the GuardPolicy (did you mean `Gold`?)\n"
       "x.yaml:4:61 spec.plans.Gold: found the plan `Gold`, want a name that is a DNS label\n"
       "x.yaml:4:70 spec.plans.Gold.factor: found `0` (an integer), want a factor above 0, at most 1000\n"
       "x.yaml:4:81 spec.plans.Gold.tenant.burst: found nothing, want a burst of at least 1, the requests let through at once\n"
       "x.yaml:4:88 spec.plans.Gold.tenant.rate: found `0/s`, want a rate such as 30/min; the units are s, min, h and day"},
      {"trustedProxies: {cidrs: [10.0.0.0/8]}, access: [{classes: [], allow: [offices], default: dny}]",
       "x.yaml:4:85 spec.access[0].classes: found an empty list, want a list of route classes\n"
       "x.yaml:4:97 spec.access[0].allow[0]: found `offices`, want a list of the GuardPolicy, of which there is none\n"
       "x.yaml:4:116 spec.access[0].default: found `dny`, want allow or deny (did you mean `deny`?)"},
      {"trustedProxies: {cidrs: [10.0.0.0/8]}, lists: [{name: all, cidrs: [0.0.0.0/0, \"::/0\"], factor: \"2\"}]",
       "x.yaml:4:122 spec.lists[0].factor: found `2`, want a factor above 0, at most 1000; write it without quotes"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told_of(c.text) == c.told);
    }
}

TEST_CASE("refusals of a Platform", "[policy][document]") {
  const std::vector<Case> cases{
      {"{}", "x.yaml:4:7 spec.environments: found nothing, want a list of environments in the order of promotion"},
      {"{environments: []}", "x.yaml:4:22 spec.environments: found an empty list, want a list of environments in the order of promotion"},
      {"{environments: [a, a, B]}",
       "x.yaml:4:26 spec.environments[1]: found the environment `a` a second time, want each once\n"
       "x.yaml:4:29 spec.environments[2]: found `B`, want a DNS label: lower-case letters, digits and `-`, at most 63"},
      {"{environments: [a], unknownNamespace: dney, exceptions: {maxDuration: P1M}, gitops: {}}",
       "x.yaml:4:45 spec.unknownNamespace: found `dney`, want deny, warn or allow (did you mean `deny`?)\n"
       "x.yaml:4:77 spec.exceptions.maxDuration: found `P1M`, want a duration such as P90D or 72h\n"
       "x.yaml:4:83 spec.gitops: found the unknown field `gitops`, want systemNamespaces, environments, unknownNamespace, exceptions, "
       "controllers or workloadKinds"},
      {"{environments: [a], exceptions: {maxDuration: 0s}, controllers: [\"system:*\"], systemNamespaces: [kube_system]}",
       "x.yaml:4:53 spec.exceptions.maxDuration: found `0s`, want a duration such as P90D or 72h\n"
       "x.yaml:4:72 spec.controllers[0]: found `system:*`, want a user name such as system:serviceaccount:cert-manager:cert-manager\n"
       "x.yaml:4:104 spec.systemNamespaces[0]: found `kube_system`, want a DNS label: lower-case letters, digits and `-`, at most 63"},
      {"{environments: [a], workloadKinds: [{apiVersion: v1, kind: a b, podTemplate: spec..x}]}",
       "x.yaml:4:56 spec.workloadKinds[0].apiVersion: found `v1`, want a group and version such as argoproj.io/v1alpha1\n"
       "x.yaml:4:66 spec.workloadKinds[0].kind: found `a b`, want a kind such as Rollout\n"
       "x.yaml:4:84 spec.workloadKinds[0].podTemplate: found `spec..x`, want a path of fields such as spec.template"},
  };
  for (const Case& c : cases) DYNAMIC_SECTION(c.text) {
      CHECK(told({{"x.yaml", document("Platform", c.text)}}) == c.told);
    }
}

TEST_CASE("what is missing, and limits", "[policy][document]") {
  CHECK(told({}) == "found no Platform, want exactly one");
  const auto guarded = load_documents({{"x.yaml", document("Platform", "{environments: [a]}")}}, true);
  REQUIRE_FALSE(guarded);
  CHECK(guarded.error().front().message() == "found no GuardPolicy, want exactly one where the guard runs");
  // A plan needs a GuardPolicy that has it.
  CHECK(told({{"base.yaml", base}}) ==
        "base.yaml:16:17 spec.guard.plan: found `gold`, want a plan of the GuardPolicy, of which there is none");
  DocumentLimits limits;
  limits.set_bytes_max = 10;
  const auto large = load_documents({{"x.yaml", "01234567890"}}, false, limits);
  REQUIRE_FALSE(large);
  CHECK(large.error().front().message() == "found 11 bytes of documents, want at most 10 (limit set_bytes_max)");
  CHECK(large.error().front().kind == ErrorKind::limit_exceeded);
}

TEST_CASE("errors of several files stand in order, and what could not be read is not missed", "[policy][document]") {
  CHECK(told({{"b.yaml", document("Policy", "{rules: [{id: image-digest, mode: of}]}")}, {"a.yaml", "a: [\n"}}).find("a.yaml:") == 0);
  CHECK(told({{"a.yaml", "kind: Platfrom\n"}, {"b.yaml", "- 1\n- 2\n"}}) ==
        "a.yaml:1:7 kind: found `Platfrom`, want Platform, Tenant, Policy, PolicyException, GuardPolicy or Calendar (did you mean "
        "`Platform`?)\n"
        "b.yaml:1:1: found a list, want a document: a mapping with apiVersion, kind, metadata and spec");
}
