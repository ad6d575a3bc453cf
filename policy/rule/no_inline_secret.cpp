// no-inline-secret: a credential stands in a Secret, never in the open where everyone who may read the object, its history
// in Git or a backup of the cluster finds it.
//
// Params:  detectors   which of name, url, pem, token, authorization, entropy look (secret_detectors.hpp); all of them
//          allowNames  names that `name` leaves alone, exact or with a trailing *
// Judges:  CREATE and UPDATE of every kind, and the ephemeralcontainers of a Pod
// Reads:   every string of the object, with the key or the `name` beside it as its name: env, args, command, probes,
//          hooks, annotations (kubectl's last-applied-configuration too), labels, ConfigMap data and binaryData, Middleware
//          headers, Helm parameters, and whatever custom resources hold, whose shape nobody told us.
// Not its: Secrets (where credentials belong) and SealedSecrets' ciphertext; `status`, which controllers write; references
//          (valueFrom), placeholders such as $(NAME), digests, certificates and public keys.
//
// The value is in no finding: what is found says its length, never its text.
#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "policy/rule/rule.hpp"
#include "policy/rule/secret_detectors.hpp"
#include "policy/rule/secret_triggers.hpp"
#include "policy/rule/secret_words.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr std::size_t shown_name_bytes_max = 64;
constexpr std::size_t allow_names_max = 1000;

std::string_view key_of(const Node* node) { return node->key ? std::string_view(node->key, node->key_bytes) : std::string_view{}; }
std::string_view text_of(const Node* node) { return {node->text, node->text_bytes}; }

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Place {
  std::string_view wanted, fix;
};

// Where the value stands decides what its author can do.
Place place_of(Value leaf) {
  for (Value at = leaf; at; at = at.parent()) {
    const std::string_view key = at.key();
    if (key == "kubectl.kubernetes.io/last-applied-configuration")
      return {"no credential in the annotation",
              "take the credential out of the manifest and apply it again, or use kubectl apply --server-side"};
    if (key == "annotations" || key == "labels")
      return {"no credential in the metadata",
              "move it into a Secret and name that Secret; metadata is shown to all who may read the object"};
    if (key == "env")
      return {"a reference to a Secret",
              "use valueFrom.secretKeyRef, or mount the Secret as a file, and replace the credential: it has been seen"};
    if (key == "args" || key == "command")
      return {"a reference to a Secret",
              "set an environment variable by valueFrom.secretKeyRef and write $(NAME) here, or read a mounted file"};
    if (key == "httpHeaders") return {"a probe without credentials", "probe a path that needs none"};
    if (key == "data" || key == "binaryData")
      return {"the credential in a Secret", "move it from the ConfigMap into a Secret and mount that as a file"};
    if (key == "customRequestHeaders" || key == "basicAuth" || key == "digestAuth")
      return {"a reference to a Secret", "let the Middleware name a Secret (basicAuth.secret), or let the application send the header"};
  }
  return {"a reference to a Secret", "move it into a Secret and refer to that by name"};
}

std::string_view what_of(const Sighting& sighting) {
  switch (sighting.detector) {
    case Detector::name:
      return "credential in the open";
    case Detector::url:
      return "password in a URL";
    case Detector::pem:
      return "private key in the open";
    case Detector::token:
      return "token in the open";
    case Detector::authorization:
      return "authorization in the open";
    case Detector::entropy:
      return "random-looking value";
  }
  return {};
}

std::string found_text(const Sighting& sighting) {
  std::string text(sighting.shape);
  if (sighting.detector == Detector::name && !sighting.encoded)
    text = quoted(sighting.name, shown_name_bytes_max) + " with a literal value";
  if (sighting.encoded) text += " inside base64";
  if (sighting.line > 0) text += " on line " + std::to_string(sighting.line);
  const std::size_t bytes = sighting.end - sighting.begin;
  return text + " of " + std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

class NoInlineSecret final : public Rule {
 public:
  NoInlineSecret(const std::vector<std::string>& detectors, std::vector<std::string> allow_names)
      : detectors_(detectors, std::move(allow_names)) {}

  void evaluate(const Subject& subject, const Facts&, Findings& findings) const override {
    const ObjectView& object = subject.judged();
    if (object.root.size() == 0 || subject.is("Secret", "")) return;
    // What the API server has typed holds no free text in some of its parts.
    const bool typed = !object.templates.empty() &&
                       (subject.group == "apps" || subject.group.empty() || subject.group == "batch" || subject.group == "extensions");
    Sightings sightings;
    Arguments arguments;
    const Node* const root = object.root.node();
    const Node* const end = root + root->span;
    for (const Node* node = root + 1; node < end;) {
      switch (node->kind) {
        case ValueKind::array:
        case ValueKind::object:
          node += is_left_alone(node, root, typed, subject) ? node->span : 1;
          continue;
        case ValueKind::string:
          if (node->text_bytes > 0) judge_text(node, typed, subject, arguments, sightings, findings);
          break;
        case ValueKind::number:
          judge_number(node, findings);
          break;
        default:
          break;
      }
      ++node;
    }
  }

 private:
  // The list of arguments at hand, asked once whether it is Odoo's: it may have 100,000 of them.
  struct Arguments {
    const Node* list = nullptr;
    bool odoo = false;
    bool are_odoos(const Node* asked) {
      if (asked != list) {
        list = asked;
        odoo = is_odoo(asked);
      }
      return odoo;
    }
  };

  static bool is_left_alone(const Node* node, const Node* root, bool typed, const Subject& subject) {
    const std::string_view key = key_of(node);
    switch (key.size()) {
      case 5:
        return typed && key == "ports";
      case 6:
        return key == "status" && node - node->up == root;
      case 8:
        return typed && key == "affinity";
      case 9:
        return typed && (key == "valueFrom" || key == "resources");
      case 12:
        return typed && key == "volumeMounts";
      case 13:
        return key == "encryptedData" && subject.is("SealedSecret", "bitnami.com");
      case 15:
        return key == "ownerReferences" || (typed && key == "securityContext");
      default:
        return false;
    }
  }

  void judge_text(const Node* node, bool typed, const Subject& subject, Arguments& arguments, Sightings& sightings,
                  Findings& findings) const {
    const std::string_view key = key_of(node);
    const std::string_view text = text_of(node);
    std::string_view name = key;
    const Node* scope = node;
    TextKind kind = TextKind::value;
    switch (key.size()) {
      case 0:  // an item of a list goes by the list's name
        name = key_of(node - node->up);
        if (judge_argument(node, arguments, sightings, findings)) return;
        break;
      case 4:
        if (key == "kind" || (typed && key == "name")) return;
        break;
      case 5:
        if (key == "image") return;
        if (key == "value") {
          if (is_plain_pair(node)) return;
          scope = node - node->up;
          name = name_beside(node, scope);
        }
        break;
      case 9:
        if (key == "namespace" && key_of(node - node->up) == "metadata") return;
        // The name of a key in the Secret that is to be written.
        if (key == "secretKey" && subject.group == "external-secrets.io") return;
        break;
      case 6:
        if (key == "secret" && subject.group.starts_with("traefik.")) name = "secretName";
        break;
      case 10:
        if (key == "apiVersion") return;
        break;
      case 11:
        if (key == "description") kind = TextKind::prose;
        break;
      case 22:
        if (typed && key == "terminationMessagePath") return;
        break;
      default:
        break;
    }
    if (subject.kind == "ConfigMap" && key_of(node - node->up) == "binaryData")
      detectors_.look_in_base64(name, text, sightings);
    else
      detectors_.look(name, text, sightings, kind);
    if (!sightings.empty()) report(sightings, node, scope, findings);
  }

  // Most of all strings are the names and values of variables. Where both stand side by side in compact JSON,
  // "name":"<name>","value":"<value>", they are looked at in one go. Pointers that fit this exactly are in one buffer.
  static bool is_plain_pair(const Node* value) {
    const Node* name = value - 1;
    if (value->up < 2 || name->kind != ValueKind::string || key_of(name) != "name") return false;
    constexpr std::size_t name_to_key = 3, key_to_text = 8;  // `","` and `value":"`
    if (name->text + name->text_bytes + name_to_key != value->key || value->key + key_to_text != value->text) return false;
    if (triggers_in({name->text, name->text_bytes + name_to_key + key_to_text + value->text_bytes}) != 0) return false;
    return value->text_bytes < run_bytes_min || !has_run(text_of(value));
  }

  // {name: PGPASSWORD, value: ...}: nearly always the node before.
  static std::string_view name_beside(const Node* value, const Node* entry) {
    const Node* before = value - 1;
    if (before > entry && before->kind == ValueKind::string && key_of(before) == "name") return text_of(before);
    const Value name = Value(entry)["name"];
    if (name.is(ValueKind::string)) return name.text();
    const Value key = Value(entry)["key"];
    return key.is(ValueKind::string) ? key.text() : std::string_view("value");
  }

  // --password hunter2 as two items of a list; Odoo's -w, curl's -u.
  bool judge_argument(const Node* node, Arguments& arguments, Sightings& sightings, Findings& findings) const {
    const std::string_view text = text_of(node);
    sightings.clear();
    Sighting found;
    found.end = text.size();
    const Node* const before = node - 1;
    if (before->kind == ValueKind::string && before->up + 1 == node->up && before->text_bytes > 1 && *before->text == '-') {
      const std::string_view flag = text_of(before);
      const std::string_view name = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
      found.name = flag;
      const bool by_name = flag.find('=') == flag.npos && text.front() != '-' && detectors_.named_credential(name, text);
      if (by_name ||
          (flag == "-w" && arguments.are_odoos(node - node->up) && !is_digits(text) && detectors_.named_credential("db_password", text))) {
        sightings.add(found);
      } else if (flag == "-u" || flag == "--user") {
        const std::size_t colon = text.find(':');
        const std::string_view password = colon == text.npos || colon == 0 ? std::string_view{} : text.substr(colon + 1);
        if (!is_digits(password) && password.find("//") != 0 && detectors_.named_credential("password", password)) {
          found.begin = colon + 1;
          sightings.add(found);
        }
      }
    } else if (text.size() > 2 && text.starts_with("-w") && text[2] != '=' && arguments.are_odoos(node - node->up) &&
               !is_digits(text.substr(2)) && detectors_.named_credential("db_password", text.substr(2))) {
      found.name = "-w";
      found.begin = 2;
      sightings.add(found);
    }
    if (sightings.empty()) return false;
    report(sightings, node, node, findings);
    return true;
  }

  // Does this list of arguments, its container's command or its image speak of Odoo?
  static bool is_odoo(const Node* list) {
    const auto speaks = [](Value words) {
      if (words.text().find("odoo") != std::string_view::npos) return true;
      if (!words.is(ValueKind::array)) return false;
      for (const Value word : words)
        if (word.text().find("odoo") != std::string_view::npos) return true;
      return false;
    };
    const Value holder = Value(list).parent();
    return speaks(Value(list)) || speaks(holder["command"]) || speaks(holder["image"]);
  }

  // adminPassword: 123456, as YAML reads it. Lengths, counts and ages have another last word.
  void judge_number(const Node* node, Findings& findings) const {
    const std::string_view key = key_of(node);
    const auto ends = [key](std::string_view word) {
      return key.size() >= word.size() && std::equal(word.begin(), word.end(), key.end() - static_cast<std::ptrdiff_t>(word.size()),
                                                     [](char a, char b) { return a == (b | 0x20); });
    };
    if (!ends("password") && !ends("passwd") && !ends("passphrase") && !ends("pwd")) return;
    if (!detectors_.named_credential(key, text_of(node))) return;
    Sightings sightings;
    Sighting found;
    found.name = key;
    found.end = node->text_bytes;
    sightings.add(found);
    report(sightings, node, node, findings);
  }

  static void report(const Sightings& sightings, const Node* node, const Node* scope, Findings& findings) {
    const Value at(node);
    // Words are made only for a finding that is kept: a place among 60,000 takes as many steps to name.
    const Place place = findings.full() ? Place{} : place_of(at);
    for (const Sighting& sighting : sightings.all()) {
      if (findings.full()) {
        findings.add({});
        continue;
      }
      Finding finding;
      finding.what = what_of(sighting);
      finding.where = at.path();
      finding.found = found_text(sighting);
      finding.wanted = place.wanted;
      finding.fix = place.fix;
      finding.at = at;
      finding.scope = Value(scope);
      findings.add(std::move(finding));
    }
  }

  SecretDetectors detectors_;
};

Result<RulePtr> compile_no_inline_secret(const Params& params) {
  std::vector<std::string> allow_names = params.strings("allowNames", {});
  for (const std::string& name : allow_names) {
    const std::size_t star = name.find('*');
    if (name.empty() || name == "*" || (star != name.npos && star + 1 != name.size()))
      return tl::unexpected(
          params.error("allowNames", "found " + quoted(name) + ", want a name or the beginning of one and `*` at its end"));
  }
  return RulePtr(std::make_unique<const NoInlineSecret>(params.strings("detectors", {}), std::move(allow_names)));
}

}  // namespace

extern const RuleInfo no_inline_secret;
const RuleInfo no_inline_secret{
    .id = "no-inline-secret",
    .summary =
        "a credential stands in a Secret, never as a literal in an environment variable, an argument, an annotation, a ConfigMap or a "
        "custom resource",
    .why =
        "whoever may read the object, the Git repository or a backup has the password: a database of invoices and salaries is open to all "
        "of "
        "them, and to everyone they pass a manifest to",
    .kinds = {"*"},
    .subresources = {"ephemeralcontainers"},
    .operations = {Operation::create, Operation::update},
    .params =
        {
            {.name = "detectors",
             .type = ParamType::strings,
             .meaning = "which detectors look for credentials",
             .range = {1, 6},
             .words = {detector_names.begin(), detector_names.end()},
             .fallback = "[name, url, pem, token, authorization, entropy]"},
            {.name = "allowNames",
             .type = ParamType::strings,
             .meaning =
                 "names that the detector `name` leaves alone, such as those of public tokens; a `*` at the end stands for any ending",
             .range = {0, allow_names_max},
             .words = {},
             .fallback = "[]"},
        },
    .judges_controllers = true,
    .mends = false,
    .example = {.with = "{allowNames: [PUBLIC_MAP_TOKEN]}",
                .allowed = R"yaml(apiVersion: apps/v1
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
          args: ["--db_host=db", "--db_password=$(PGPASSWORD)"]
          env:
            - {name: PUBLIC_MAP_TOKEN, value: demo-map}
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
          args: ["--db_host=db", "--db_password=demo-7hQ2"]
          env:
            - {name: PGPASSWORD, value: demo-7hQ2}
)yaml"},
    .since = "0.1.0",
    .compile = compile_no_inline_secret,
};

}  // namespace portcullis::policy::rule
