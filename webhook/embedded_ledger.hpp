// Budgets without a cluster to ask: one process, one mutex. What a tenant uses is what this process has let through and has
// not seen deleted, so it begins at nothing with every start, and it needs to be sent DELETE too (docs/budgets.md).
//
// An object is known by resource, namespace and name: one that comes again under its name stands in the old one's place.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "config/store.hpp"
#include "webhook/ledger.hpp"

namespace portcullis::webhook {

class EmbeddedLedger final : public Ledger {
 public:
  static constexpr std::size_t objects_max = 1'000'000;  // further ones cannot be judged: the failure mode decides

  // `store` outlives it.
  explicit EmbeddedLedger(const config::Store& store, std::size_t objects_bound = objects_max)
      : reader_(store), objects_bound_(objects_bound) {}

  void charge(policy::Charge charge, Deadline deadline, Done done) override;
  policy::ChargeOutcome would_grant(const policy::Charge& charge) override;
  void deleted(std::string_view resource, std::string_view name_space, std::string_view name) override;

 private:
  struct Object {
    std::string name_space;
    policy::Usage usage;
  };
  using Units = std::map<std::string, std::int64_t, std::less<>>;  // by dimension

  void follow_documents();
  void count(const Object& object, std::int64_t sign);
  policy::ChargeOutcome ask(const policy::Charge& charge);

  std::mutex mutex_;
  config::Reader reader_;
  const std::size_t objects_bound_;
  config::Store::Snapshot counted_by_;                       // the documents that used_ goes by
  std::map<std::string, Object, std::less<>> objects_;       // by resource, namespace and name
  std::map<std::string, Units, std::less<>> used_, limits_;  // by tenant
};

}  // namespace portcullis::webhook
