#include "policy/object/subject.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/document/documents.hpp"
#include "policy/object/group.hpp"

namespace portcullis::policy {
namespace {

// Where a kind keeps its pod template.
enum class Shape {
  none,
  pod,            // the object itself
  root_template,  // template
  spec_template,  // spec.template
  job_template,   // spec.jobTemplate.spec.template
  extra,          // as the Platform's workloadKinds say
  scale,          // no template, but replicas
};

struct Layout {
  Shape shape = Shape::none;
  bool scalable = false;
  const WorkloadKind* extra = nullptr;
};

constexpr std::array<std::string_view, 1> template_path{"template"};
constexpr std::array<std::string_view, 3> job_template_path{"jobTemplate", "spec", "template"};

Layout built_in_layout(std::string_view kind, std::string_view group) {
  switch (kind.size()) {
    case 3:
      if (kind == "Pod" && group.empty()) return {Shape::pod};
      if (kind == "Job" && group == "batch") return {Shape::spec_template};
      break;
    case 5:
      if (kind == "Scale") return {Shape::scale};
      break;
    case 7:
      if (kind == "CronJob" && group == "batch") return {Shape::job_template};
      break;
    case 9:
      if (kind == "DaemonSet" && group == "apps") return {Shape::spec_template};
      break;
    case 10:
      if ((kind == "Deployment" || kind == "ReplicaSet") && group == "apps") return {Shape::spec_template, true};
      break;
    case 11:
      if (kind == "StatefulSet" && group == "apps") return {Shape::spec_template, true};
      if (kind == "PodTemplate" && group.empty()) return {Shape::root_template};
      break;
    case 21:
      if (kind == "ReplicationController" && group.empty()) return {Shape::spec_template, true};
      break;
    default:
      break;
  }
  return {};
}

// A custom resource's versions may keep the template in different places: its own version first, else any of the kind, since
// the API server may have converted it.
const WorkloadKind* find_extra(const Subject& subject, std::span<const WorkloadKind> extra) {
  const WorkloadKind* found = nullptr;
  for (const WorkloadKind& each : extra) {
    if (each.kind != subject.kind || each.group != subject.group) continue;
    if (each.version == subject.version) return &each;
    if (!found) found = &each;
  }
  return found;
}

Layout layout_of(const Subject& subject, std::span<const WorkloadKind> extra) {
  const Layout built_in = built_in_layout(subject.kind, canonical_group(subject.group, subject.kind));
  if (built_in.shape != Shape::none) return built_in;
  if (const WorkloadKind* found = find_extra(subject, extra)) return {Shape::extra, !found->replicas.empty(), found};
  return {};
}

// What stands at the end of a path; or, where something of another type than an object stands in its way, that.
template <class Path>
Value walk(Value from, const Path& path) {
  for (const std::string_view part : path) {
    if (from.present() && !from.is(ValueKind::object)) return from;
    from = from[part];
  }
  return from;
}

void add_template(Value holder, ObjectView& view) {
  view.templates.push_back(std::move(view.spare));
  read_pod_template(holder, view.templates.back());
}

void read_view(const Layout& layout, ObjectView& view) {
  const Value root = view.root;
  view.clear();
  view.root = root;
  Value spec, root_template;
  for (const Value member : root) {
    const std::string_view key = member.key();
    if (key == "metadata") {
      view.metadata = member;
    } else if (key == "spec") {
      spec = member;
    } else if (key == "template") {
      root_template = member;
    }
  }
  for (const Value member : view.metadata) {
    if (member.key() == "labels") {
      view.labels = member;
    } else if (member.key() == "annotations") {
      view.annotations = member;
    }
  }
  if (!root) return;
  switch (layout.shape) {
    case Shape::none:
      break;
    case Shape::pod:
      add_template(root, view);
      break;
    case Shape::root_template:
      add_template(root_template, view);
      break;
    case Shape::spec_template:
      add_template(walk(spec, template_path), view);
      if (layout.scalable) view.replicas = spec["replicas"];
      break;
    case Shape::job_template:
      add_template(walk(spec, job_template_path), view);
      break;
    case Shape::extra: {
      // An absent template is ordinary there: the pods may be described by another object, and are judged when they come.
      const Value holder = walk(root, layout.extra->pod_template);
      if (holder.present()) add_template(holder, view);
      if (layout.scalable) view.replicas = walk(root, layout.extra->replicas);
      break;
    }
    case Shape::scale:
      view.replicas = spec["replicas"];
      break;
  }
}

}  // namespace

bool User::in_group(std::string_view group) const { return std::find(groups.begin(), groups.end(), group) != groups.end(); }

void ObjectView::clear() {
  if (!templates.empty()) spare = std::move(templates.back());
  templates.clear();
  spare.clear();
  root = metadata = labels = annotations = replicas = Value{};
}

void Subject::clear() {
  operation = Operation::create;
  group = version = kind = resource = subresource = resource_group = name_space = name = generate_name = {};
  dry_run = false;
  user.name = {};
  user.groups.clear();
  user.known = true;
  object.clear();
  old_object.clear();
}

void read_object(Subject& subject, std::span<const WorkloadKind> extra) {
  const Layout layout = layout_of(subject, extra);
  read_view(layout, subject.object);
  read_view(layout, subject.old_object);
}

bool is_scalable(const Subject& subject, std::span<const WorkloadKind> extra) { return layout_of(subject, extra).scalable; }

}  // namespace portcullis::policy
