#include "guard/known_sessions.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "guard/siphash.hpp"

namespace portcullis::guard {
namespace {

constexpr std::int64_t nanoseconds = 1'000'000'000;
constexpr std::uint64_t halving_seconds = known_for_seconds / 2;

std::uint64_t seconds_of(std::int64_t now) { return static_cast<std::uint64_t>(now / nanoseconds) + 1; }  // 0 is an empty entry
constexpr std::uint64_t pack(std::uint64_t seconds, std::uint64_t count) { return seconds << 32 | count; }

// Both parts are keyed hashes already, or owned by us; this only spreads them. Never 0.
std::uint64_t mix(std::uint64_t tenant, const void* data, std::size_t size) {
  return siphash(SipKey{tenant, 0x6b6e6f776e}, data, size) | 1;
}
std::uint64_t key_of(std::uint64_t tenant, std::uint64_t session) { return mix(tenant, &session, sizeof session); }
std::uint64_t key_of(std::uint64_t tenant, const Address& address) {
  const Address client = client_key(address);
  return mix(tenant, client.data(), client.size());
}

std::uint64_t count_now(std::uint64_t value, std::uint64_t seconds) {
  const std::uint64_t then = value >> 32;
  const std::uint64_t halvings = seconds > then ? (seconds - then) / halving_seconds : 0;
  return halvings > 31 ? 0 : (value & 0xffffffff) >> halvings;
}

}  // namespace

KnownSessions::KnownSessions() : sessions_(std::make_unique<Entry[]>(entries)), addresses_(std::make_unique<Entry[]>(entries)) {}

const KnownSessions::Entry* KnownSessions::find(const Table& table, std::uint64_t key) {
  const Entry* const bucket = &table[(key >> 32) & (entries - ways)];
  for (std::size_t way = 0; way < ways; ++way) {
    if (bucket[way].key.load(std::memory_order_relaxed) == key) return &bucket[way];
  }
  return nullptr;
}

KnownSessions::Entry& KnownSessions::place(Table& table, std::uint64_t key) {
  Entry* const bucket = &table[(key >> 32) & (entries - ways)];
  Entry* oldest = bucket;
  for (std::size_t way = 0; way < ways; ++way) {
    if (bucket[way].key.load(std::memory_order_relaxed) == key) return bucket[way];
    if (bucket[way].value.load(std::memory_order_relaxed) < oldest->value.load(std::memory_order_relaxed)) oldest = &bucket[way];
  }
  oldest->value.store(0, std::memory_order_relaxed);
  oldest->key.store(key, std::memory_order_relaxed);
  return *oldest;
}

bool KnownSessions::is_known(std::uint64_t tenant, std::uint64_t session, std::int64_t now) const {
  const Entry* const entry = find(sessions_, key_of(tenant, session));
  if (entry == nullptr) return false;
  const std::uint64_t seconds = entry->value.load(std::memory_order_relaxed) >> 32;
  return seconds != 0 && seconds_of(now) < seconds + static_cast<std::uint64_t>(known_for_seconds);
}

void KnownSessions::learn(std::uint64_t tenant, std::uint64_t session, const Address& address, std::int64_t now) {
  const bool fresh = !is_known(tenant, session, now);
  const std::uint64_t seconds = seconds_of(now);
  place(sessions_, key_of(tenant, session)).value.store(pack(seconds, 1), std::memory_order_relaxed);
  if (!fresh) return;
  learned_.fetch_add(1, std::memory_order_relaxed);
  Entry& entry = place(addresses_, key_of(tenant, address));
  const std::uint64_t count = count_now(entry.value.load(std::memory_order_relaxed), seconds);
  entry.value.store(pack(seconds, std::min<std::uint64_t>(count + 1, static_cast<std::uint64_t>(address_factor_max))),
                    std::memory_order_relaxed);
}

double KnownSessions::factor_at(std::uint64_t tenant, const Address& address, std::int64_t now) const {
  const Entry* const entry = find(addresses_, key_of(tenant, address));
  if (entry == nullptr) return 1;
  return std::max(1.0, static_cast<double>(count_now(entry->value.load(std::memory_order_relaxed), seconds_of(now))));
}

}  // namespace portcullis::guard
