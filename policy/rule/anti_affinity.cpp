// anti-affinity: replicas of a workload never share a node (or another failure domain), by a rule the scheduler must keep.
//
// Params:  topologyKey  default kubernetes.io/hostname
//          accept       [spread]: a DoNotSchedule topology spread with maxSkew 1 over the key stands in
// Judges:  CREATE and UPDATE of Deployment, StatefulSet, ReplicaSet, ReplicationController, PodTemplate, Pod and the Platform's
//          workloadKinds with replicas
// Reads:   spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution of the template, and the template's
//          own labels: a term counts when it would keep two pods of this template apart. So preferred terms do not count
//          (threats A86), nor does a selector that does not match the own labels, a null selector, a term that looks into
//          other namespaces only, or one that mismatchLabelKeys turns away from its own kind (A87, A90).
// Not its: DaemonSet (one a node by nature), Job and CronJob and pods that run to completion, `replicas: 0`
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "policy/object/selector.hpp"
#include "policy/object/to_json.hpp"
#include "policy/rule/rule.hpp"

namespace portcullis::policy::rule {
namespace {

constexpr std::string_view default_key = "kubernetes.io/hostname";
constexpr std::string_view required_terms = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr std::string_view namespace_label = "kubernetes.io/metadata.name";  // the one label of a namespace that we know for sure

// Labels that controllers put on pods after the template: absent from it, and yet on every pod.
constexpr std::array<std::string_view, 7> added_labels{"pod-template-hash",
                                                       "controller-revision-hash",
                                                       "statefulset.kubernetes.io/pod-name",
                                                       "apps.kubernetes.io/pod-index",
                                                       "rollouts-pod-template-hash",
                                                       "pod-template-generation",
                                                       "controller-uid"};
// Of those, what differs from pod to pod of one workload: a term that compares it never finds another pod.
constexpr std::array<std::string_view, 2> unique_labels{"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"};

template <std::size_t count>
bool holds(const std::array<std::string_view, count>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Why a term or constraint keeps nothing apart; in the order of asking.
enum class Flaw { none, not_an_object, other_key, no_selector, other_labels, other_namespaces, label_keys, schedule_anyway, skew };

std::string_view flaw_text(Flaw flaw) {
  switch (flaw) {
    case Flaw::none:
      return "one that works";
    case Flaw::not_an_object:
      return "one of the wrong type";
    case Flaw::other_key:
      return "one over another topologyKey";
    case Flaw::no_selector:
      return "one without labelSelector, which matches no pod";
    case Flaw::other_labels:
      return "one whose labelSelector does not match the pod's own labels";
    case Flaw::other_namespaces:
      return "one that does not look into its own namespace";
    case Flaw::label_keys:
      return "one whose label keys leave the pod's own kind out";
    case Flaw::schedule_anyway:
      return "one that is not DoNotSchedule";
    case Flaw::skew:
      return "one with a maxSkew other than 1";
  }
  return "";
}

struct Term {
  Value key, selector, namespaces, namespace_selector, match_keys, mismatch_keys, when, skew;
};

Term read_term(Value node) {
  Term term;
  for (const Value member : node) {
    const std::string_view key = member.key();
    if (key == "topologyKey") term.key = member;
    if (key == "labelSelector") term.selector = member;
    if (key == "namespaces") term.namespaces = member;
    if (key == "namespaceSelector") term.namespace_selector = member;
    if (key == "matchLabelKeys") term.match_keys = member;
    if (key == "mismatchLabelKeys") term.mismatch_keys = member;
    if (key == "whenUnsatisfiable") term.when = member;
    if (key == "maxSkew") term.skew = member;
  }
  return term;
}

bool is_list_or_absent(Value value) { return !value.present() || value.is(ValueKind::array); }

// A selector that asks for the absence of a label, or of some of its values, matches the template where the label is missing;
// on the pods it is there.
bool denies_added_label(Value selector) {
  for (const Value expression : selector["matchExpressions"]) {
    const std::string_view op = expression["operator"].text();
    if ((op == "NotIn" || op == "DoesNotExist") && holds(added_labels, expression["key"].text())) return true;
  }
  return false;
}

Flaw selector_flaw(const Term& term, Value labels) {
  if (!term.selector.present()) return Flaw::no_selector;
  if (!selector_matches(term.selector, labels) || denies_added_label(term.selector)) return Flaw::other_labels;
  // The API server adds `key in (own value)` for each key that the pod has, and `key notin (own value)` for the others' list.
  if (!is_list_or_absent(term.match_keys) || !is_list_or_absent(term.mismatch_keys)) return Flaw::label_keys;
  for (const Value key : term.match_keys)
    if (holds(unique_labels, key.text())) return Flaw::label_keys;
  for (const Value key : term.mismatch_keys)
    if (labels[key.text()] || holds(added_labels, key.text())) return Flaw::label_keys;
  return Flaw::none;
}

// Does a selector of namespaces take in ours, as far as we can know? Of its labels we know its name.
bool selects_own_namespace(Value selector, std::string_view name_space) {
  if (!selector.is(ValueKind::object) || !is_list_or_absent(selector["matchExpressions"])) return false;
  if (selector["matchLabels"].present() && !selector["matchLabels"].is(ValueKind::object)) return false;
  for (const Value label : selector["matchLabels"])
    if (label.key() != namespace_label || label.text() != name_space) return false;
  for (const Value expression : selector["matchExpressions"]) {
    const std::string_view op = expression["operator"].text();
    if (expression["key"].text() != namespace_label) return false;
    bool listed = false;
    for (const Value value : expression["values"]) listed = listed || value.text() == name_space;
    const bool takes_in = op == "Exists" || (op == "In" && listed) || (op == "NotIn" && !listed);
    if (!takes_in) return false;
  }
  return true;
}

bool looks_into_own_namespace(const Term& term, std::string_view name_space) {
  if (!is_list_or_absent(term.namespaces)) return false;
  if (!term.namespace_selector.present() && term.namespaces.size() == 0) return true;
  for (const Value each : term.namespaces)
    if (each.text() == name_space) return true;
  return term.namespace_selector.present() && selects_own_namespace(term.namespace_selector, name_space);
}

Flaw term_flaw(Value node, std::string_view topology_key, Value labels, std::string_view name_space) {
  if (!node.is(ValueKind::object)) return Flaw::not_an_object;
  const Term term = read_term(node);
  if (term.key.text() != topology_key) return Flaw::other_key;
  if (const Flaw flaw = selector_flaw(term, labels); flaw != Flaw::none) return flaw;
  return looks_into_own_namespace(term, name_space) ? Flaw::none : Flaw::other_namespaces;
}

Flaw spread_flaw(Value node, std::string_view topology_key, Value labels) {
  if (!node.is(ValueKind::object)) return Flaw::not_an_object;
  const Term term = read_term(node);
  if (term.key.text() != topology_key) return Flaw::other_key;
  if (term.when.present() && term.when.text() != "DoNotSchedule") return Flaw::schedule_anyway;
  if (term.skew.integer() != 1) return Flaw::skew;
  return selector_flaw(term, labels);
}

// A pod that runs to completion is nobody's replica; neither is one that the DaemonSet or Job controller makes. Who writes is
// known by the user alone, never by owner references: those are read only of a pod that a controller of Kubernetes wrote.
bool is_no_replica(const Subject& subject, const PodTemplate& pod) {
  if (!subject.is("Pod", "") && !subject.is("PodTemplate", "")) return false;
  const std::string_view restart = pod.restart_policy.text();
  if (restart == "Never" || restart == "OnFailure") return true;
  const bool is_controller =
      subject.user.name == "system:kube-controller-manager" ||
      (subject.user.name.starts_with("system:serviceaccount:kube-system:") && subject.user.in_group("system:serviceaccounts:kube-system"));
  if (!is_controller) return false;
  for (const Value owner : pod.metadata["ownerReferences"])
    if (owner["controller"].is_true() && (owner["kind"].text() == "DaemonSet" || owner["kind"].text() == "Job")) return true;
  return false;
}

class AntiAffinity final : public Rule {
 public:
  AntiAffinity(std::string topology_key, bool accepts_spread) : topology_key_(std::move(topology_key)), accepts_spread_(accepts_spread) {}

  void evaluate(const Subject& subject, const Facts& facts, Findings& findings) const override {
    if (!is_its(subject, facts)) return;
    for (const PodTemplate& pod : subject.judged().templates) {
      if (is_no_replica(subject, pod)) continue;
      Flaw nearest = Flaw::none;
      std::size_t terms = 0;
      if (keeps_apart(pod, subject.name_space, nearest, terms)) continue;
      report(subject, pod, nearest, terms, findings);
    }
  }

  void mend(const Subject& subject, const Facts& facts, Patch& patch) const override {
    // The API server refuses a change of affinity in a pod that is already there.
    if (!is_its(subject, facts) || (subject.is("Pod", "") && subject.operation != Operation::create)) return;
    for (const PodTemplate& pod : subject.judged().templates) {
      Flaw nearest = Flaw::none;
      std::size_t terms = 0;
      if (is_no_replica(subject, pod) || !pod.spec.is(ValueKind::object) || keeps_apart(pod, subject.name_space, nearest, terms)) continue;
      const std::string selector = own_selector(subject, pod);
      if (!selector.empty())
        add_term(pod, R"({"labelSelector":)" + selector + R"(,"topologyKey":)" + json_string(topology_key_) + "}", patch);
    }
  }

 private:
  static bool is_its(const Subject& subject, const Facts& facts) {
    if (is_scalable(subject, facts.workload_kinds)) {
      const Value replicas = subject.judged().replicas;
      return !replicas.present() || replicas.integer() != 0;  // 0: switched off on purpose
    }
    return subject.is("Pod", "") || subject.is("PodTemplate", "");
  }

  // `nearest` is what is wrong with the term that came nearest to working, `terms` how many there are.
  bool keeps_apart(const PodTemplate& pod, std::string_view name_space, Flaw& nearest, std::size_t& terms) const {
    const Value required = pod.affinity["podAntiAffinity"][required_terms];
    if (required.is(ValueKind::array)) {
      for (const Value node : required) {
        const Flaw flaw = term_flaw(node, topology_key_, pod.labels, name_space);
        if (flaw == Flaw::none) return true;
        nearest = std::max(nearest, flaw);
        ++terms;
      }
    }
    if (!accepts_spread_ || !pod.topology_spread.is(ValueKind::array)) return false;
    for (const Value node : pod.topology_spread) {
      const Flaw flaw = spread_flaw(node, topology_key_, pod.labels);
      if (flaw == Flaw::none) return true;
      nearest = std::max(nearest, flaw);
      ++terms;
    }
    return false;
  }

  void report(const Subject& subject, const PodTemplate& pod, Flaw nearest, std::size_t terms, Findings& findings) const {
    const Value anti_affinity = pod.affinity["podAntiAffinity"];
    const Value required = anti_affinity[required_terms];
    const Value root = subject.judged().root;
    Finding finding;
    finding.what = "no effective anti-affinity";
    finding.at = required             ? required
                 : anti_affinity      ? anti_affinity
                 : pod.affinity       ? pod.affinity
                 : pod.spec.present() ? pod.spec
                 : pod.node.present() ? pod.node
                                      : root;
    finding.scope = pod.node.present() ? pod.node : root;
    finding.where = pod.affinity                     ? finding.at.path()
                    : pod.spec.is(ValueKind::object) ? child_path(pod.spec, "affinity")
                                                     : (finding.at == root ? "spec.template" : finding.at.path());
    if (terms > 0) {
      finding.found = std::string(flaw_text(nearest));
      if (terms > 1) finding.found += " at best, of " + std::to_string(terms);
    } else if (anti_affinity["preferredDuringSchedulingIgnoredDuringExecution"].size() > 0) {
      finding.found = "preferred terms only";
    } else {
      finding.found = required.present() && !required.is(ValueKind::array) ? std::string(kind_name(required.kind())) : "none";
    }
    finding.wanted = "a required podAntiAffinity term over " + quoted(topology_key_) + " that matches the pod's own labels" +
                     (accepts_spread_ ? ", or a DoNotSchedule spread with maxSkew 1 over it" : "");
    finding.fix = "add the term with the workload's own selector as labelSelector";
    findings.add(std::move(finding));
  }

  // The selector of the workload as JSON, where it matches the template; else all of the template's own labels. "" for none:
  // an empty selector would keep every other pod of the namespace away.
  static std::string own_selector(const Subject& subject, const PodTemplate& pod) {
    const Value selector = subject.judged().root["spec"]["selector"];
    if (subject.is("ReplicationController", "")) {
      if (selector.is(ValueKind::object) && selector.size() > 0 && contains(pod.labels, selector))
        return R"({"matchLabels":)" + to_json(selector) + "}";
    } else if ((selector["matchLabels"].size() > 0 || selector["matchExpressions"].size() > 0) && selector_matches(selector, pod.labels) &&
               !denies_added_label(selector)) {
      return to_json(selector);
    }
    std::string labels;
    for (const Value label : pod.labels) {
      if (!label.is(ValueKind::string) || holds(added_labels, label.key()) || !is_label_key(label.key()) || !is_label_value(label.text()))
        continue;
      labels += (labels.empty() ? "" : ",") + json_string(label.key()) + ":" + json_string(label.text());
    }
    if (labels.empty() || pod.labels.size() > selector_labels_max) return "";
    return R"({"matchLabels":{)" + labels + "}}";
  }

  static bool contains(Value labels, Value wanted) {
    for (const Value each : wanted)
      if (!each.is(ValueKind::string) || !labels[each.key()].is(ValueKind::string) || labels[each.key()].text() != each.text())
        return false;
    return true;
  }

  // Adds the term where the author left room: at the end of the required list, or with the first parent that is missing or
  // null. What is there with another type is the author's to mend.
  static void add_term(const PodTemplate& pod, const std::string& term, Patch& patch) {
    struct Step {
      Value node;
      std::string path, value;  // where it belongs, and what to put there when it is missing
    };
    const std::string required_key = json_string(required_terms);
    const std::string spec = json_pointer(pod.spec);
    const Value anti_affinity = pod.affinity["podAntiAffinity"];
    const std::array<Step, 3> steps{{
        {pod.affinity, spec + "/affinity", R"({"podAntiAffinity":{)" + required_key + ":[" + term + "]}}"},
        {anti_affinity, spec + "/affinity/podAntiAffinity", "{" + required_key + ":[" + term + "]}"},
        {anti_affinity[required_terms], spec + "/affinity/podAntiAffinity/" + std::string(required_terms), "[" + term + "]"},
    }};
    for (const Step& step : steps) {
      if (!step.node.present()) return patch.add(step.path, step.value);
      const bool is_list = &step == &steps.back();
      if (!step.node.is(is_list ? ValueKind::array : ValueKind::object)) return;
    }
    patch.add(steps.back().path + "/-", term);
  }

  std::string topology_key_;
  bool accepts_spread_;
};

Result<RulePtr> compile_anti_affinity(const Params& params) {
  std::string key = params.string("topologyKey", std::string(default_key));
  if (!is_label_key(key))
    return tl::unexpected(params.error("topologyKey", "found " + quoted(key) + ", want a node label such as kubernetes.io/hostname"));
  bool accepts_spread = false;
  for (const std::string& word : params.strings("accept", {})) {
    if (word != "spread") return tl::unexpected(params.error("accept", "found " + quoted(word) + ", want spread"));
    accepts_spread = true;
  }
  return RulePtr(std::make_unique<const AntiAffinity>(std::move(key), accepts_spread));
}

}  // namespace

extern const RuleInfo anti_affinity;  // a const alone would stay in this file
const RuleInfo anti_affinity{
    .id = "anti-affinity",
    .summary = "Replicas of a workload never share a node, by a rule that the scheduler must keep",
    .why =
        "Two replicas on one node are one replica when that node fails. A preference is dropped on the day the cluster is full, "
        "which is the day it was written for.",
    .kinds = {},
    .subresources = {},
    .params = {{.name = "topologyKey",
                .type = ParamType::string,
                .meaning = "the node label whose values are the failure domains; over `topology.kubernetes.io/zone` it caps replicas at "
                           "the number of zones",
                .fallback = "kubernetes.io/hostname"},
               {.name = "accept",
                .type = ParamType::strings,
                .meaning = "`spread`: a topologySpreadConstraint with `whenUnsatisfiable: DoNotSchedule` and `maxSkew: 1` over the key "
                           "stands in",
                .range = {0, 1},
                .fallback = "[]"}},
    .mends = true,
    .example = {.with = "{}",
                .allowed = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: acme-prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - labelSelector: {matchLabels: {app: web}}
              topologyKey: kubernetes.io/hostname
      containers: [{name: web, image: registry.hoster.example/odoo/server:17.0}]
)",
                .denied = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: acme-prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - labelSelector: {matchLabels: {app: wbe}}
              topologyKey: kubernetes.io/hostname
      containers: [{name: web, image: registry.hoster.example/odoo/server:17.0}]
)"},
    .since = "0.1.0",
    .compile = compile_anti_affinity,
};

}  // namespace portcullis::policy::rule
