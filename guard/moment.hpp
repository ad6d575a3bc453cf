// What holds right now: the documents in force, the profiles that are on for each tenant, and the day and month that each
// zone is in. Immutable; loops share it as they share the documents, and a new one is made when one of them changes.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "guard/snapshot.hpp"

namespace portcullis::guard {

// What the profiles that are on do to a tenant. Several multiply each other's factors.
struct Adjustment {
  std::string profiles;  // their names, by comma
  std::array<double, route_class_count> factors{};
  double bucket_factor = 1;
  std::bitset<route_class_count> denied;
  bool adjusts = false;  // any factor but 1
  bool maintenance = false;
  std::string message;                            // of the maintenance page
  std::shared_ptr<const AccessRule> let_through;  // during maintenance; null: nobody
};

// A day or a month of a zone. `number` tells it from every other; `end` is on the steady clock, in nanoseconds, and stays the
// same for as long as the window does, however the wall clock is set.
struct QuotaWindow {
  std::uint32_t number = 0;
  std::int64_t end = 0;
};
inline constexpr std::size_t quota_periods = 2;  // by policy::QuotaPeriod
using ZoneWindows = std::array<QuotaWindow, quota_periods>;

class Moment {
 public:
  [[nodiscard]] const GuardSnapshot& documents() const { return *documents_; }
  [[nodiscard]] const std::shared_ptr<const GuardSnapshot>& shared_documents() const { return documents_; }
  // Null where no profile is on for the tenant.
  [[nodiscard]] const Adjustment* adjustment(const GuardTenant& tenant) const {
    return adjustments_.empty() ? nullptr : adjustments_[tenant.index].get();
  }
  [[nodiscard]] const QuotaWindow& window(const GuardTenant& tenant, policy::QuotaPeriod period) const {
    return zones_[tenant.zone][static_cast<std::size_t>(period)];
  }
  [[nodiscard]] bool holds_at(Instant now) const { return now >= begin_ && now < end_; }
  // How many tenants each profile is on for, in the documents' order.
  [[nodiscard]] const std::vector<std::pair<std::string, std::size_t>>& profiles() const { return profiles_; }

 private:
  friend class MomentMaker;
  std::shared_ptr<const GuardSnapshot> documents_;
  std::vector<std::shared_ptr<const Adjustment>> adjustments_;  // by GuardTenant::index; empty: none for anybody
  std::vector<ZoneWindows> zones_;                              // by GuardTenant::zone
  std::vector<std::pair<std::string, std::size_t>> profiles_;
  Instant begin_{}, end_{};
};

// Makes moments, and remembers where windows end on the steady clock. One a guard, one caller at a time.
class MomentMaker {
 public:
  // `steady`: nanoseconds, at the same time as `now`. A period that cannot be worked out is off, and said in the log.
  std::shared_ptr<const Moment> make(std::shared_ptr<const GuardSnapshot> documents, Instant now, std::int64_t steady);

 private:
  QuotaWindow window_of(const std::string& zone, policy::QuotaPeriod period, Instant now, std::int64_t steady, Instant& change);
  std::map<std::pair<std::string, std::uint32_t>, std::int64_t> ends_;  // by zone and window
};

}  // namespace portcullis::guard
