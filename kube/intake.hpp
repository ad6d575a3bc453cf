// One watched resource's objects -> what is kept of them, by the roles the resource has: facts for rules, usage for the ledger.
// On the kube thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kube/cluster_snapshot.hpp"
#include "kube/facts.hpp"
#include "kube/sink.hpp"
#include "kube/state_journal.hpp"
#include "kube/usage_table.hpp"

namespace portcullis::kube {

enum class FactRole : std::uint8_t { none, namespaces, workloads, autoscalers };

struct Roles {
  FactRole facts = FactRole::none;
  std::optional<WorkloadLayout> layout;  // of workloads
  bool counted = false;
  bool metadata_only = false;  // nothing of spec or status is asked for
  friend bool operator==(const Roles&, const Roles&) = default;
};

class Intake final : public Sink {
 public:
  // Told on the kube thread.
  struct Owner {
    std::function<void()> dirty;       // something is to be published
    std::function<void()> not_served;  // the API server does not know the resource
    UsageTable::Tell usage;
    std::function<void(std::string_view version)> usage_progress, usage_replaced;
  };

  Intake(std::string plural, std::string group, Roles roles, std::shared_ptr<UsageShapes> shapes, Owner owner);

  // What is no longer asked for is dropped; what is asked for anew is not known until the next replaced().
  void set_roles(Roles roles);
  [[nodiscard]] const Roles& roles() const { return roles_; }
  // Grace that has passed. Once a second.
  void expire(Instant now);
  // Nothing of it is wanted any more, or the API server does not serve it: what was counted goes.
  void forget();
  // The API server does not serve the resource: there is nothing of it, and that is known.
  void not_served_now();

  void begin() override;
  void take(policy::Value object) override;
  void replaced(std::string_view version) override;
  void changed(const WatchEvent& event) override;
  void progressed(std::string_view version) override;
  void not_served() override;

  // Whether all that is kept is of one version: known, and no whole new state is coming.
  [[nodiscard]] bool settled() const;
  // What is held at each version from now on, which is at `version`. One at a time, until end_record().
  std::shared_ptr<const StateJournal> record(std::string_view version);
  void end_record() { journal_.reset(); }

  [[nodiscard]] bool facts_known() const { return facts_known_; }
  std::shared_ptr<const NamespaceTable> namespaces() { return namespaces_.publish(); }
  std::shared_ptr<const WorkloadTable> workloads() { return workloads_.publish(); }
  std::shared_ptr<const AutoscalerTable> autoscalers() { return autoscalers_.publish(); }
  [[nodiscard]] const UsageTable& usage() const { return usage_; }
  [[nodiscard]] bool counted() const { return usage_known_; }
  [[nodiscard]] std::size_t objects() const;
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }  // objects without a name or uid, since the start

 private:
  using NamespaceWriter = TableWriter<Marked<policy::NamespaceFact>, NamespaceKey>;
  using WorkloadWriter = TableWriter<Marked<policy::WorkloadFact>, NamespacedKey>;
  using AutoscalerWriter = TableWriter<Marked<policy::AutoscalerFact>, NamespacedKey>;

  // The tables of the state in force, or of the one that is coming.
  struct Tables {
    NamespaceWriter* namespaces;
    WorkloadWriter* workloads;
    AutoscalerWriter* autoscalers;
  };
  void put_fact(policy::Value object, const Tables& tables);
  void put_usage(policy::Value object);
  void drop_facts();
  [[nodiscard]] bool holds_facts() const;
  [[nodiscard]] Holding kept() const;  // as the tables say
  Holding counted_now();               // of the objects, one by one, as they are published
  void spoil_record();

  std::string plural_, group_;
  Roles roles_;
  policy::PodTemplate template_;  // memory kept between objects
  Owner owner_;
  NamespaceWriter namespaces_, namespaces_coming_;
  WorkloadWriter workloads_, workloads_coming_;
  AutoscalerWriter autoscalers_, autoscalers_coming_;
  UsageTable usage_;
  bool facts_known_ = false, usage_known_ = false, coming_ = false;
  std::shared_ptr<StateJournal> journal_;  // null: nobody asked
  std::uint64_t unreadable_ = 0;
};

}  // namespace portcullis::kube
