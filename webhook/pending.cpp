#include "webhook/pending.hpp"

#include <algorithm>

namespace portcullis::webhook {

Amounts PendingClaims::amounts(const Group& group) {
  std::map<std::string_view, std::pair<std::int64_t, std::int64_t>> spans;  // lowest base, highest wanted
  for (const auto& [uid, attempts] : group) {
    for (const Attempt& attempt : attempts) {
      for (const Need& need : attempt.needs) {
        const auto [at, fresh] = spans.try_emplace(need.dimension, need.base, need.wanted);
        if (fresh) continue;
        at->second.first = std::min(at->second.first, need.base);
        at->second.second = std::max(at->second.second, need.wanted);
      }
    }
  }
  Amounts amounts;
  for (const auto& [dimension, span] : spans) amounts.emplace(dimension, span.second - span.first);
  return amounts;
}

void PendingClaims::recount(const Amounts& before, const ObjectName& object) {
  const auto group = groups_.find(object);
  const Amounts after = group == groups_.end() ? Amounts{} : amounts(group->second);
  for (const auto& [dimension, amount] : before) sum_[dimension] -= amount;
  for (const auto& [dimension, amount] : after) sum_[dimension] += amount;
  std::erase_if(sum_, [](const auto& entry) { return entry.second == 0; });
}

Amounts PendingClaims::growth(const Claim& claim) const {
  const auto name = names_.find(claim.uid);
  const auto found = groups_.find(name == names_.end() ? claim.object : name->second);
  Amounts grown;
  if (found == groups_.end()) {
    for (const Need& need : claim.needs) grown[need.dimension] = need.wanted - need.base;
    return grown;
  }
  Group group = found->second;
  group[claim.uid].push_back({.ticket = 0, .old_version = claim.old_version, .expires = std::nullopt, .needs = claim.needs});
  grown = amounts(group);
  for (const auto& [dimension, amount] : amounts(found->second)) grown[dimension] -= amount;
  std::erase_if(grown, [](const auto& entry) { return entry.second <= 0; });
  return grown;
}

void PendingClaims::add(std::uint64_t ticket, const Claim& claim) {
  // An object whose attempts are under another name keeps it: a name does not change, and one place is enough.
  const ObjectName object = names_.try_emplace(claim.uid, claim.object).first->second;
  Group& group = groups_[object];
  const Amounts before = amounts(group);
  group[claim.uid].push_back({.ticket = ticket, .old_version = claim.old_version, .expires = std::nullopt, .needs = claim.needs});
  tickets_.emplace(ticket, claim.uid);
  recount(before, object);
}

// Removes the attempts that `ends(uid, attempt)` names.
template <class Ends>
void PendingClaims::end(const ObjectName& object, const Ends& ends) {
  const auto found = groups_.find(object);
  if (found == groups_.end()) return;
  Group& group = found->second;
  const Amounts before = amounts(group);
  for (auto at = group.begin(); at != group.end();) {
    const std::string& uid = at->first;
    std::erase_if(at->second, [&](const Attempt& attempt) {
      if (!ends(uid, attempt)) return false;
      tickets_.erase(attempt.ticket);
      return true;
    });
    if (at->second.empty()) {
      names_.erase(uid);
      at = group.erase(at);
    } else {
      ++at;
    }
  }
  if (group.empty()) groups_.erase(found);
  recount(before, object);
}

void PendingClaims::drop(std::uint64_t ticket) {
  const auto uid = tickets_.find(ticket);
  if (uid == tickets_.end()) return;
  const ObjectName object = names_.find(uid->second)->second;
  end(object, [&](const std::string&, const Attempt& attempt) { return attempt.ticket == ticket && !attempt.expires; });
}

void PendingClaims::let_through(std::uint64_t ticket, Deadline expires) {
  const auto at = tickets_.find(ticket);
  if (at == tickets_.end()) return;
  const std::string uid = at->second;
  tickets_.erase(at);
  for (Attempt& attempt : groups_.find(names_.find(uid)->second)->second.find(uid)->second) {
    if (attempt.ticket == ticket) attempt.expires = expires;
  }
  expiries_.emplace_back(expires, uid);
}

std::vector<std::string> PendingClaims::seen(std::string_view uid, std::uint64_t version) {
  std::vector<std::string> dimensions;
  const auto name = names_.find(uid);
  if (name == names_.end()) return dimensions;
  const ObjectName object = name->second;
  end(object, [&](const std::string& of, const Attempt& attempt) {
    if (of != uid || version <= attempt.old_version) return false;
    for (const Need& need : attempt.needs) dimensions.push_back(need.dimension);
    return true;
  });
  return dimensions;
}

std::optional<ObjectName> PendingClaims::expired(Deadline now) {
  while (!expiries_.empty()) {
    const auto& [expires, uid] = expiries_.front();
    const auto name = names_.find(uid);
    if (name != names_.end()) {
      const std::vector<Attempt>& attempts = groups_.find(name->second)->second.find(uid)->second;
      const bool waits = std::any_of(attempts.begin(), attempts.end(),
                                     [&, until = expires](const Attempt& attempt) { return attempt.expires && *attempt.expires <= until; });
      if (waits) return expires <= now ? std::optional(name->second) : std::nullopt;
    }
    expiries_.pop_front();
  }
  return std::nullopt;
}

std::vector<std::string> PendingClaims::looked(const ObjectName& object, std::string_view uid, std::uint64_t version, Deadline since,
                                               const Amounts& view_rv, Deadline again) {
  std::vector<std::string> dimensions;
  const auto in_view = [&](const Need& need) { return static_cast<std::uint64_t>(amount_of(view_rv, need.dimension)) >= version; };
  end(object, [&](const std::string& of, const Attempt& attempt) {
    if (!attempt.expires || *attempt.expires > since) return false;
    if (of != uid || version <= attempt.old_version) return true;  // it did not come
    if (!std::all_of(attempt.needs.begin(), attempt.needs.end(), in_view)) return false;
    for (const Need& need : attempt.needs) dimensions.push_back(need.dimension);
    return true;
  });
  const auto group = groups_.find(object);
  if (group == groups_.end()) return dimensions;
  for (auto& [of, attempts] : group->second) {
    for (Attempt& attempt : attempts) {
      if (!attempt.expires || *attempt.expires > since) continue;
      attempt.expires = again;
      const auto later =
          std::upper_bound(expiries_.begin(), expiries_.end(), again, [](Deadline at, const auto& entry) { return at < entry.first; });
      expiries_.emplace(later, again, of);
    }
  }
  return dimensions;
}

void PendingClaims::give_up(const ObjectName& object, Deadline since) {
  end(object, [&](const std::string&, const Attempt& attempt) { return attempt.expires && *attempt.expires <= since; });
}

std::optional<Deadline> PendingClaims::next_expiry() const {
  if (expiries_.empty()) return std::nullopt;
  return expiries_.front().first;
}

std::string PendingClaims::text(Deadline now) const {
  std::string text;
  for (const auto& [object, group] : groups_) {
    text += object.resource + "/" + object.name_space + "/" + object.name + "{";
    for (const auto& [uid, attempts] : group) {
      text += uid;
      for (const Attempt& attempt : attempts) {
        text += "(" + std::to_string(attempt.old_version);
        for (const Need& need : attempt.needs) {
          text += " " + need.dimension + ":" + std::to_string(need.base) + "-" + std::to_string(need.wanted);
        }
        if (!attempt.expires) {
          text += " asked " + std::to_string(attempt.ticket);
        } else {
          text += *attempt.expires <= now ? " expired" : " until +" + std::to_string((*attempt.expires - now).count());
        }
        text += ")";
      }
    }
    text += "}";
  }
  return text;
}

}  // namespace portcullis::webhook
