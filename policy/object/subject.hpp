// What is judged: one write, as rules see it. Filled from an AdmissionReview by the webhook and from a manifest by the
// command line; views into memory that the filler owns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "policy/document/match.hpp"
#include "policy/object/pod_template.hpp"
#include "policy/object/value.hpp"

namespace portcullis::policy {

struct WorkloadKind;

struct User {
  std::string_view name;
  std::vector<std::string_view> groups;
  bool known = true;  // false on the command line without --user
  [[nodiscard]] bool in_group(std::string_view group) const;
};

// One version of the object: what is wanted now, or what was there before.
struct ObjectView {
  Value root;                           // absent when there is none
  Value metadata, labels, annotations;  // of root
  std::vector<PodTemplate> templates;   // pod templates in it; empty for kinds without any
  Value replicas;                       // spec.replicas of a scalable workload or a Scale, else absent
  PodTemplate spare;                    // keeps a template's memory between objects
  void clear();                         // keeps memory
};

struct Subject {
  Operation operation = Operation::create;
  std::string_view group, version, kind;   // what the webhook was asked for (matchPolicy Equivalent converts)
  std::string_view resource, subresource;  // "deployments", "scale"; subresource "" for the object itself
  std::string_view resource_group;         // of the resource: apps for deployments/scale, whose kind is autoscaling's Scale
  std::string_view name_space;             // "" for cluster-scoped objects
  std::string_view name, generate_name;    // name is empty on CREATE with generateName
  bool dry_run = false;
  User user;
  ObjectView object;      // of DELETE: absent
  ObjectView old_object;  // of UPDATE and DELETE

  // What the rules judge: the object, or on DELETE what is deleted.
  [[nodiscard]] const ObjectView& judged() const { return operation == Operation::remove ? old_object : object; }
  [[nodiscard]] bool is(std::string_view kind_wanted, std::string_view group_wanted) const {
    return kind == kind_wanted && group == group_wanted;
  }
  void clear();  // keeps memory
};

// Fills templates, replicas, metadata of both versions from their roots; `extra` are the Platform's workloadKinds.
void read_object(Subject& subject, std::span<const WorkloadKind> extra);

// Is the kind one of Deployment, StatefulSet, ReplicaSet, ReplicationController or an extra kind with replicas? A Scale is none:
// its subject is the workload behind it.
bool is_scalable(const Subject& subject, std::span<const WorkloadKind> extra);

}  // namespace portcullis::policy
