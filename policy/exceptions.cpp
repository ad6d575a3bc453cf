#include "policy/exceptions.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace portcullis::policy {
namespace {

bool covers(const ExceptionObject& object, const Subject& subject, KindName judged) {
  if (object.kind != judged.kind) return false;
  if (!object.prefix) return subject.generate_name.empty() && subject.name == object.name;
  if (!subject.generate_name.empty()) return object.generated && subject.generate_name.starts_with(object.name);
  return subject.name.starts_with(object.name);
}

// The links that proved to be live, nearest first.
struct Owners {
  std::array<const WorkloadFact*, owners_max> chain{};
  std::size_t size = 0;
  bool is_cut = false;  // a link is there that the facts do not show
};

struct Link {
  std::string_view group, kind, name, uid;
};

Link controlling_owner(const Subject& subject) {
  const Value references = subject.judged().metadata["ownerReferences"];
  if (!references.is(ValueKind::array)) return {};
  for (const Value each : references) {
    if (!each["controller"].is_true()) continue;
    const std::string_view api_version = each["apiVersion"].text(), kind = each["kind"].text();
    const std::size_t slash = api_version.find('/');
    const std::string_view group = slash == std::string_view::npos ? std::string_view{} : api_version.substr(0, slash);
    return {canonical_group(group, kind), kind, each["name"].text(), each["uid"].text()};
  }
  return {};
}

Owners follow(const Subject& subject, const Facts& facts) {
  Owners owners;
  if (!facts.is_controller || !facts.cluster) return owners;
  Link link = controlling_owner(subject);
  // An owner of another kind, such as a database's operator has, is nobody's workload and ends the chain.
  while (is_workload({link.kind, link.group}, facts.workload_kinds) && owners.size < owners.chain.size()) {
    const WorkloadFact* const fact =
        facts.cluster->knows(FactKind::workloads) ? facts.cluster->workload(link.group, link.kind, subject.name_space, link.name) : nullptr;
    if (!fact || fact->uid != link.uid || link.uid.empty()) {
      owners.is_cut = true;
      return owners;
    }
    owners.chain[owners.size++] = fact;
    if (!fact->owner) return owners;
    link = {fact->owner->group, fact->owner->kind, fact->owner->name, fact->owner->uid};
  }
  return owners;
}

bool covers(const ExceptionObject& object, const WorkloadFact& owner) {
  return object.kind == owner.kind && (object.prefix ? owner.name.starts_with(object.name) : owner.name == object.name);
}

}  // namespace

Cover find_cover(std::span<const PolicyException> exceptions, std::string_view rule, const Subject& subject, KindName judged,
                 std::string_view name_space, const Facts& facts) {
  const auto holds = [](const std::vector<std::string>& list, std::string_view item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  const auto stands = [&](const PolicyException& exception) {
    return facts.now >= exception.valid_from && facts.now < exception.expires_at && holds(exception.rules, rule) &&
           holds(exception.tenants, facts.tenant) && holds(exception.namespaces, name_space);
  };
  bool any = false;
  for (const PolicyException& exception : exceptions) {
    if (!stands(exception)) continue;
    any = true;
    if (std::any_of(exception.objects.begin(), exception.objects.end(),
                    [&](const ExceptionObject& object) { return covers(object, subject, judged); }))
      return {&exception, false};
  }
  if (!any) return {};
  const Owners owners = follow(subject, facts);
  for (const PolicyException& exception : exceptions) {
    if (!stands(exception)) continue;
    for (const ExceptionObject& object : exception.objects)
      for (std::size_t link = 0; link < owners.size; ++link)
        if (covers(object, *owners.chain[link])) return {&exception, false};
  }
  return {nullptr, owners.is_cut};
}

}  // namespace portcullis::policy
