#include "policy/object/pod_template.hpp"

namespace portcullis::policy {
namespace {

// Members are told apart by length first: one comparison a member instead of one a name.
void read_container(Value node, ContainerKind kind, Container& out) {
  out = Container{};
  out.kind = kind;
  out.node = node;
  out.well_formed = node.is(ValueKind::object);
  if (!out.well_formed) return;
  for (const Value member : node) {
    const std::string_view key = member.key();
    switch (key.size()) {
      case 3:
        if (key == "env") out.env = member;
        break;
      case 4:
        if (key == "name") {
          out.name = member;
        } else if (key == "args") {
          out.args = member;
        }
        break;
      case 5:
        if (key == "image") out.image = member;
        break;
      case 7:
        if (key == "envFrom") {
          out.env_from = member;
        } else if (key == "command") {
          out.command = member;
        }
        break;
      case 9:
        if (key == "resources") out.resources = member;
        break;
      case 13:
        if (kind == ContainerKind::init && key == "restartPolicy" && member.text() == "Always") out.kind = ContainerKind::sidecar;
        break;
      default:
        break;
    }
  }
  if (out.image.is(ValueKind::string)) out.reference = parse_image(out.image.text());
}

void read_containers(Value list, ContainerKind kind, PodTemplate& out) {
  if (!list.present()) return;
  if (!list.is(ValueKind::array)) {
    if (!out.misplaced) out.misplaced = list;
    return;
  }
  for (const Value item : list) read_container(item, kind, out.containers.emplace_back());
}

void read_spec(Value spec, PodTemplate& out) {
  for (const Value member : spec) {
    const std::string_view key = member.key();
    switch (key.size()) {
      case 7:
        if (key == "volumes") out.volumes = member;
        break;
      case 8:
        if (key == "affinity") out.affinity = member;
        break;
      case 9:
        if (key == "resources") out.resources = member;
        break;
      case 10:
        if (key == "containers") read_containers(member, ContainerKind::main, out);
        break;
      case 13:
        if (key == "restartPolicy") out.restart_policy = member;
        break;
      case 14:
        if (key == "initContainers") read_containers(member, ContainerKind::init, out);
        break;
      case 19:
        if (key == "ephemeralContainers") read_containers(member, ContainerKind::ephemeral, out);
        break;
      case 25:
        if (key == "topologySpreadConstraints") out.topology_spread = member;
        break;
      default:
        break;
    }
  }
  if (out.volumes.present() && !out.volumes.is(ValueKind::array) && !out.misplaced) out.misplaced = out.volumes;
}

void read_metadata(Value metadata, PodTemplate& out) {
  for (const Value member : metadata) {
    if (member.key() == "labels") {
      out.labels = member;
    } else if (member.key() == "annotations") {
      out.annotations = member;
    }
  }
}

}  // namespace

void PodTemplate::clear() {
  std::vector<Container> kept = std::move(containers);
  kept.clear();
  *this = PodTemplate{};
  containers = std::move(kept);
}

void read_pod_template(Value holder, PodTemplate& out) {
  out.clear();
  out.node = holder;
  if (!holder.is(ValueKind::object)) {
    if (holder.present()) out.misplaced = holder;
    return;
  }
  for (const Value member : holder) {
    if (member.key() == "metadata") {
      out.metadata = member;
    } else if (member.key() == "spec") {
      out.spec = member;
    }
  }
  if (out.metadata.is(ValueKind::object)) read_metadata(out.metadata, out);
  if (out.spec.is(ValueKind::object)) {
    read_spec(out.spec, out);
  } else if (out.spec.present()) {
    out.misplaced = out.spec;
  }
}

}  // namespace portcullis::policy
