// Between what is counted here and what all replicas count together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "guard/decide.hpp"
#include "guard/shared_store.hpp"

namespace portcullis::guard {

// Which of `charges` all replicas count together, at `now`: everything but a pool's capacity, which is divided among them
// instead, because a pool spans tenants and a store's keys belong to one.
void share_charges(std::span<const Charge> charges, std::int64_t now, std::vector<SharedCharge>& shared);

// What the store's refusal of `shared` means for the request that was charged `charges`.
Outcome refused_by_store(std::span<const Charge> charges, const SharedCharge& shared, const SharedVerdict& verdict);

}  // namespace portcullis::guard
