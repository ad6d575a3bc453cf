// The pod template of every workload kind, and the containers in it: one extractor, so that no rule forgets a door.
// Kinds: Pod itself, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job (spec.template), CronJob
// (spec.jobTemplate.spec.template), PodTemplate (template), and the Platform's workloadKinds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "policy/object/image_reference.hpp"
#include "policy/object/value.hpp"

namespace portcullis::policy {

enum class ContainerKind : std::uint8_t { init, sidecar, main, ephemeral };  // sidecar: init with restartPolicy Always

struct Container {
  ContainerKind kind = ContainerKind::main;
  Value node;  // the container object; may be of a wrong type: see `well_formed`
  Value name, image, resources, env, env_from, command, args;
  bool well_formed = true;                  // false for null or another type where an object belongs
  std::optional<ImageReference> reference;  // of `image`, read once for all rules; none where it is absent or does not parse
};

struct PodTemplate {
  Value metadata, labels, annotations;  // of the template (of the Pod itself)
  Value node;                           // what holds metadata and spec; absent when the workload has no template
  Value spec;                           // PodSpec; may be absent or of a wrong type
  Value volumes, affinity, topology_spread, resources, restart_policy;  // of spec; of any type
  std::vector<Container> containers;  // init (sidecars among them), main, ephemeral, in the object's order
  Value misplaced;                    // where something of the wrong type stands instead of the template, its spec or a list
                                      // of containers or volumes (the first such place): what is under it nobody can judge
  void clear();                       // keeps memory
};

// Reads the template whose metadata and spec stand under `holder` (the Pod itself, or spec.template) into `out`, reusing
// its memory.
void read_pod_template(Value holder, PodTemplate& out);

}  // namespace portcullis::policy
