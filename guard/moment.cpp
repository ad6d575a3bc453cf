#include "guard/moment.hpp"

#include <algorithm>
#include <unordered_map>

#include "observe/log.hpp"
#include "policy/calendar/intervals.hpp"
#include "policy/calendar/local_days.hpp"

namespace portcullis::guard {
namespace {

constexpr std::chrono::hours look_ahead{24 * 7};
constexpr std::int64_t second_nanoseconds = 1'000'000'000;
constexpr std::uint32_t month_mark = 1U << 31;  // days and months are numbered apart

// Whether a profile's periods say that it is on in a zone, and when that may change next.
class Schedule {
 public:
  Schedule(const GuardSnapshot& documents, Instant now, Instant& change) : documents_(documents), now_(now), change_(change) {}

  bool is_on(std::size_t profile, std::uint32_t zone) {
    const auto [known, fresh] = answers_.try_emplace(static_cast<std::uint64_t>(profile) << 32 | zone, false);
    if (fresh) known->second = work_out(documents_.profiles()[profile], documents_.zones()[zone]);
    return known->second;
  }

 private:
  bool work_out(const policy::Profile& profile, const std::string& tenants_zone) {
    bool on = false;
    for (const policy::PeriodRef& reference : profile.when) {
      const policy::Calendar* const calendar = documents_.calendar(reference.calendar);
      if (calendar == nullptr) continue;  // documents refuse such a name
      for (const policy::Period& period : calendar->periods) {
        if (period.name == reference.period) on = holds(*calendar, period, tenants_zone) || on;
      }
    }
    return on;
  }

  bool holds(const policy::Calendar& calendar, const policy::Period& period, const std::string& tenants_zone) {
    const std::string& zone = calendar.time_zone.empty() ? tenants_zone : calendar.time_zone;
    const auto intervals = policy::intervals_of(calendar, period, zone, now_, now_ + look_ahead);
    if (!intervals) {
      observe::log_limited(observe::Level::error, "period_unknown",
                           {{"calendar", calendar.name}, {"period", period.name}, {"why", intervals.error().what}});
      return false;
    }
    if (intervals->empty()) return false;
    const auto& first = intervals->front();
    const bool on = first.begin <= now_;
    change_ = std::min(change_, on ? first.end : first.begin);
    return on;
  }

  const GuardSnapshot& documents_;
  Instant now_;
  Instant& change_;
  std::unordered_map<std::uint64_t, bool> answers_;
};

template <class List, class Value>
bool empty_or_has(const List& list, const Value& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool is_for(const policy::Profile& profile, const GuardTenant& tenant) {
  return empty_or_has(profile.tenants, tenant.name) && empty_or_has(profile.tiers, tenant.tier);
}

// What was switched by hand for `tenant`; the last that holds decides.
std::optional<bool> switched(const GuardSnapshot& documents, const policy::Profile& profile, const GuardTenant& tenant, Instant now) {
  std::optional<bool> by_hand;
  for (const policy::ProfileOverride& change : documents.overrides()) {
    if (change.profile != profile.name || !empty_or_has(change.tenants, tenant.name)) continue;
    if ((!change.from || *change.from <= now) && now < change.expires_at) by_hand = change.active;
  }
  return by_hand;
}

void look_for_change(const GuardSnapshot& documents, Instant now, Instant& change) {
  for (const policy::ProfileOverride& override : documents.overrides()) {
    if (override.from && *override.from > now) change = std::min(change, *override.from);
    if (override.expires_at > now) change = std::min(change, override.expires_at);
  }
}

std::shared_ptr<const Adjustment> adjust(const GuardSnapshot& documents, std::uint64_t on) {
  auto adjustment = std::make_shared<Adjustment>();
  adjustment->factors.fill(1);
  for (std::size_t index = 0; index < documents.profiles().size(); ++index) {
    if ((on >> index & 1) == 0) continue;
    const policy::Profile& profile = documents.profiles()[index];
    adjustment->profiles.append(adjustment->profiles.empty() ? "" : ",").append(profile.name);
    adjustment->bucket_factor *= profile.factor;
    for (double& factor : adjustment->factors) factor *= profile.factor;
    for (const policy::ProfileClass& change : profile.classes) {
      const std::size_t route_class = policy::route_class_index(change.name);
      if (route_class < route_class_count) adjustment->factors[route_class] *= change.factor;
    }
    for (const std::string& name : profile.deny) {
      const std::size_t route_class = policy::route_class_index(name);
      if (route_class < route_class_count) adjustment->denied.set(route_class);
    }
    if (profile.maintenance) {
      adjustment->maintenance = true;
      adjustment->message = profile.maintenance->message;
      adjustment->let_through = documents.let_through(index);
    }
  }
  adjustment->adjusts = adjustment->bucket_factor != 1 ||
                        std::any_of(adjustment->factors.begin(), adjustment->factors.end(), [](double factor) { return factor != 1; });
  return adjustment;
}

}  // namespace

QuotaWindow MomentMaker::window_of(const std::string& zone, policy::QuotaPeriod period, Instant now, std::int64_t steady, Instant& change) {
  const bool month = period == policy::QuotaPeriod::month;
  const policy::Interval local = month ? policy::local_month(zone, now) : policy::local_day(zone, now);
  change = std::min(change, local.end);
  const auto days = std::chrono::duration_cast<std::chrono::hours>(local.begin.time_since_epoch()).count() / 24;
  const std::uint32_t number = static_cast<std::uint32_t>(days) | (month ? month_mark : 0);
  const auto [end, fresh] = ends_.try_emplace({zone, number}, steady + (local.end - now).count() * second_nanoseconds);
  return {number, end->second};
}

std::shared_ptr<const Moment> MomentMaker::make(std::shared_ptr<const GuardSnapshot> documents, Instant now, std::int64_t steady) {
  auto moment = std::make_shared<Moment>();
  moment->begin_ = now;
  Instant change = now + look_ahead;
  std::erase_if(ends_,
                [&](const auto& window) { return window.second + std::int64_t{look_ahead.count()} * 3600 * second_nanoseconds < steady; });
  for (const std::string& zone : documents->zones()) {
    ZoneWindows windows;
    for (const auto period : {policy::QuotaPeriod::day, policy::QuotaPeriod::month})
      windows[static_cast<std::size_t>(period)] = window_of(zone, period, now, steady, change);
    moment->zones_.push_back(windows);
  }
  const std::vector<policy::Profile>& profiles = documents->profiles();
  for (const policy::Profile& profile : profiles) moment->profiles_.emplace_back(profile.name, 0);
  if (!profiles.empty()) {
    look_for_change(*documents, now, change);
    Schedule schedule(*documents, now, change);
    std::map<std::uint64_t, std::shared_ptr<const Adjustment>> made;  // by which are on
    moment->adjustments_.resize(documents->tenant_slots());
    documents->for_each_tenant([&](const GuardTenant& tenant) {
      std::uint64_t on = 0;
      for (std::size_t index = 0; index < profiles.size(); ++index) {
        if (!is_for(profiles[index], tenant)) continue;
        const bool scheduled = schedule.is_on(index, tenant.zone);
        if (!switched(*documents, profiles[index], tenant, now).value_or(scheduled)) continue;
        on |= std::uint64_t{1} << index;
        ++moment->profiles_[index].second;
      }
      if (on == 0) return;
      auto& adjustment = made[on];
      if (!adjustment) adjustment = adjust(*documents, on);
      moment->adjustments_[tenant.index] = adjustment;
    });
    if (made.empty()) moment->adjustments_.clear();
  }
  moment->end_ = change;
  moment->documents_ = std::move(documents);
  return moment;
}

}  // namespace portcullis::guard
