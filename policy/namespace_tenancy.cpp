#include "policy/namespace_tenancy.hpp"

#include <array>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace portcullis::policy {
namespace {

struct TenancyLabel {
  std::string_view key;
  std::string wanted;  // "" where nobody owns the namespace: then it has no such label
};

std::array<TenancyLabel, 3> labels_of(const Standing& at) {
  std::array<TenancyLabel, 3> labels{{{"portcullis.dev/tenant", {}}, {"portcullis.dev/tier", {}}, {"portcullis.dev/environment", {}}}};
  if (!at.tenant) return labels;
  labels[0].wanted = at.tenant->name;
  labels[1].wanted = std::to_string(at.tier);
  labels[2].wanted = at.name_space->environment;
  return labels;
}

bool is_right(Value label, const TenancyLabel& wanted) {
  return wanted.wanted.empty() ? !label : label.is(ValueKind::string) && label.text() == wanted.wanted;
}

// Is the label as it was before this update?
bool is_untouched(const Subject& subject, std::string_view key) {
  return subject.operation == Operation::update && same_content(subject.object.labels[key], subject.old_object.labels[key]);
}

}  // namespace

void find_namespace_tenancy(const Standing& at, const Platform& platform, const Subject& subject, Decision& decision) {
  if (subject.operation != Operation::create && subject.operation != Operation::update) return;
  for (const TenancyLabel& each : labels_of(at)) {
    const Value label = subject.object.labels[each.key];
    const bool untouched = is_untouched(subject, each.key);
    // One that is not there is set by the gate; without it the namespace is judged by the strictest.
    if (is_right(label, each) || (!label && (untouched || subject.operation == Operation::create))) continue;
    PolicyFinding& finding = decision.findings.emplace_back();
    finding.rule = "namespace-tenancy";
    finding.policy = platform.name;
    finding.kept = untouched;
    finding.finding.what = "label of another tenancy";
    finding.finding.where = "metadata.labels[\"" + std::string(each.key) + "\"]";
    finding.finding.found = label ? quoted(label.text()) : "nothing";
    finding.finding.wanted = at.tenant ? "`" + each.wanted + "`, as the documents say" : "no such label on a namespace that no tenant owns";
    finding.finding.fix = "leave the label out: the gate sets it from the Tenant documents";
    finding.finding.at = label ? label : subject.object.metadata;
  }
}

void mend_namespace_tenancy(const Standing& at, const Subject& subject, Patch& patch) {
  if (subject.operation != Operation::create && subject.operation != Operation::update) return;
  const Value labels = subject.object.labels;
  if (!subject.object.metadata.is(ValueKind::object) || (labels.present() && !labels.is(ValueKind::object))) return;
  const std::array<TenancyLabel, 3> all = labels_of(at);
  if (!labels.present()) {
    if (!at.tenant) return;
    std::string value = "{";
    for (const TenancyLabel& each : all) {
      if (value.size() > 1) value += ',';
      value += json_string(each.key) + ':' + json_string(each.wanted);
    }
    patch.add("/metadata/labels", value + '}');
    return;
  }
  for (const TenancyLabel& each : all) {
    const Value label = labels[each.key];
    if (is_right(label, each)) continue;
    const std::string path = "/metadata/labels/" + pointer_token(each.key);
    if (!label) {
      patch.add(path, json_string(each.wanted));
    } else if (is_untouched(subject, each.key)) {
      if (at.tenant) {
        patch.replace(path, json_string(each.wanted));
      } else {
        patch.remove(path);
      }
    }
  }
}

}  // namespace portcullis::policy
