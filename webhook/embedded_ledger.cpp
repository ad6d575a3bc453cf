#include "webhook/embedded_ledger.hpp"

#include <algorithm>
#include <utility>

#include "policy/document/budget.hpp"
#include "policy/engine.hpp"

namespace portcullis::webhook {
namespace {

// None of the three may hold a slash.
std::string key_of(std::string_view resource, std::string_view name_space, std::string_view name) {
  std::string key;
  key.reserve(resource.size() + name_space.size() + name.size() + 2);
  key.append(resource).append("/").append(name_space).append("/").append(name);
  return key;
}

}  // namespace

// What everybody uses is counted anew when the documents change: a namespace may be another tenant's now.
void EmbeddedLedger::follow_documents() {
  if (counted_by_ == reader_.snapshot()) return;
  counted_by_ = reader_.snapshot();
  used_.clear();
  limits_.clear();
  for (const policy::Tenant& tenant : counted_by_->documents().tenants)
    for (const policy::Amount& limit : policy::budget_limits(tenant)) limits_[tenant.name][limit.resource] = limit.units;
  for (const auto& [key, object] : objects_) count(object, 1);
}

void EmbeddedLedger::count(const Object& object, std::int64_t sign) {
  const auto owner = counted_by_->owner_of(object.name_space);
  if (!owner) return;
  Units& used = used_[owner.tenant->name];
  for (const policy::Amount& amount : policy::budget_amounts(*owner.tenant, *owner.name_space, object.usage)) {
    std::int64_t& units = used[amount.resource];
    units = std::min(units + sign * amount.units, policy::units_max);  // both are below 2^62
  }
}

policy::ChargeOutcome EmbeddedLedger::ask(const policy::Charge& charge) {
  follow_documents();
  const auto limits = limits_.find(charge.tenant);
  if (limits == limits_.end()) return policy::unavailable("the documents changed while it was judged");
  const auto present = objects_.find(key_of(charge.resource, charge.name_space, charge.name));
  if (present == objects_.end() && objects_.size() >= objects_bound_) return policy::unavailable("the ledger is full");

  // What stands under this name already makes room: it is replaced, or it is what grows.
  const auto owner = counted_by_->owner_of(charge.name_space);
  Units replaced;
  if (present != objects_.end() && owner)
    for (const policy::Amount& amount : policy::budget_amounts(*owner.tenant, *owner.name_space, present->second.usage))
      replaced[amount.resource] = amount.units;
  Units wanted;
  if (present != objects_.end() && owner) {
    for (const policy::Amount& amount : policy::budget_amounts(*owner.tenant, *owner.name_space, charge.usage))
      wanted[amount.resource] = amount.units;
  }
  const Units& used = used_[charge.tenant];
  for (const policy::Amount& added : charge.added) {
    const auto limit = limits->second.find(added.resource);
    if (limit == limits->second.end()) return policy::unavailable("the documents changed while it was judged");
    const auto in_use = used.find(added.resource);
    policy::ChargeOutcome outcome;
    outcome.resource = added.resource;
    outcome.hard = limit->second;
    outcome.used = in_use == used.end() ? 0 : in_use->second;
    outcome.added = present == objects_.end() ? added.units : wanted[added.resource] - replaced[added.resource];
    if (outcome.added > outcome.hard - outcome.used) {
      outcome.status = policy::ChargeStatus::over;
      return outcome;
    }
  }
  policy::ChargeOutcome granted;
  granted.status = policy::ChargeStatus::granted;
  return granted;
}

void EmbeddedLedger::charge(policy::Charge charge, Deadline, Done done) {
  policy::ChargeOutcome outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome = ask(charge);
    if (outcome.status == policy::ChargeStatus::granted) {
      Object& object = objects_[key_of(charge.resource, charge.name_space, charge.name)];
      if (!object.name_space.empty()) count(object, -1);
      object = {std::move(charge.name_space), std::move(charge.usage)};
      count(object, 1);
    }
  }
  done(std::move(outcome));
}

policy::ChargeOutcome EmbeddedLedger::would_grant(const policy::Charge& charge) {
  const std::lock_guard lock(mutex_);
  return ask(charge);
}

void EmbeddedLedger::deleted(std::string_view resource, std::string_view name_space, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key_of(resource, name_space, name));
  if (found == objects_.end()) return;
  follow_documents();
  count(found->second, -1);
  objects_.erase(found);
}

}  // namespace portcullis::webhook
