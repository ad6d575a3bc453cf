#include "guard/redis_notes.hpp"

#include <algorithm>

namespace portcullis::guard {

std::size_t RedisNotes::note(std::uint64_t tenant, std::span<const SharedCharge> charges, std::int64_t now) {
  std::size_t dropped = 0;
  const std::lock_guard lock(mutex_);
  for (const SharedCharge& charge : charges) {
    if (!add(tenant, redis_limit(charge), now)) ++dropped;
  }
  return dropped;
}

void RedisNotes::put_back(const RedisOrder& order, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  add(order.tenant, order.limit, now);
}

bool RedisNotes::add(std::uint64_t tenant, const RedisLimit& limit, std::int64_t now) {
  const std::uint64_t id = key_id(tenant, limit);
  if (notes_.size() >= keys_max_ && !notes_.contains(id)) return false;
  Note& note = notes_[id];
  note.tenant = tenant;
  note.limit = limit;
  if (limit.window_ms > 0) {
    note.amount = std::min(note.amount + limit.step, limit.tolerance);
    note.ends_at = now + limit.window_ms * 1'000'000;
  } else {
    const std::int64_t now_us = now / 1000;
    note.amount = std::min(std::max(note.amount, now_us) + limit.step, now_us + limit.tolerance);
  }
  return true;
}

void RedisNotes::take(std::int64_t now, std::size_t orders_max, std::vector<RedisOrder>& orders) {
  const std::lock_guard lock(mutex_);
  for (std::size_t taken = 0; taken < orders_max && !notes_.empty();) {
    const auto first = notes_.begin();
    const Note& note = first->second;
    RedisOrder order{.tenant = note.tenant, .limit = note.limit};
    order.limit.soft = true;
    if (note.limit.window_ms > 0) {
      order.limit.window_ms = (note.ends_at - now) / 1'000'000;
      order.limit.step = order.limit.window_ms > 0 ? note.amount : 0;
    } else {
      order.limit.step = std::max<std::int64_t>(0, note.amount - now / 1000);
    }
    notes_.erase(first);
    if (order.limit.step == 0) continue;
    orders.push_back(order);
    ++taken;
  }
}

}  // namespace portcullis::guard
