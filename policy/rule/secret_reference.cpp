// secret-reference: an object refers only to Secrets of its own tenant, by whatever door, and none that may be missing.
//
// Params:  allow      patterns of names, with {tenant}, {environment}, {namespace}; ["{tenant}-*"]
//          forbidEnv  true: Secrets reach a container as files only, never as environment variables
// Judges:  CREATE and UPDATE of all workloads, ServiceAccount, Ingress, Traefik's and Gateway API's kinds,
//          SecretProviderClass, PersistentVolume and Certificate, and the ephemeralcontainers of a Pod
// Reads:   the twelve doors: env, envFrom, Secret volumes, projections, CSI volumes, older volumes' secretRef, pull secrets,
//          ServiceAccount's secrets, Ingress and Traefik TLS, Traefik's Middleware, options and transports, Gateway listeners,
//          and what writes or mirrors a Secret (SecretProviderClass, Certificate, PersistentVolume).
// Finds:   also what this program does not know in the lists it guards: an environment source, a volume source, a projection.
//          The API server learns fields before we do, and a new one may be a new door.
//
// `optional: true` is a finding for any name: a Secret that somebody creates later would be taken without a new judgment.
#include <algorithm>
#include <span>
#include <string>

#include "base/text.hpp"
#include "policy/rule/pattern.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr std::size_t allow_max = 100;

// A path from an object to references: members by name, [] for each item of a list. It ends at the Secret's name, or at an
// object (secretKeyRef, secretRef) whose `name` it is.
struct Door {
  std::string_view path;
};

// Doors of a PodSpec outside containers and volumes.
constexpr Door pod_doors[] = {{"imagePullSecrets[]"}};

// Doors of one volume, of a pod or a PersistentVolume's spec.
constexpr Door volume_doors[] = {
    {"secret.secretName"},
    {"projected.sources[].secret"},
    {"csi.nodePublishSecretRef"},
    {"csi.volumeAttributes.secretName"},
    {"flexVolume.secretRef"},
    {"iscsi.secretRef"},
    {"rbd.secretRef"},
    {"cephfs.secretRef"},
    {"cinder.secretRef"},
    {"scaleIO.secretRef"},
    {"storageos.secretRef"},
    {"azureFile.secretName"},
};
constexpr Door persistent_doors[] = {
    {"csi.nodeStageSecretRef"},
    {"csi.controllerPublishSecretRef"},
    {"csi.controllerExpandSecretRef"},
    {"csi.nodeExpandSecretRef"},
};

// Doors of whole objects. An empty group is the core group.
struct ObjectDoor {
  std::string_view group, kind, path;
};
constexpr ObjectDoor object_doors[] = {
    {"", "ServiceAccount", "imagePullSecrets[]"},
    {"", "ServiceAccount", "secrets[]"},
    {"networking.k8s.io", "Ingress", "spec.tls[].secretName"},
    {"extensions", "Ingress", "spec.tls[].secretName"},
    {"traefik", "IngressRoute", "spec.tls.secretName"},
    {"traefik", "IngressRouteTCP", "spec.tls.secretName"},
    {"traefik", "Middleware", "spec.basicAuth.secret"},
    {"traefik", "Middleware", "spec.digestAuth.secret"},
    {"traefik", "Middleware", "spec.forwardAuth.tls.caSecret"},
    {"traefik", "Middleware", "spec.forwardAuth.tls.certSecret"},
    {"traefik", "TLSOption", "spec.clientAuth.secretNames[]"},
    {"traefik", "TLSStore", "spec.defaultCertificate.secretName"},
    {"traefik", "TLSStore", "spec.certificates[].secretName"},
    {"traefik", "ServersTransport", "spec.rootCAsSecrets[]"},
    {"traefik", "ServersTransport", "spec.certificatesSecrets[]"},
    {"traefik", "ServersTransport", "spec.rootCAs[].secret"},
    {"traefik", "ServersTransportTCP", "spec.tls.rootCAsSecrets[]"},
    {"traefik", "ServersTransportTCP", "spec.tls.certificatesSecrets[]"},
    {"traefik", "ServersTransportTCP", "spec.tls.rootCAs[].secret"},
    {"gateway.networking.k8s.io", "Gateway", "spec.listeners[].tls.certificateRefs[]"},
    {"gateway.networking.k8s.io", "Gateway", "spec.backendTLS.clientCertificateRef"},
    {"gateway.networking.k8s.io", "Gateway", "spec.tls.backend.clientCertificateRef"},
    {"gateway.networking.k8s.io", "ListenerSet", "spec.listeners[].tls.certificateRefs[]"},
    {"gateway.networking.x-k8s.io", "XListenerSet", "spec.listeners[].tls.certificateRefs[]"},
    {"secrets-store.csi.x-k8s.io", "SecretProviderClass", "spec.secretObjects[].secretName"},
    {"cert-manager.io", "Certificate", "spec.secretName"},
    {"cert-manager.io", "Certificate", "spec.keystores.jks.passwordSecretRef"},
    {"cert-manager.io", "Certificate", "spec.keystores.pkcs12.passwordSecretRef"},
};

// core/v1 of Kubernetes 1.35. Not among them on purpose: fileKeyRef, which takes a variable from a file that a container
// wrote, and podCertificate, which brings a key from a signer: both carry credentials past this rule.
constexpr std::string_view environment_sources[] = {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"};
constexpr std::string_view environment_lists[] = {"prefix", "configMapRef", "secretRef"};
constexpr std::string_view volume_sources[] = {
    "name",
    "hostPath",
    "emptyDir",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "persistentVolumeClaim",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "downwardAPI",
    "azureFile",
    "configMap",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "csi",
    "projected",
    "scaleIO",
    "portworxVolume",
    "storageos",
    "ephemeral",
    "image",
};
constexpr std::string_view projections[] = {"secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"};

using Names = std::span<const std::string_view>;
bool one_of(std::string_view word, Names names) { return std::find(names.begin(), names.end(), word) != names.end(); }

bool group_matches(std::string_view door, std::string_view group) {
  return door == group || (door == "traefik" && (group == "traefik.io" || group == "traefik.containo.us"));
}

class SecretReference final : public Rule {
 public:
  SecretReference(std::vector<NamePattern> allow, bool forbid_env) : allow_(std::move(allow)), forbid_env_(forbid_env) {
    for (const NamePattern& pattern : allow_) wanted_ += (wanted_.empty() ? "" : " or ") + quoted(pattern.text());
    wanted_ = wanted_.empty() ? "no reference to a Secret" : "a name such as " + wanted_;
  }

  void evaluate(const Subject& subject, const Facts& facts, Findings& findings) const override {
    const Judging judging{*this, subject, facts, findings};
    const ObjectView& object = subject.judged();
    for (const PodTemplate& pod : object.templates) judging.pod(pod);
    if (!object.templates.empty()) return;
    for (const ObjectDoor& door : object_doors)
      if (door.kind == subject.kind && group_matches(door.group, subject.group)) judging.follow(object.root, door.path, {});
    if (subject.is("PersistentVolume", "")) judging.persistent_volume(object.root["spec"]);
    if (subject.kind == "Middleware" && group_matches("traefik", subject.group)) judging.plugin(object.root["spec"]["plugin"]);
  }

 private:
  struct Judging {
    const SecretReference& rule;
    const Subject& subject;
    const Facts& facts;
    Findings& findings;

    void pod(const PodTemplate& pod) const {
      if (pod.misplaced && pod.misplaced.key() != "volumes") malformed(pod.misplaced, "a list of containers");
      for (const Container& container : pod.containers) {
        if (!container.well_formed) {
          malformed(container.node, "a container");
          continue;
        }
        for_each(container.env, "a list of variables", [this](Value entry) { variable(entry); });
        for_each(container.env_from, "a list of sources", [this](Value entry) { source(entry); });
      }
      if (pod.spec.present() && !pod.spec.is(ValueKind::object)) return malformed(pod.spec, "a pod's spec");
      for (const Value part : pod.spec) {
        if (part.key() == "volumes") for_each(part, "a list of volumes", [this](Value volume) { this->volume(volume, volume_doors); });
        if (part.key() == "imagePullSecrets")
          for (const Door& door : pod_doors) follow(pod.spec, door.path, {});
      }
    }

    template <class Judge>
    void for_each(Value list, std::string_view wanted, Judge judge) const {
      if (!list.present()) return;
      if (!list.is(ValueKind::array)) return malformed(list, wanted);
      for (const Value item : list) {
        if (item.is(ValueKind::object))
          judge(item);
        else
          malformed(item, "an object");
      }
    }

    void variable(Value entry) const {
      // {name, value}: nothing but two strings, and neither is called valueFrom.
      constexpr std::size_t source_key_bytes = 9;
      const Node* const node = entry.node();
      if (node->span == 3 && node[2].kind == ValueKind::string && node[1].key_bytes != source_key_bytes &&
          node[2].key_bytes != source_key_bytes)
        return;
      for (const Value part : entry) {
        if (part.key() != "valueFrom" || !part.present()) continue;
        if (!part.is(ValueKind::object)) {
          malformed(part, "an object");
          continue;
        }
        for (const Value from : part) {
          if (!from.present()) continue;
          if (!one_of(from.key(), environment_sources)) unknown(from, entry, "environment source", environment_sources);
          if (from.key() != "secretKeyRef") continue;
          reference(from, entry);
          if (rule.forbid_env_) in_environment(from, entry);
        }
      }
    }

    void source(Value entry) const {
      for (const Value from : entry) {
        if (!from.present()) continue;
        if (!one_of(from.key(), environment_lists)) unknown(from, entry, "environment source", environment_lists);
        if (from.key() != "secretRef") continue;
        reference(from, entry);
        if (rule.forbid_env_) in_environment(from, entry);
      }
    }

    void volume(Value volume, std::span<const Door> doors) const {
      for (const Value source : volume) {
        if (!source.present()) continue;
        const std::string_view key = source.key();
        if (key == "name" || key == "persistentVolumeClaim" || key == "configMap" || key == "emptyDir") continue;  // no doors
        if (!one_of(key, volume_sources)) unknown(source, volume, "volume source", {});
        for (const Door& door : doors)
          if (door.path.size() > key.size() && door.path.starts_with(key) && door.path[key.size()] == '.')
            follow(source, door.path.substr(key.size()), volume);
      }
      const Value secret = volume["secret"];
      if (secret.present() && !secret.is(ValueKind::object)) malformed(secret, "an object");
      if (secret["optional"].present()) optional(secret["optional"], volume);
      const Value sources = volume["projected"]["sources"];
      for_each(sources, "a list of projections", [&](Value item) {
        for (const Value projection : item)
          if (projection.present() && !one_of(projection.key(), projections)) unknown(projection, volume, "projection", projections);
      });
    }

    void persistent_volume(Value spec) const {
      for (const Door& door : volume_doors) follow(spec, door.path, {});
      for (const Door& door : persistent_doors) follow(spec, door.path, {});
    }

    // Traefik puts Secrets into a plugin's settings by urn:k8s:secret:<name>:<key>.
    void plugin(Value settings) const {
      constexpr std::string_view urn = "urn:k8s:secret:";
      const Node* node = settings.node();
      if (node == nullptr) return;
      for (const Node* end = node + node->span; node < end; ++node) {
        const std::string_view text = Value(node).text();
        if (text.starts_with(urn)) named(Value(node), text.substr(urn.size(), text.find(':', urn.size()) - urn.size()), Value(node));
      }
    }

    // Calls reference() for all that `path` leads to below `from`. The scope is `scope`, or the innermost item of a list.
    void follow(Value from, std::string_view path, Value scope) const {
      if (path.empty()) return reference(from, scope ? scope : from);
      if (path.starts_with('.')) path.remove_prefix(1);
      if (path.starts_with("[]")) {
        if (from.present() && !from.is(ValueKind::array)) return malformed(from, "a list");
        for (const Value item : from) follow(item, path.substr(2), scope ? scope : item);
        return;
      }
      const std::size_t end = std::min(path.find_first_of(".["), path.size());
      const Value member = from[path.substr(0, end)];
      if (member.present()) follow(member, path.substr(end), scope);
    }

    // A name, or an object with `name`, `namespace` and `optional`.
    void reference(Value at, Value scope) const {
      if (!at.present()) return;
      if (at.is(ValueKind::string)) return named(at, at.text(), scope);
      if (!at.is(ValueKind::object)) return malformed(at, "a reference");
      const Value kind = at["kind"];
      if (kind.present() && kind.text() != "Secret") return;  // Gateway API: a reference to something else
      const Value name = at["name"];
      if (name.present() && !name.is(ValueKind::string)) return malformed(name, "a name");
      named(name.present() ? name : at, name.text(), scope);
      const Value name_space = at["namespace"];
      if (name_space.present() && name_space.text() != subject.name_space && !name_space.text().empty())
        add("secret of another namespace", name_space, scope, "the namespace " + quoted(name_space.text()),
            "a Secret of the object's own namespace",
            "copy the Secret's origin (its ExternalSecret or Certificate) into this namespace and leave `namespace` out");
      if (at["optional"].present()) optional(at["optional"], scope);
    }

    // An empty name refers to nothing: the API server refuses it where it matters.
    void named(Value at, std::string_view name, Value scope) const {
      if (name.empty()) return;
      for (const NamePattern& pattern : rule.allow_)
        if (pattern.matches(name, facts, subject.name_space)) return;
      add("secret of another owner", at, scope, "the Secret " + quoted(name), rule.wanted_,
          facts.tenant.empty() ? "no tenant owns this namespace: let the operator assign it, or allow the name in the policy"
                               : "name a Secret of the tenant " + quoted(facts.tenant) + "; Secrets of others are not for this workload");
    }

    void optional(Value at, Value scope) const {
      if (at.is_true()) {
        add("optional secret", at, scope, "true", "false, or left out",
            "create the Secret first and leave `optional` out: what appears later is judged by nobody");
      } else if (!at.is(ValueKind::boolean)) {
        malformed(at, "a boolean");
      }
    }

    void in_environment(Value at, Value scope) const {
      add("secret in the environment", at, scope, "a Secret as environment variable", "a Secret as file",
          "mount the Secret as a volume and let the program read the file; environments leak into logs, crash dumps and child processes");
    }

    void unknown(Value at, Value scope, std::string_view sort, Names known) const {
      std::string wanted = "one that this program knows";
      for (std::size_t i = 0; i < known.size(); ++i) wanted += (i == 0 ? ": " : ", ") + std::string(known[i]);
      const std::string what = "unknown " + std::string(sort);
      add(what, at, scope, quoted(at.key()), wanted, "use a source whose Secrets can be judged, or ask the operator for an exception");
    }

    void malformed(Value at, std::string_view wanted) const {
      add("unreadable reference", at, at, std::string(kind_name(at.kind())), std::string(wanted),
          "write the field as Kubernetes documents it: what cannot be read cannot be judged");
    }

    void add(std::string_view what, Value at, Value scope, std::string found, std::string wanted, std::string fix) const {
      if (findings.full()) return findings.add({});  // naming a place among 30,000 takes as many steps
      Finding finding;
      finding.what = what;
      finding.where = at.path();
      finding.found = std::move(found);
      finding.wanted = std::move(wanted);
      finding.fix = std::move(fix);
      finding.at = at;
      finding.scope = scope;
      findings.add(std::move(finding));
    }
  };

  std::vector<NamePattern> allow_;
  bool forbid_env_;
  std::string wanted_;
};

Result<RulePtr> compile_secret_reference(const Params& params) {
  std::vector<NamePattern> allow;
  for (const std::string& text : params.strings("allow", {"{tenant}-*"})) {
    Result<NamePattern> pattern = NamePattern::parse(text);
    if (!pattern) return tl::unexpected(params.error("allow", pattern.error().what));
    allow.push_back(*std::move(pattern));
  }
  return RulePtr(std::make_unique<const SecretReference>(std::move(allow), params.boolean("forbidEnv", false)));
}

}  // namespace

extern const RuleInfo secret_reference;
const RuleInfo secret_reference{
    .id = "secret-reference",
    .summary =
        "an object refers only to Secrets of its own tenant, through every door that Kubernetes and Traefik have, and to none that may be "
        "missing",
    .why =
        "a reference to another tenant's Secret, or to production's from staging, hands over a database with one line of YAML; an optional "
        "one "
        "waits for somebody to create it unseen",
    .kinds = {"*"},
    .subresources = {"ephemeralcontainers"},
    .operations = {Operation::create, Operation::update},
    .params =
        {
            {.name = "allow",
             .type = ParamType::strings,
             .meaning = "names of Secrets that may be referred to; `*` stands for any bytes, `{tenant}`, `{environment}` and `{namespace}` "
                        "are filled in",
             .range = {0, allow_max},
             .words = {},
             .fallback = "[\"{tenant}-*\"]"},
            {.name = "forbidEnv",
             .type = ParamType::boolean,
             .meaning = "Secrets reach a container as files only, not as environment variables",
             .range = {},
             .words = {},
             .fallback = "false"},
        },
    .judges_controllers = true,
    .mends = false,
    .example = {.with = "{allow: [\"{tenant}-*\"]}",
                .allowed = R"yaml(apiVersion: apps/v1
kind: Deployment
metadata: {name: odoo}
spec:
  selector: {matchLabels: {app: odoo}}
  template:
    metadata: {labels: {app: odoo}}
    spec:
      imagePullSecrets: [{name: acme-registry}]
      containers:
        - name: odoo
          image: registry.hoster.example/odoo/server:17.0
          env:
            - name: PGPASSWORD
              valueFrom: {secretKeyRef: {name: acme-db, key: password}}
)yaml",
                .denied = R"yaml(apiVersion: apps/v1
kind: Deployment
metadata: {name: odoo}
spec:
  selector: {matchLabels: {app: odoo}}
  template:
    metadata: {labels: {app: odoo}}
    spec:
      containers:
        - name: odoo
          image: registry.hoster.example/odoo/server:17.0
          envFrom:
            - secretRef: {name: globex-db, optional: true}
)yaml"},
    .since = "0.1.0",
    .compile = compile_secret_reference,
};

}  // namespace portcullis::policy::rule
