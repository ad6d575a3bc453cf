// Kinds as the API server's paths name them: which resource, which versions, which subresources. Documents and rules speak of
// kinds; webhook configurations and rights speak of resources.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document/budget.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::cli {

struct Resource {
  std::string kind, group, version;  // version "*": any
  std::string plural;
  std::vector<std::string> subresources;  // those that a rule may judge
  enum class Role {
    workload,       // holds a pod template, or is a pod
    autoscaler,     // says how many pods another object may come to
    configuration,  // may hold credentials or refer to Secrets
    other,
  } role = Role::other;
  enum class Mended { never, on_create, on_update_too } mended = Mended::never;
};

// Those that the program knows, the Platform's workloadKinds with them, in the order they are listed. Secrets are not among
// them: they are where secrets belong, and nobody else needs to read them.
std::vector<Resource> resource_table(const policy::Platform& platform);

// `Rollout` -> `rollouts`, as Kubernetes itself guesses where it cannot ask.
std::string guessed_plural(std::string_view kind);

// What must never wait for anybody, or would wait for itself: leases, events, our own resources; and Secrets.
bool is_never_sent(std::string_view group, std::string_view plural);

// What budgets may bound: pods, claims and services in any case, so that a first budget asks for nothing new, and what the
// documents' budgets count besides. Never what is never sent.
std::vector<policy::CountedResource> budgeted_resources(const policy::DocumentSet& documents);
// May an object of it come to use more? Of other resources only the number counts.
bool is_measured(const policy::CountedResource& resource);

}  // namespace portcullis::cli
