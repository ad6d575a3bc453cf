// secret-reference: every door one by one, in every kind of workload and container; whose Secret it is; what nobody knows yet.
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

std::string pod(std::string_view spec) {
  return "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [], " + std::string(spec) + "}}";
}
std::string container(std::string_view fields) {
  return "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: odoo, image: i, " + std::string(fields) + "}]}}";
}

std::string told(const Rule& rule, const std::string& manifest, const World& world = {}) {
  std::string text;
  for (const Told& t : findings(rule, manifest, world)) text += (text.empty() ? "" : "\n") + t.where + ": " + t.what;
  return text;
}

std::string with_name(std::string text, std::string_view name) {
  for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at)) text.replace(at, 1, name);
  return text;
}

}  // namespace

TEST_CASE("secret-reference", "[policy][rule]") {
  struct Case {
    const char* name;
    std::string manifest, want;
  };
  const std::string c = "spec.containers[0].";
  const std::string own = ", want a name such as `{tenant}-*`";
  const Case cases[] = {
      {"one's own", container("env: [{name: A, valueFrom: {secretKeyRef: {name: acme-db, key: k}}}]"), ""},
      {"another's", container("env: [{name: A, valueFrom: {secretKeyRef: {name: globex-db, key: k}}}]"),
       c + "env[0].valueFrom.secretKeyRef.name: found the Secret `globex-db`" + own},
      {"A117 optional, though one's own", container("env: [{name: A, valueFrom: {secretKeyRef: {name: acme-db, key: k, optional: true}}}]"),
       c + "env[0].valueFrom.secretKeyRef.optional: found true, want false, or left out"},
      {"not optional", container("env: [{name: A, valueFrom: {secretKeyRef: {name: acme-db, key: k, optional: false}}}]"), ""},
      {"A116 a source nobody knew", container("env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k}}}]"),
       c + "env[0].valueFrom.fileKeyRef: found `fileKeyRef`, want one that this program knows: fieldRef, resourceFieldRef, "
           "configMapKeyRef, secretKeyRef"},
      {"an envFrom nobody knew", container("envFrom: [{vaultRef: {name: x}}]"),
       c + "envFrom[0].vaultRef: found `vaultRef`, want one that this program knows: prefix, configMapRef, secretRef"},
      {"a volume nobody knew", pod("volumes: [{name: v, oci: {name: x}}]"),
       "spec.volumes[0].oci: found `oci`, want one that this program knows"},
      {"a projection nobody knew", pod("volumes: [{name: v, projected: {sources: [{podCertificate: {signerName: x}}]}}]"),
       "spec.volumes[0].projected.sources[0].podCertificate: found `podCertificate`, want one that this program knows: secret, configMap, "
       "downwardAPI, "
       "serviceAccountToken, clusterTrustBundle"},
      {"what is known",
       pod("volumes: [{name: a, emptyDir: {}}, {name: b, configMap: {name: x}}, {name: c, image: {reference: r}}, {name: d, projected: "
           "{sources: "
           "[{serviceAccountToken: {path: t}}, {downwardAPI: {}}, {configMap: {name: x}}, {clusterTrustBundle: {path: p}}]}}]"),
       ""},
      // absent, null, of another type
      {"A30 nulls", container("env: null, envFrom: null"), ""},
      {"A30 a null source", container("env: [{name: A, valueFrom: null}, {name: B, valueFrom: {secretKeyRef: null, fileKeyRef: null}}]"),
       ""},
      {"A31 empty", container("env: [], envFrom: [{}]"), ""},
      {"A31 an empty reference", container("env: [{name: A, valueFrom: {secretKeyRef: {}}}]"), ""},
      {"A32 env as an object", container("env: {}"), c + "env: found an object, want a list of variables"},
      {"A32 env of null", container("env: [null]"), c + "env[0]: found null, want an object"},
      {"A32 a container null", "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [null]}}",
       "spec.containers[0]: found null, want a container"},
      {"A32 containers as text", "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: x}}",
       "spec.containers: found a string, want a list of containers"},
      {"A32 volumes as an object", pod("volumes: {}"), "spec.volumes: found an object, want a list of volumes"},
      {"A33 a number as name", container("envFrom: [{secretRef: {name: 5}}]"),
       c + "envFrom[0].secretRef.name: found a number, want a name"},
      {"A33 optional as text", container("envFrom: [{secretRef: {name: acme-db, optional: 'true'}}]"),
       c + "envFrom[0].secretRef.optional: found a string, want a boolean"},
      {"A33 valueFrom as text", container("env: [{name: A, valueFrom: x}]"), c + "env[0].valueFrom: found a string, want an object"},
      {"a reference as a list", container("envFrom: [{secretRef: [x]}]"), c + "envFrom[0].secretRef: found a list, want a reference"},
  };
  const RulePtr rule = compile("secret-reference", "{}");
  for (const Case& k : cases) {
    DYNAMIC_SECTION(k.name) { CHECK(judge(*rule, k.manifest) == k.want); }
  }
}

TEST_CASE("secret-reference: the doors of a pod, in every workload", "[policy][rule]") {
  struct Door {
    const char* spec;   // @ is the Secret's name
    const char* where;  // below the PodSpec
  };
  const Door doors[] = {
      {"{containers: [{name: a, env: [{name: A, valueFrom: {secretKeyRef: {name: @, key: k}}}]}]}",
       "containers[0].env[0].valueFrom.secretKeyRef.name"},
      {"{initContainers: [{name: a, env: [{name: A, valueFrom: {secretKeyRef: {name: @, key: k}}}]}]}",
       "initContainers[0].env[0].valueFrom.secretKeyRef.name"},
      {"{initContainers: [{name: a, restartPolicy: Always, envFrom: [{secretRef: {name: @}}]}]}",
       "initContainers[0].envFrom[0].secretRef.name"},
      {"{ephemeralContainers: [{name: a, env: [{name: A, valueFrom: {secretKeyRef: {name: @, key: k}}}]}]}",
       "ephemeralContainers[0].env[0].valueFrom.secretKeyRef.name"},
      {"{ephemeralContainers: [{name: a, envFrom: [{secretRef: {name: @}}]}]}", "ephemeralContainers[0].envFrom[0].secretRef.name"},
      {"{containers: [{name: a, envFrom: [{prefix: P, secretRef: {name: @}}]}]}", "containers[0].envFrom[0].secretRef.name"},
      {"{volumes: [{name: v, secret: {secretName: @}}]}", "volumes[0].secret.secretName"},
      {"{volumes: [{name: v, projected: {sources: [{configMap: {name: x}}, {secret: {name: @}}]}}]}",
       "volumes[0].projected.sources[1].secret.name"},
      {"{volumes: [{name: v, csi: {driver: d, nodePublishSecretRef: {name: @}}}]}", "volumes[0].csi.nodePublishSecretRef.name"},
      {"{volumes: [{name: v, csi: {driver: d, volumeAttributes: {secretName: @}}}]}", "volumes[0].csi.volumeAttributes.secretName"},
      {"{volumes: [{name: v, flexVolume: {driver: d, secretRef: {name: @}}}]}", "volumes[0].flexVolume.secretRef.name"},
      {"{volumes: [{name: v, iscsi: {secretRef: {name: @}}}]}", "volumes[0].iscsi.secretRef.name"},
      {"{volumes: [{name: v, rbd: {secretRef: {name: @}}}]}", "volumes[0].rbd.secretRef.name"},
      {"{volumes: [{name: v, cephfs: {secretRef: {name: @}}}]}", "volumes[0].cephfs.secretRef.name"},
      {"{volumes: [{name: v, cinder: {secretRef: {name: @}}}]}", "volumes[0].cinder.secretRef.name"},
      {"{volumes: [{name: v, scaleIO: {secretRef: {name: @}}}]}", "volumes[0].scaleIO.secretRef.name"},
      {"{volumes: [{name: v, storageos: {secretRef: {name: @}}}]}", "volumes[0].storageos.secretRef.name"},
      {"{volumes: [{name: v, azureFile: {secretName: @}}]}", "volumes[0].azureFile.secretName"},
      {"{imagePullSecrets: [{name: acme-r}, {name: @}]}", "imagePullSecrets[1].name"},  // A113: another team's pull secret
  };
  const RulePtr rule = compile("secret-reference", "{}");
  for (const std::string_view kind : workload_kind_names())
    for (const Door& door : doors) {
      DYNAMIC_SECTION("A116 " << kind << " " << door.where) {
        CHECK(told(*rule, workload(kind, with_name(door.spec, "globex-db"))) ==
              pod_spec_path(kind) + "." + door.where + ": secret of another owner");
        CHECK(told(*rule, workload(kind, with_name(door.spec, "acme-db"))).empty());
      }
    }
  SECTION("A117 optional in a volume and in a projection") {
    CHECK(told(*rule, pod("volumes: [{name: v, secret: {secretName: acme-x, optional: true}}]")) ==
          "spec.volumes[0].secret.optional: optional secret");
    CHECK(told(*rule, pod("volumes: [{name: v, projected: {sources: [{secret: {name: acme-x, optional: true}}]}}]")) ==
          "spec.volumes[0].projected.sources[0].secret.optional: optional secret");
  }
}

TEST_CASE("secret-reference: the doors of other objects", "[policy][rule]") {
  struct Door {
    const char *api_version, *kind, *rest, *where;
  };
  const Door doors[] = {
      {"v1", "ServiceAccount", "imagePullSecrets: [{name: @}]", "imagePullSecrets[0].name"},
      {"v1", "ServiceAccount", "secrets: [{name: @}]", "secrets[0].name"},
      {"networking.k8s.io/v1", "Ingress", "spec: {tls: [{hosts: [h], secretName: @}]}", "spec.tls[0].secretName"},
      {"extensions/v1beta1", "Ingress", "spec: {tls: [{secretName: @}]}", "spec.tls[0].secretName"},
      {"traefik.io/v1alpha1", "IngressRoute", "spec: {tls: {secretName: @}}", "spec.tls.secretName"},
      {"traefik.containo.us/v1alpha1", "IngressRoute", "spec: {tls: {secretName: @}}", "spec.tls.secretName"},
      {"traefik.io/v1alpha1", "IngressRouteTCP", "spec: {tls: {secretName: @}}", "spec.tls.secretName"},
      {"traefik.io/v1alpha1", "Middleware", "spec: {basicAuth: {secret: @}}", "spec.basicAuth.secret"},
      {"traefik.io/v1alpha1", "Middleware", "spec: {digestAuth: {secret: @}}", "spec.digestAuth.secret"},
      {"traefik.io/v1alpha1", "Middleware", "spec: {forwardAuth: {tls: {caSecret: @}}}", "spec.forwardAuth.tls.caSecret"},
      {"traefik.io/v1alpha1", "Middleware", "spec: {forwardAuth: {tls: {certSecret: @}}}", "spec.forwardAuth.tls.certSecret"},
      {"traefik.io/v1alpha1", "Middleware", "spec: {plugin: {auth: {key: 'urn:k8s:secret:@:key'}}}", "spec.plugin.auth.key"},
      {"traefik.io/v1alpha1", "TLSOption", "spec: {clientAuth: {secretNames: [@]}}", "spec.clientAuth.secretNames[0]"},
      {"traefik.io/v1alpha1", "TLSStore", "spec: {defaultCertificate: {secretName: @}}", "spec.defaultCertificate.secretName"},
      {"traefik.io/v1alpha1", "TLSStore", "spec: {certificates: [{secretName: @}]}", "spec.certificates[0].secretName"},
      {"traefik.io/v1alpha1", "ServersTransport", "spec: {rootCAsSecrets: [@]}", "spec.rootCAsSecrets[0]"},
      {"traefik.containo.us/v1alpha1", "ServersTransport", "spec: {certificatesSecrets: [@]}", "spec.certificatesSecrets[0]"},
      {"traefik.io/v1alpha1", "ServersTransport", "spec: {rootCAs: [{secret: @}]}", "spec.rootCAs[0].secret"},
      {"traefik.io/v1alpha1", "ServersTransportTCP", "spec: {tls: {certificatesSecrets: [@]}}", "spec.tls.certificatesSecrets[0]"},
      {"traefik.io/v1alpha1", "ServersTransportTCP", "spec: {tls: {rootCAsSecrets: [@]}}", "spec.tls.rootCAsSecrets[0]"},
      {"traefik.io/v1alpha1", "ServersTransportTCP", "spec: {tls: {rootCAs: [{secret: @}]}}", "spec.tls.rootCAs[0].secret"},
      {"gateway.networking.k8s.io/v1", "Gateway", "spec: {listeners: [{tls: {certificateRefs: [{name: @}]}}]}",
       "spec.listeners[0].tls.certificateRefs[0].name"},
      {"gateway.networking.k8s.io/v1", "Gateway", "spec: {backendTLS: {clientCertificateRef: {name: @}}}",
       "spec.backendTLS.clientCertificateRef.name"},
      {"gateway.networking.k8s.io/v1", "Gateway", "spec: {tls: {backend: {clientCertificateRef: {name: @}}}}",
       "spec.tls.backend.clientCertificateRef.name"},
      {"gateway.networking.k8s.io/v1", "ListenerSet", "spec: {listeners: [{tls: {certificateRefs: [{name: @}]}}]}",
       "spec.listeners[0].tls.certificateRefs[0].name"},
      {"gateway.networking.x-k8s.io/v1alpha1", "XListenerSet", "spec: {listeners: [{tls: {certificateRefs: [{name: @}]}}]}",
       "spec.listeners[0].tls.certificateRefs[0].name"},
      {"secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", "spec: {secretObjects: [{secretName: @}]}",
       "spec.secretObjects[0].secretName"},
      {"cert-manager.io/v1", "Certificate", "spec: {secretName: @}", "spec.secretName"},
      {"cert-manager.io/v1", "Certificate", "spec: {keystores: {jks: {passwordSecretRef: {name: @, key: k}}}}",
       "spec.keystores.jks.passwordSecretRef.name"},
      {"cert-manager.io/v1", "Certificate", "spec: {keystores: {pkcs12: {passwordSecretRef: {name: @, key: k}}}}",
       "spec.keystores.pkcs12.passwordSecretRef.name"},
      {"v1", "PersistentVolume", "spec: {csi: {nodePublishSecretRef: {name: @}}}", "spec.csi.nodePublishSecretRef.name"},
      {"v1", "PersistentVolume", "spec: {csi: {nodeStageSecretRef: {name: @}}}", "spec.csi.nodeStageSecretRef.name"},
      {"v1", "PersistentVolume", "spec: {csi: {controllerPublishSecretRef: {name: @}}}", "spec.csi.controllerPublishSecretRef.name"},
      {"v1", "PersistentVolume", "spec: {csi: {controllerExpandSecretRef: {name: @}}}", "spec.csi.controllerExpandSecretRef.name"},
      {"v1", "PersistentVolume", "spec: {csi: {nodeExpandSecretRef: {name: @}}}", "spec.csi.nodeExpandSecretRef.name"},
      {"v1", "PersistentVolume", "spec: {rbd: {secretRef: {name: @}}}", "spec.rbd.secretRef.name"},
      {"v1", "PersistentVolume", "spec: {azureFile: {secretName: @}}", "spec.azureFile.secretName"},
  };
  const RulePtr rule = compile("secret-reference", "{}");
  for (const Door& door : doors) {
    DYNAMIC_SECTION("A116 " << door.api_version << " " << door.kind << " " << door.where) {
      const std::string manifest =
          "{apiVersion: " + std::string(door.api_version) + ", kind: " + door.kind + ", metadata: {name: x}, " + door.rest + "}";
      CHECK(told(*rule, with_name(manifest, "globex-db")) == std::string(door.where) + ": secret of another owner");
      CHECK(told(*rule, with_name(manifest, "acme-db")).empty());
    }
  }
  SECTION("another group of the same kind has its own meaning") {
    CHECK(told(*rule, "{apiVersion: x.example/v1, kind: Middleware, metadata: {name: x}, spec: {basicAuth: {secret: globex-db}}}").empty());
  }
  SECTION("a Gateway's reference into another namespace, and to something that is no Secret") {
    const auto gateway = [](std::string_view ref) {
      return "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: x}, spec: {listeners: [{tls: {certificateRefs: [" +
             std::string(ref) + "]}}]}}";
    };
    CHECK(told(*rule, gateway("{name: acme-tls, namespace: globex-prod}")) ==
          "spec.listeners[0].tls.certificateRefs[0].namespace: secret of another namespace");
    CHECK(told(*rule, gateway("{name: acme-tls, namespace: acme-prod}")).empty());
    CHECK(told(*rule, gateway("{kind: ConfigMap, name: globex-ca}")).empty());
  }
}

TEST_CASE("secret-reference: whose Secret it is", "[policy][rule]") {
  const std::string manifest = container("envFrom: [{secretRef: {name: acme-production-db}}]");
  World world;
  SECTION("no tenant owns nothing") {
    world.tenant = "";
    CHECK(told(*compile("secret-reference", "{}"), manifest, world) ==
          "spec.containers[0].envFrom[0].secretRef.name: secret of another owner");
  }
  SECTION("A117 production's Secret from staging") {
    const RulePtr rule = compile("secret-reference", "{allow: ['{tenant}-{environment}-*']}");
    CHECK(told(*rule, manifest, world).empty());
    world.environment = "staging";
    CHECK(told(*rule, manifest, world) == "spec.containers[0].envFrom[0].secretRef.name: secret of another owner");
  }
  SECTION("several patterns") {
    CHECK(told(*compile("secret-reference", "{allow: [shared-ca, 'acme-*']}"), manifest, world).empty());
    CHECK(
        judge(*compile("secret-reference", "{allow: [shared-ca, other]}"), manifest, world) ==
        "spec.containers[0].envFrom[0].secretRef.name: found the Secret `acme-production-db`, want a name such as `shared-ca` or `other`");
    CHECK(judge(*compile("secret-reference", "{allow: []}"), manifest, world) ==
          "spec.containers[0].envFrom[0].secretRef.name: found the Secret `acme-production-db`, want no reference to a Secret");
  }
  SECTION("files only") {
    const RulePtr rule = compile("secret-reference", "{forbidEnv: true}");
    CHECK(told(*rule, manifest, world) == "spec.containers[0].envFrom[0].secretRef: secret in the environment");
    CHECK(told(*rule, container("env: [{name: A, valueFrom: {secretKeyRef: {name: acme-db, key: k}}}]"), world) ==
          "spec.containers[0].env[0].valueFrom.secretKeyRef: secret in the environment");
    CHECK(told(*rule, pod("volumes: [{name: v, secret: {secretName: acme-db}}]"), world).empty());
  }
  SECTION("a pattern that cannot be read") { CHECK(!refusal("secret-reference", "{allow: ['{owner}-*']}").empty()); }
}

TEST_CASE("secret-reference: an UPDATE gets worse with the entry", "[policy][rule]") {
  const RulePtr rule = compile("secret-reference", "{}");
  const auto told_all = findings(
      *rule, pod("volumes: [{name: a, emptyDir: {}}, {name: v, secret: {secretName: globex-x}}], imagePullSecrets: [{name: globex-r}]"));
  REQUIRE(told_all.size() == 2);
  CHECK(told_all[0].scope == "spec.volumes[1]");
  CHECK(told_all[0].at == "spec.volumes[1].secret.secretName");
  CHECK(told_all[1].scope == "spec.imagePullSecrets[0]");
}
