#include "policy/binding.hpp"

#include <algorithm>

namespace portcullis::policy {
namespace {

template <class List, class Item>
bool absent_or_holds(const List& list, const Item& item) {
  return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
}

bool names_no_place(const PolicyMatch& match) {
  return match.tiers.empty() && match.environments.empty() && match.tenancies.empty() && match.tenants.empty() && match.namespaces.empty();
}

std::uint64_t key_of(int tier, std::uint32_t environment, Tenancy tenancy) {
  return static_cast<std::uint64_t>(tier) << 40U | static_cast<std::uint64_t>(environment) << 1U |
         (tenancy == Tenancy::dedicated ? 0U : 1U);
}

constexpr int tiers_max = 3;

}  // namespace

PolicyIndex::PolicyIndex(const DocumentSet& documents) : documents_(documents) {
  for (const std::string& environment : documents.platform.environments)
    environments_.emplace(environment, static_cast<std::uint32_t>(environments_.size()));
  for (std::uint32_t index = 0; index < documents.policies.size(); ++index) {
    const PolicyMatch& match = documents.policies[index].match;
    if (names_no_place(match)) {
      unscoped_.push_back(index);
    } else if (!match.tenants.empty()) {
      for (const std::string& tenant : match.tenants) by_tenant_[tenant].push_back(index);
    } else if (!match.namespaces.empty()) {
      for (const std::string& name_space : match.namespaces) by_namespace_[name_space].push_back(index);
    } else {
      for (int tier = 1; tier <= tiers_max; ++tier)
        for (const auto& [environment, number] : environments_)
          for (const Tenancy tenancy : {Tenancy::dedicated, Tenancy::multi_tenant})
            if (absent_or_holds(match.tiers, tier) && absent_or_holds(match.environments, environment) &&
                absent_or_holds(match.tenancies, tenancy))
              by_standing_[key_of(tier, number, tenancy)].push_back(index);
    }
  }
}

std::uint64_t PolicyIndex::standing_key(const Standing& at) const {
  const auto environment = environments_.find(at.name_space->environment);
  return key_of(at.tier, environment == environments_.end() ? ~0U : environment->second, at.name_space->tenancy);
}

bool PolicyIndex::stands(const PolicyMatch& match, const Standing& at) {
  return absent_or_holds(match.tiers, at.tier) && absent_or_holds(match.environments, at.name_space->environment) &&
         absent_or_holds(match.tenancies, at.name_space->tenancy) && absent_or_holds(match.tenants, at.tenant->name) &&
         absent_or_holds(match.namespaces, at.name);
}

bool PolicyIndex::binds_by_request(const PolicyMatch& match, const Subject& subject, KindName judged) {
  if (!match.operations.empty() && !absent_or_holds(match.operations, subject.operation)) return false;
  if (!match.kinds.empty() && std::none_of(match.kinds.begin(), match.kinds.end(),
                                           [&](const KindPattern& kind) { return kind.matches(judged.kind, judged.group); }))
    return false;
  if (!match.groups.empty() &&
      std::none_of(match.groups.begin(), match.groups.end(), [&](const std::string& group) { return subject.user.in_group(group); }))
    return false;
  return true;
}

bool PolicyIndex::selects(const PolicyMatch& match, const Subject& subject, const Labels* behind) {
  if (!match.selector) return true;
  if (behind) return match.selector->matches(std::span(*behind));
  // By the stricter of old and new: a label taken off by this very write does not free it.
  return (subject.object.root && match.selector->matches(subject.object.labels)) ||
         (subject.old_object.root && match.selector->matches(subject.old_object.labels));
}

}  // namespace portcullis::policy
