#include "guard/redis_refusals.hpp"

#include <algorithm>

namespace portcullis::guard {

RedisRefusals::RedisRefusals(std::size_t keys_max) : entries_(std::max<std::size_t>(keys_max / ways, 1) * ways) {}

void RedisRefusals::remember(std::uint64_t tenant, const RedisLimit& limit, std::int64_t until) {
  const std::uint64_t id = key_id(tenant, limit);
  const std::lock_guard lock(mutex_);
  Entry* const bucket = bucket_of(id);
  Entry* place = bucket;
  for (Entry* entry = bucket; entry != bucket + ways; ++entry) {
    if (entry->id == id) {
      place = entry;
      break;
    }
    if (entry->until < place->until) place = entry;
  }
  *place = {id, until, limit.step, limit.tolerance};
}

std::int64_t RedisRefusals::wait(std::uint64_t tenant, const RedisLimit& limit, std::int64_t now) {
  const std::uint64_t id = key_id(tenant, limit);
  const std::lock_guard lock(mutex_);
  const Entry* const bucket = bucket_of(id);
  for (const Entry* entry = bucket; entry != bucket + ways; ++entry) {
    if (entry->id != id) continue;
    const bool holds = entry->until > now && limit.step >= entry->step && limit.tolerance <= entry->tolerance;
    return holds ? entry->until - now : 0;
  }
  return 0;
}

}  // namespace portcullis::guard
