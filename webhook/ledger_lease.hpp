// Who a replica is to the others: the key it writes under in TenantQuotas, and the lease of that name that says it lives.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "kube/lease_machine.hpp"

namespace portcullis::webhook {

// A name that no process has had before: counters begin at zero with it. `replica` is for people.
std::string new_ledger_key(std::string_view replica);

std::string ledger_lease_name(std::string_view key);
kube::LeaseOptions ledger_lease(const std::string& key, const std::string& name_space, std::chrono::seconds duration);
// All replicas' leases carry it: a label selector.
std::string ledger_lease_selector();

}  // namespace portcullis::webhook
