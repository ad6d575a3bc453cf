#include "kube/intake.hpp"

#include <chrono>
#include <utility>

namespace portcullis::kube {
namespace {

using policy::Value;

Instant wall_now() { return std::chrono::floor<std::chrono::seconds>(WallClock::now()); }

std::string name_of(const std::string& plural, const std::string& group) { return group.empty() ? plural : plural + "." + group; }

NamespacedKey key_of(Value object) { return {metadata_text(object, "namespace"), metadata_text(object, "name")}; }

template <class Fact, class Key>
Digest count_digest(const Table<Fact, Key>& table) {
  Digest digest;
  table.each([&](const Fact& fact) { digest.add(fact.mark); });
  return digest;
}

template <class Fact, class Key>
void put(TableWriter<Fact, Key>& table, std::shared_ptr<const Fact> fact) {
  if (fact) table.put(std::move(fact));
}

}  // namespace

Intake::Intake(std::string plural, std::string group, Roles roles, std::shared_ptr<UsageShapes> shapes, Owner owner)
    : plural_(std::move(plural)),
      group_(std::move(group)),
      roles_(std::move(roles)),
      owner_(std::move(owner)),
      usage_(name_of(plural_, group_), std::move(shapes)) {}

void Intake::drop_facts() {
  namespaces_.clear();
  workloads_.clear();
  autoscalers_.clear();
}

void Intake::set_roles(Roles roles) {
  spoil_record();
  if (roles.facts != roles_.facts || roles.layout != roles_.layout) {
    drop_facts();
    facts_known_ = false;
  }
  if (!roles.counted) {
    usage_.clear("", owner_.usage);
    usage_known_ = false;
  }
  roles_ = std::move(roles);
  owner_.dirty();
}

void Intake::expire(Instant now) { usage_.expire(now, owner_.usage); }

void Intake::forget() {
  spoil_record();
  drop_facts();
  usage_.clear("", owner_.usage);
}

void Intake::begin() {
  // What is counted becomes the new state object by object.
  coming_ = true;
  spoil_record();
  namespaces_coming_.clear();
  workloads_coming_.clear();
  autoscalers_coming_.clear();
  usage_.begin();
}

void Intake::put_fact(Value object, const Tables& tables) {
  switch (roles_.facts) {
    case FactRole::none:
      return;
    case FactRole::namespaces:
      return put(*tables.namespaces, namespace_fact(object));
    case FactRole::workloads:
      if (roles_.layout) put(*tables.workloads, workload_fact(object, *roles_.layout, template_));
      return;
    case FactRole::autoscalers:
      return put(*tables.autoscalers, autoscaler_fact(object));
  }
}

void Intake::put_usage(Value object) {
  const NamespacedKey key = key_of(object);
  UsageTable::Seen seen;
  seen.uid = metadata_text(object, "uid");
  seen.version = metadata_text(object, "resourceVersion");
  if (key.name.empty() || seen.uid.empty()) {
    ++unreadable_;
    return;
  }
  const Instant now = wall_now();
  seen.usage = policy::usage_of(object, plural_, group_, now);
  if (plural_ == "pods" && group_.empty()) {
    if (const auto ends = policy::usage_ends(object); ends && *ends >= now) {
      seen.expires = *ends;
      seen.after = policy::usage_of(object, plural_, group_, *ends + std::chrono::seconds(1));
    }
  }
  usage_.put({key.name_space, key.name}, std::move(seen), owner_.usage);
}

void Intake::take(Value object) {
  if (key_of(object).name.empty()) {
    ++unreadable_;
    return;
  }
  put_fact(object, {&namespaces_coming_, &workloads_coming_, &autoscalers_coming_});
  if (roles_.counted) put_usage(object);
}

void Intake::replaced(std::string_view version) {
  std::swap(namespaces_, namespaces_coming_);
  std::swap(workloads_, workloads_coming_);
  std::swap(autoscalers_, autoscalers_coming_);
  namespaces_coming_.clear();
  workloads_coming_.clear();
  autoscalers_coming_.clear();
  facts_known_ = true;
  coming_ = false;
  if (roles_.counted) {
    usage_.end(version, owner_.usage);
    usage_known_ = true;
    owner_.usage_replaced(version);
    owner_.usage_progress(version);
  }
  owner_.dirty();
}

void Intake::changed(const WatchEvent& event) {
  const NamespacedKey key = key_of(event.object);
  const std::string_view version = metadata_text(event.object, "resourceVersion");
  if (key.name.empty()) {
    ++unreadable_;
    return;
  }
  if (event.type == EventType::deleted) {
    switch (roles_.facts) {
      case FactRole::none:
        break;
      case FactRole::namespaces:
        namespaces_.remove({key.name});
        break;
      case FactRole::workloads:
        workloads_.remove(key);
        break;
      case FactRole::autoscalers:
        autoscalers_.remove(key);
        break;
    }
    if (roles_.counted) usage_.remove({key.name_space, key.name}, version, owner_.usage);
  } else {
    put_fact(event.object, {&namespaces_, &workloads_, &autoscalers_});
    if (roles_.counted) put_usage(event.object);
  }
  if (journal_) journal_->note(version, kept());
  if (roles_.counted) owner_.usage_progress(version);
  owner_.dirty();
}

void Intake::progressed(std::string_view version) {
  if (roles_.counted) owner_.usage_progress(version);
  owner_.dirty();
}

void Intake::not_served() {
  not_served_now();
  owner_.not_served();
}

void Intake::not_served_now() {
  forget();
  facts_known_ = true;
  coming_ = false;
  if (roles_.counted) {
    usage_known_ = true;
    owner_.usage_replaced("");
  }
  owner_.dirty();
}

bool Intake::settled() const { return !coming_ && facts_known_ && (!roles_.counted || usage_known_); }

bool Intake::holds_facts() const { return roles_.facts != FactRole::none && (roles_.facts != FactRole::workloads || roles_.layout); }

Holding Intake::kept() const {
  Holding kept;
  if (holds_facts()) kept.facts = namespaces_.digest() + workloads_.digest() + autoscalers_.digest();
  if (roles_.counted) kept.usage = usage_.digest();
  return kept;
}

Holding Intake::counted_now() {
  Holding counted;
  if (holds_facts())
    counted.facts = count_digest(*namespaces_.publish()) + count_digest(*workloads_.publish()) + count_digest(*autoscalers_.publish());
  if (roles_.counted) counted.usage = usage_.count_digest();
  return counted;
}

std::shared_ptr<const StateJournal> Intake::record(std::string_view version) {
  journal_ = std::make_shared<StateJournal>(version, counted_now(), kept());
  return journal_;
}

void Intake::spoil_record() {
  if (journal_) journal_->spoil();
}

std::size_t Intake::objects() const {
  if (roles_.counted) return usage_.size();
  return namespaces_.size() + workloads_.size() + autoscalers_.size();
}

}  // namespace portcullis::kube
