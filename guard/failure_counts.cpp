#include "guard/failure_counts.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace portcullis::guard {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::min();

constexpr std::uint64_t kept(std::uint64_t key) { return key != 0 ? key : 1; }  // 0 is a free place

}  // namespace

FailureCounts::FailureCounts(std::size_t keys_max) : sets_a_shard_(std::max<std::size_t>(keys_max / shards / keys_a_set, 1)) {}

FailureCounts::Count FailureCounts::add(std::uint64_t key, std::optional<std::uint64_t> login, std::chrono::nanoseconds window,
                                        Clock::time_point now) {
  const std::int64_t width = std::max<std::int64_t>(window.count() / (slices - 1), 1), at = steady_nanoseconds(now), slice = at / width;
  key = kept(key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Key& found = find_or_make(shard, key, width, at);
  const bool is_first = found.last == never;
  if (!is_first) forget_old_slices(found, width, at);
  if (!login) {
    found.other_login = at;
  } else if (!is_first && found.login != *login) {
    found.other_login = std::max(found.other_login, found.last);
  }
  found.login = login.value_or(0);
  found.last = std::max(found.last, at);
  std::uint16_t& count = found.counts[static_cast<std::size_t>(slice) % slices];
  if (count < std::numeric_limits<std::uint16_t>::max()) ++count;
  return {.failures = sum(found),
          .several_logins = found.other_login != never && slice - found.other_login / width < static_cast<std::int64_t>(slices)};
}

void FailureCounts::clear(std::uint64_t key) {
  key = kept(key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (Key* const found = find(shard, key)) *found = {};
}

void FailureCounts::clear_of_login(std::uint64_t key, std::uint64_t login, std::chrono::nanoseconds window, Clock::time_point now) {
  key = kept(key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  Key* const found = find(shard, key);
  if (found == nullptr || found->login != login) return;
  const std::int64_t width = std::max<std::int64_t>(window.count() / (slices - 1), 1), slice = steady_nanoseconds(now) / width;
  if (found->other_login == never || slice - found->other_login / width >= static_cast<std::int64_t>(slices)) *found = {};
}

FailureCounts::Key* FailureCounts::set_of(Shard& shard, std::uint64_t key) const {
  return shard.keys.empty() ? nullptr : &shard.keys[(key / shards) % sets_a_shard_ * keys_a_set];
}

FailureCounts::Key* FailureCounts::find(Shard& shard, std::uint64_t key) const {
  Key* const set = set_of(shard, key);
  if (set == nullptr) return nullptr;
  Key* const end = set + keys_a_set;
  Key* const found = std::find_if(set, end, [&](const Key& each) { return each.fingerprint == key; });
  return found == end ? nullptr : found;
}

FailureCounts::Key& FailureCounts::find_or_make(Shard& shard, std::uint64_t key, std::int64_t width, std::int64_t now) {
  if (Key* const found = find(shard, key)) return *found;
  if (shard.keys.empty()) shard.keys.resize(sets_a_shard_ * keys_a_set);
  Key* const set = set_of(shard, key);
  std::uint64_t fewest = std::numeric_limits<std::uint64_t>::max();
  Key* worst = set;
  for (Key* each = set; each != set + keys_a_set && fewest > 0; ++each) {
    if (each->fingerprint != 0) forget_old_slices(*each, width, now);
    const std::uint64_t failures = sum(*each);
    if (failures > fewest || (failures == fewest && each->last >= worst->last)) continue;
    fewest = failures;
    worst = each;
  }
  if (fewest > 0) forgotten_.fetch_add(1, std::memory_order_relaxed);
  *worst = {.fingerprint = key, .login = 0, .other_login = never, .last = never, .counts = {}};
  return *worst;
}

// What is further back than the window becomes 0. A clock that is read by several threads may be a little behind the last.
void FailureCounts::forget_old_slices(Key& key, std::int64_t width, std::int64_t now) {
  const std::int64_t slice = now / width;
  for (std::int64_t old = std::max(key.last / width + 1, slice - static_cast<std::int64_t>(slices) + 1); old <= slice; ++old)
    key.counts[static_cast<std::size_t>(old) % slices] = 0;
}

std::uint64_t FailureCounts::sum(const Key& key) { return std::accumulate(key.counts.begin(), key.counts.end(), std::uint64_t{0}); }

}  // namespace portcullis::guard
