#include "guard/redis_leases.hpp"

#include <algorithm>
#include <array>

namespace portcullis::guard {
namespace {

constexpr std::int64_t nanoseconds_a_microsecond = 1000;
constexpr std::int64_t blocked_time_min = 1'000'000;  // a millisecond: no key asks Redis more often when it has nothing
constexpr std::int64_t lease_nanoseconds = std::chrono::nanoseconds(RedisLeases::lease_time).count();

}  // namespace

RedisLeases::RedisLeases(std::uint32_t slice, std::size_t keys_max)
    : slice_(std::max<std::uint32_t>(slice, 1)), entries_(std::max<std::size_t>(keys_max / ways, 1) * ways) {}

RedisLeases::Halves RedisLeases::halves_of(const RedisLimit& limit) const {
  const std::int64_t requests = std::min(slice_, limit.tolerance / limit.unit);
  return {requests / 2 * limit.unit, (requests + 1) / 2 * limit.unit};
}

RedisLeases::Entry* RedisLeases::find(std::uint64_t id) {
  Entry* const bucket = bucket_of(id);
  Entry* const end = bucket + ways;
  Entry* const found = std::find_if(bucket, end, [id](const Entry& entry) { return entry.id == id; });
  return found == end ? nullptr : found;
}

// Nothing of a window outlives it; of a rate what was not used for lease_time goes, and a debt stays.
void RedisLeases::end_lease(Entry& entry, std::int64_t now) {
  if (entry.ends_at > 0 && now >= entry.ends_at) entry.balance = 0;
  if (entry.balance > 0 && now - entry.used_at > lease_nanoseconds) entry.balance = 0;
}

RedisLeases::Entry* RedisLeases::find_or_make(std::uint64_t tenant, const RedisLimit& limit, std::int64_t now) {
  const std::uint64_t id = key_id(tenant, limit);
  Entry* place = find(id);
  if (place == nullptr) {
    Entry* const bucket = bucket_of(id);
    for (Entry* entry = bucket; entry != bucket + ways; ++entry) {
      if (entry->id == 0) {
        place = entry;
        break;
      }
      end_lease(*entry, now);
      if (entry->ordered || entry->balance < 0 || entry->request == request_) continue;
      if (place == nullptr || entry->used_at < place->used_at) place = entry;
    }
    if (place == nullptr) return nullptr;
    *place = {.id = id, .tenant = tenant, .limit = limit, .used_at = now};
  } else {
    end_lease(*place, now);
  }
  place->limit = limit;
  place->ends_at = limit.window_ms > 0 ? now + limit.window_ms * 1'000'000 : 0;
  place->request = request_;
  return place;
}

void RedisLeases::order(Entry& entry, std::int64_t amount, std::vector<RedisOrder>& orders) {
  RedisOrder& made = orders.emplace_back(RedisOrder{.tenant = entry.tenant, .limit = entry.limit});
  made.limit.step = std::min(amount, entry.limit.tolerance);
  if (entry.limit.soft) {
    entry.balance = 0;  // charged as far as there is room, and what there is no room for is nobody's
  } else {
    entry.ordered = true;
    made.limit.soft = true;
  }
}

SharedVerdict RedisLeases::take(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now, bool may_borrow,
                                std::vector<RedisOrder>& orders) {
  SharedVerdict verdict;
  if (charges.size() > shared_charges_max) return verdict;
  std::array<Entry*, shared_charges_max> entries{};
  std::array<RedisLimit, shared_charges_max> limits{};
  bool known = true;
  const std::lock_guard lock(mutex_);
  ++request_;
  for (std::size_t i = 0; i < charges.size(); ++i) {
    limits[i] = redis_limit(charges[i]);
    entries[i] = find_or_make(tenant, limits[i], now);
    if (entries[i] == nullptr) {
      known = known && limits[i].soft;
      continue;
    }
    Entry& entry = *entries[i];
    if (limits[i].soft) continue;
    const Halves halves = halves_of(limits[i]);
    const std::int64_t credit = may_borrow ? halves.credit : 0;
    const std::int64_t short_of = limits[i].step - entry.balance - credit;
    if (short_of <= 0) continue;
    if (now < entry.blocked_until && limits[i].step <= halves.credit) {
      const std::int64_t paid_in = limits[i].window_ms > 0 ? 0 : short_of * nanoseconds_a_microsecond;
      const std::int64_t wait = std::max(entry.blocked_until - now, paid_in);
      if (wait <= verdict.wait) continue;
      verdict = {.kind = SharedVerdict::Kind::refused, .which = i, .wait = wait};
      verdict.remaining = std::max<std::int64_t>(0, entry.balance + credit) / limits[i].unit;
    } else {
      known = false;
      if (may_borrow && !entry.ordered && now >= entry.blocked_until && halves.advance > entry.balance) {
        order(entry, halves.advance - entry.balance, orders);
      }
    }
  }
  if (verdict.kind == SharedVerdict::Kind::refused || !known) return verdict;
  verdict.kind = SharedVerdict::Kind::admitted;
  for (std::size_t i = 0; i < charges.size(); ++i) {
    if (entries[i] == nullptr) continue;
    Entry& entry = *entries[i];
    const Halves halves = halves_of(limits[i]);
    entry.used_at = now;
    entry.balance -= limits[i].step;
    if (limits[i].soft) {
      entry.balance = std::max(entry.balance, -limits[i].tolerance);
      if (may_borrow && -entry.balance >= halves.credit) order(entry, -entry.balance, orders);
    } else if (may_borrow && !entry.ordered && now >= entry.blocked_until && entry.balance < (halves.advance + 1) / 2) {
      order(entry, halves.advance - entry.balance, orders);
    }
  }
  return verdict;
}

void RedisLeases::granted(const RedisOrder& order, std::int64_t taken, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  Entry* const entry = find(key_id(order.tenant, order.limit));
  if (entry == nullptr || !entry->ordered) return;
  entry->ordered = false;
  entry->balance += std::min(taken, order.limit.step);
  if (taken >= order.limit.step) return;
  // Of a rate there is more in the time that one request takes, of a window when the next one begins.
  const std::int64_t blocked = order.limit.window_ms > 0 ? order.limit.window_ms * 1'000'000 : order.limit.unit * nanoseconds_a_microsecond;
  entry->blocked_until = now + std::max(blocked, blocked_time_min);
}

void RedisLeases::failed(const RedisOrder& order) {
  const std::lock_guard lock(mutex_);
  Entry* const entry = find(key_id(order.tenant, order.limit));
  if (entry != nullptr) entry->ordered = false;
}

void RedisLeases::sweep(std::int64_t now, std::vector<RedisOrder>& orders) {
  const std::size_t part = (entries_.size() + sweep_parts - 1) / sweep_parts;
  const std::size_t orders_max = orders.size() + sweep_orders_max;
  const std::lock_guard lock(mutex_);
  for (std::size_t seen = 0; seen < part; ++seen, swept_ = (swept_ + 1) % entries_.size()) {
    Entry& entry = entries_[swept_];
    if (entry.id == 0 || entry.ordered) continue;
    end_lease(entry, now);
    if (entry.balance < 0 && now >= entry.blocked_until) {
      if (orders.size() < orders_max) order(entry, -entry.balance, orders);
    } else if (entry.balance == 0 && now >= entry.blocked_until && now - entry.used_at > lease_nanoseconds) {
      entry = {};
    }
  }
}

}  // namespace portcullis::guard
