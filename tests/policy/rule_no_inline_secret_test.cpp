// no-inline-secret over every place where a manifest can hold text: what is found, what is left alone, and that no word of a
// finding holds the value.
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

const std::string canary = "canary-9Qz81xLmT2";

std::string pod(std::string_view container_fields, std::string_view metadata = "{name: web}") {
  return "{apiVersion: v1, kind: Pod, metadata: " + std::string(metadata) +
         ", spec: {containers: [{name: odoo, image: r.example/odoo/odoo, " + std::string(container_fields) + "}]}}";
}

std::string object(std::string_view api_version, std::string_view kind, std::string_view rest) {
  return "{apiVersion: " + std::string(api_version) + ", kind: " + std::string(kind) + ", metadata: {name: x}, " + std::string(rest) + "}";
}

// "where: what", one a line.
std::string told(const Rule& rule, const std::string& manifest, const World& world = {}) {
  std::string text;
  for (const Told& t : findings(rule, manifest, world)) text += (text.empty() ? "" : "\n") + t.where + ": " + t.what;
  return text;
}

}  // namespace

TEST_CASE("no-inline-secret", "[policy][rule]") {
  struct Case {
    const char* name;
    std::string manifest, want;
  };
  const std::string c = "spec.containers[0].";
  const Case cases[] = {
      {"a password in env", pod("env: [{name: EDI_PASSWORD, value: demo-4f9Qz81xLmT2}]"),
       c + "env[0].value: found `EDI_PASSWORD` with a literal value of 17 bytes, want a reference to a Secret"},
      {"value before name", pod("env: [{value: hunter2, name: PGPASSWORD}]"),
       c + "env[0].value: found `PGPASSWORD` with a literal value of 7 bytes, want a reference to a Secret"},
      {"a flag", pod("args: [--db_password=hunter2]"),
       c + "args[0]: found `db_password` with a literal value of 7 bytes, want a reference to a Secret"},
      {"a flag and its value", pod("args: [--db_password, hunter2]"),
       c + "args[1]: found `--db_password` with a literal value of 7 bytes, want a reference to a Secret"},
      {"Odoo's -w", pod("args: [-w, hunter2]"), c + "args[1]: found `-w` with a literal value of 7 bytes, want a reference to a Secret"},
      {"Odoo's -w in one word", pod("args: [-whunter2]"),
       c + "args[0]: found `-w` with a literal value of 7 bytes, want a reference to a Secret"},
      {"curl's -u", pod("command: [curl, -u, 'odoo:hunter2']"),
       c + "command[2]: found `-u` with a literal value of 7 bytes, want a reference to a Secret"},
      {"a command line", pod("command: [sh, -c, 'PGPASSWORD=hunter2 psql -h db']"),
       c + "command[2]: found `PGPASSWORD` with a literal value of 7 bytes, want a reference to a Secret"},
      {"a configuration file", object("v1", "ConfigMap", R"(data: {odoo.conf: "[options]\nadmin_passwd = hunter2\n"})"),
       "data[\"odoo.conf\"]: found `admin_passwd` with a literal value on line 2 of 7 bytes, want the credential in a Secret"},
      {"a number", object("bemade.org/v1", "OdooInstance", "spec: {adminPassword: 123456}"),
       "spec.adminPassword: found `adminPassword` with a literal value of 6 bytes, want a reference to a Secret"},
      // absent, null, of another type
      {"no env", pod("args: []"), ""},
      {"env null", pod("env: null"), ""},
      {"env of null", pod("env: [null]"), ""},
      {"env as an object", pod("env: {PGPASSWORD: hunter2}"),
       c + "env.PGPASSWORD: found `PGPASSWORD` with a literal value of 7 bytes, want a reference to a Secret"},
      {"a value null", pod("env: [{name: PGPASSWORD, value: null}]"), ""},
      {"a value empty", pod("env: [{name: PGPASSWORD, value: ''}]"), ""},
      {"a number as value", pod("env: [{name: WORKERS, value: 5}]"), ""},
      {"no name", pod("env: [{value: x}]"), ""},
      {"containers as text", "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: x}}", ""},
      {"spec null", "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: null}", ""},
      // innocent
      {"valueFrom", pod("env: [{name: PGPASSWORD, valueFrom: {secretKeyRef: {name: acme-db, key: password}}}]"), ""},
      {"a placeholder", pod("env: [{name: DB_PASSWORD, value: $(PGPASSWORD)}], args: [--db_password=$(PGPASSWORD)]"), ""},
      {"a file", pod("env: [{name: PGPASSWORD_FILE, value: /run/secrets/db}]"), ""},
      {"gunicorn's -w", pod("args: [-w, '4']"), ""},
      {"Odoo's -u", pod("args: [-u, 'stock_account,l10n_ch']"), ""},
      {"a user and a group", pod("args: [--user, '1000:1000']"), ""},
      {"a following flag", pod("args: [--password, --workers=4]"), ""},
      {"status", "{apiVersion: x.example/v1, kind: Thing, metadata: {name: x}, spec: {}, status: {password: hunter2}}", ""},
      {"a Secret", object("v1", "Secret", "stringData: {password: hunter2}"), ""},
      {"a SealedSecret",
       object("bitnami.com/v1alpha1", "SealedSecret", "spec: {encryptedData: {password: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq7Zt4Kd9xW2mB}}"),
       ""},
      {"an ExternalSecret",
       object("external-secrets.io/v1", "ExternalSecret",
              "spec: {data: [{secretKey: password, remoteRef: {key: acme/db, property: password}}]}"),
       ""},
      {"a description", object("x.example/v1", "Thing", "spec: {description: 'password: eight characters or more'}"), ""},
      {"owner references", pod("env: []", "{name: x, ownerReferences: [{uid: 0df28fbd5f5f41e8bc7436e6bb280816, name: x}]}"), ""},
      {"a public certificate",
       object(
           "v1", "ConfigMap",
           R"(data: {ca.crt: "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----\n"})"),
       ""},
  };
  const RulePtr rule = compile("no-inline-secret", "{}");
  for (const Case& k : cases) {
    DYNAMIC_SECTION(k.name) { CHECK(judge(*rule, k.manifest) == k.want); }
  }
}

TEST_CASE("no-inline-secret: every kind of workload and of container", "[policy][rule]") {
  const RulePtr rule = compile("no-inline-secret", "{}");
  for (const std::string_view kind : workload_kind_names())
    for (const std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
      DYNAMIC_SECTION(kind << " " << list) {
        const std::string manifest =
            workload(kind, "{" + std::string(list) + ": [{name: a, image: b, env: [{name: DB_PASSWORD, value: " + canary + "}]}]}");
        CHECK(told(*rule, manifest) == pod_spec_path(kind) + "." + std::string(list) + "[0].env[0].value: credential in the open");
        CHECK(all_words(*rule, manifest).find(canary) == std::string::npos);
      }
    }
  SECTION("a custom workload") {
    World world;
    world.workload_kinds.push_back({"argoproj.io", "v1alpha1", "Rollout", {"spec", "template"}, {"spec", "replicas"}});
    const std::string rollout =
        "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: x}, spec: {template: {spec: {containers: [{name: a, resources: "
        "{token: hunter2}, env: [{name: DB_PASSWORD, value: hunter2}]}]}}}}";
    CHECK(told(*rule, rollout, world) ==
          "spec.template.spec.containers[0].resources.token: credential in the open\n"
          "spec.template.spec.containers[0].env[0].value: credential in the open");
  }
}

TEST_CASE("no-inline-secret: the rows of the bypass catalogue", "[policy][rule]") {
  struct Case {
    const char* name;
    std::string manifest, want;  // want: "where: what"
  };
  const std::string c = "spec.containers[0].";
  const std::string github = std::string("ghp_") + "q7Zt4Kd9xW2mB8vR5nL1cY6hF3sJ0pG7aT4e";
  const std::string key = R"("-----BEGIN RSA )" + std::string("PRIVATE KEY-----\\nMIIE") + canary + R"(\n-----END RSA PRIVATE KEY-----\n")";
  const Case cases[] = {
      {"A32 containers of null", "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [null]}}", ""},
      {"A44 last-applied-configuration",
       pod("env: []",
           R"({name: x, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"spec":{"containers":[{"env":[{"name":"PGPASSWORD","value":")" +
               canary + R"("}]}]}}'}})"),
       "metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]: credential in the open"},
      {"A114 a token under an innocent name", pod("env: [{name: COLOUR, value: " + github + "}]"), c + "env[0].value: token in the open"},
      {"A114 a random value under an innocent name", pod("env: [{name: COLOUR, value: q7Zt4Kd9xW2mB8vR5nL1cY6hF3sJ0pG7}]"),
       c + "env[0].value: random-looking value"},
      {"A114 hexadecimal", pod("env: [{name: COLOUR, value: 9f86d081884c7d659a2feaa0c55ad015}]"), c + "env[0].value: random-looking value"},
      {"A114 base64", pod("env: [{name: COLOUR, value: ZGJfcGFzc3dvcmQgPSBodW50ZXIyCg==}]"), c + "env[0].value: credential in the open"},
      {"A114 a URL", pod("env: [{name: DATABASE_URL, value: 'postgres://odoo:" + canary + "@db/odoo'}]"),
       c + "env[0].value: password in a URL"},
      {"A114 PEM", object("v1", "ConfigMap", "data: {tls.key: " + key + "}"), "data[\"tls.key\"]: private key in the open"},
      {"A114 JSON in a ConfigMap", object("v1", "ConfigMap", "data: {app.json: '{\"password\": \"" + canary + "\"}'}"),
       "data[\"app.json\"]: credential in the open"},
      {"A114 binaryData", object("v1", "ConfigMap", "binaryData: {odoo.conf: W29wdGlvbnNdCmFkbWluX3Bhc3N3ZCA9IGh1bnRlcjIK}"),
       "binaryData[\"odoo.conf\"]: credential in the open"},
      {"A115 args", pod("args: [--smtp-password=" + canary + "]"), c + "args[0]: credential in the open"},
      {"A115 a probe's command", pod("readinessProbe: {exec: {command: [sh, -c, 'PGPASSWORD=" + canary + " pg_isready']}}"),
       c + "readinessProbe.exec.command[2]: credential in the open"},
      {"A115 a probe's header",
       pod("livenessProbe: {httpGet: {path: /, port: 1, httpHeaders: [{name: X-Api-Key, value: " + canary + "}]}}"),
       c + "livenessProbe.httpGet.httpHeaders[0].value: credential in the open"},
      {"A115 Basic in a probe's header",
       pod("livenessProbe: {httpGet: {path: /, port: 1, httpHeaders: [{name: Authorization, value: Basic b2Rvbzpjb3JyZWN0aG9yc2U=}]}}"),
       c + "livenessProbe.httpGet.httpHeaders[0].value: authorization in the open"},
      {"A115 a hook", pod("lifecycle: {preStop: {exec: {command: [notify, --token, " + canary + "]}}}"),
       c + "lifecycle.preStop.exec.command[2]: credential in the open"},
      {"A115 an annotation", pod("env: []", "{name: x, annotations: {acme.example/db-password: " + canary + "}}"),
       "metadata.annotations[\"acme.example/db-password\"]: credential in the open"},
      {"A115 a label", pod("env: []", "{name: x, labels: {token: " + canary + "}}"), "metadata.labels.token: credential in the open"},
      {"A115 an Ingress annotation",
       "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x, annotations: "
       "{nginx.ingress.kubernetes.io/configuration-snippet: "
       "'proxy_set_header Authorization \"Basic b2Rvbzpjb3JyZWN0aG9yc2U=\";'}}}",
       "metadata.annotations[\"nginx.ingress.kubernetes.io/configuration-snippet\"]: authorization in the open"},
      {"A115 a Middleware's header",
       object("traefik.io/v1alpha1", "Middleware", "spec: {headers: {customRequestHeaders: {X-Auth-Token: " + canary + "}}}"),
       "spec.headers.customRequestHeaders.X-Auth-Token: credential in the open"},
      {"A115 a Middleware's users",
       object("traefik.containo.us/v1alpha1", "Middleware", "spec: {basicAuth: {users: ['odoo:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00']}}"),
       "spec.basicAuth.users[0]: authorization in the open"},
      {"A115 a Middleware that names a Secret", object("traefik.io/v1alpha1", "Middleware", "spec: {basicAuth: {secret: acme-users}}"), ""},
      {"A115 an Application's parameters",
       object("argoproj.io/v1alpha1", "Application",
              "spec: {source: {helm: {parameters: [{name: postgresql.auth.password, value: " + canary + "}]}}}"),
       "spec.source.helm.parameters[0].value: credential in the open"},
      {"A115 an Application's values",
       object("argoproj.io/v1alpha1", "Application", "spec: {source: {helm: {values: \"auth:\\n  password: " + canary + "\\n\"}}}"),
       "spec.source.helm.values: credential in the open"},
      {"A115 a HelmRelease's values",
       object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {values: {auth: {password: " + canary + "}}}"),
       "spec.values.auth.password: credential in the open"},
      {"A115 a custom resource", object("bemade.org/v1", "OdooInstance", "spec: {adminPassword: " + canary + "}"),
       "spec.adminPassword: credential in the open"},
      {"A115 a list of passwords", object("x.example/v1", "Thing", "spec: {passwords: [" + canary + "]}"),
       "spec.passwords[0]: credential in the open"},
      {"A115 a driver's attributes",
       "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [], volumes: [{name: v, csi: {driver: d, volumeAttributes: "
       "{password: " +
           canary + "}}}]}}",
       "spec.volumes[0].csi.volumeAttributes.password: credential in the open"},
  };
  const RulePtr rule = compile("no-inline-secret", "{}");
  for (const Case& k : cases) {
    DYNAMIC_SECTION(k.name) {
      CHECK(told(*rule, k.manifest) == k.want);
      // A119: the value is in no word of a finding.
      const std::string words = all_words(*rule, k.manifest);
      for (const std::string& value :
           {canary, github, std::string("hunter2"), std::string("correcthorse"), std::string("q7Zt4Kd9x"), std::string("9f86d081"),
            std::string("lZL6V"), std::string("b2Rvb"), std::string("ZGJfcGF"), std::string("W29wdGl")})
        CHECK(words.find(value) == std::string::npos);
    }
  }
}

TEST_CASE("no-inline-secret: parameters", "[policy][rule]") {
  const std::string both = pod("env: [{name: MAP_TOKEN, value: abc}, {name: URL, value: 'redis://:hunter2@r'}]");
  CHECK(told(*compile("no-inline-secret", "{detectors: [url]}"), both) == "spec.containers[0].env[1].value: password in a URL");
  CHECK(told(*compile("no-inline-secret", "{allowNames: [MAP_TOKEN]}"), both) == "spec.containers[0].env[1].value: password in a URL");
  CHECK(told(*compile("no-inline-secret", "{allowNames: ['MAP_*'], detectors: [name]}"), both).empty());
  CHECK(refusal("no-inline-secret", "{allowNames: ['*']}") == "found `*`, want a name or the beginning of one and `*` at its end");
  CHECK(refusal("no-inline-secret", "{allowNames: ['A*B']}") == "found `A*B`, want a name or the beginning of one and `*` at its end");
  CHECK(refusal("no-inline-secret", "{detectors: [nose]}").find("nose") != std::string::npos);
}

TEST_CASE("no-inline-secret: an UPDATE gets worse with the entry, not with its neighbours", "[policy][rule]") {
  const RulePtr rule = compile("no-inline-secret", "{}");
  const auto told_all = findings(*rule, pod("env: [{name: A, value: b}, {name: PGPASSWORD, value: hunter2}], args: [--token, hunter2]"));
  REQUIRE(told_all.size() == 2);
  CHECK(told_all[0].at == "spec.containers[0].env[1].value");
  CHECK(told_all[0].scope == "spec.containers[0].env[1]");
  CHECK(told_all[1].scope == "spec.containers[0].args[1]");
}
