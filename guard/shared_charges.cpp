#include "guard/shared_charges.hpp"

#include <algorithm>

namespace portcullis::guard {

void share_charges(std::span<const Charge> charges, std::int64_t now, std::vector<SharedCharge>& shared) {
  shared.clear();
  for (const Charge& charge : charges) {
    const auto kind = static_cast<KeyKind>(charge.tag);
    if (kind == KeyKind::pool || kind == KeyKind::pool_part || shared.size() == shared_charges_max) continue;
    SharedCharge& made = shared.emplace_back();
    made.fingerprint = charge.fingerprint;
    made.limit = charge.limit;
    if (charge.window_end != 0) made.window_left = std::max<std::int64_t>(1, charge.window_end - now);
    made.cost = charge.cost;
  }
}

Outcome refused_by_store(std::span<const Charge> charges, const SharedCharge& shared, const SharedVerdict& verdict) {
  Outcome outcome;
  outcome.verdict = Verdict::slow;
  outcome.limit = {.quota = shared.limit.tolerance / shared.limit.interval,
                   .window = shared.window_left != 0 ? shared.window_left : shared.limit.tolerance,
                   .wait = verdict.wait,
                   .remaining = verdict.remaining};
  const auto charge =
      std::find_if(charges.begin(), charges.end(), [&](const Charge& other) { return other.fingerprint == shared.fingerprint; });
  outcome.limit.key = charge == charges.end() ? KeyKind::address : static_cast<KeyKind>(charge->tag);
  outcome.reason = limit_reason(outcome.limit.key);
  return outcome;
}

}  // namespace portcullis::guard
