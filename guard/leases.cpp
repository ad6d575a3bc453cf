#include "guard/leases.hpp"

#include <algorithm>

namespace portcullis::guard {
namespace {
constexpr std::int64_t sweep_every = 1'000'000'000;
}

void Leases::sweep(Shard& shard, std::int64_t now) {
  if (now < shard.next_sweep) return;
  shard.next_sweep = now + sweep_every;
  shard.count = 0;
  for (auto at = shard.keys.begin(); at != shard.keys.end();) {
    std::erase_if(at->second, [&](const Held& held) { return held.ends <= now; });
    shard.count += at->second.size();
    at = at->second.empty() ? shard.keys.erase(at) : std::next(at);
  }
}

Leases::Answer Leases::take(std::uint64_t key, std::uint32_t max, std::int64_t ttl, std::int64_t now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (shard.count >= leases_max / shards) {
    sweep(shard, now);
    if (shard.count >= leases_max / shards) return {.grant = Grant::uncounted};
  }
  std::vector<Held>& held = shard.keys[key];
  shard.count -= std::erase_if(held, [&](const Held& lease) { return lease.ends <= now; });
  if (held.size() >= max) {
    const auto first = std::min_element(held.begin(), held.end(), [](const Held& a, const Held& b) { return a.ends < b.ends; });
    return {.grant = Grant::full, .wait = first == held.end() ? ttl : first->ends - now};
  }
  held.push_back({shard.next_serial++, now + ttl});
  ++shard.count;
  return {.grant = Grant::taken, .lease = {key, held.back().serial}};
}

void Leases::give_back(const Lease& lease) {
  Shard& shard = shard_of(lease.key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.keys.find(lease.key);
  if (found == shard.keys.end()) return;
  shard.count -= std::erase_if(found->second, [&](const Held& held) { return held.serial == lease.serial; });
  if (found->second.empty()) shard.keys.erase(found);
}

std::uint32_t Leases::held(std::uint64_t key, std::int64_t now) const {
  const Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.keys.find(key);
  if (found == shard.keys.end()) return 0;
  return static_cast<std::uint32_t>(
      std::count_if(found->second.begin(), found->second.end(), [&](const Held& held) { return held.ends > now; }));
}

std::size_t Leases::size() const {
  std::size_t size = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    size += shard.count;
  }
  return size;
}

}  // namespace portcullis::guard
