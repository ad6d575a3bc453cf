#include "guard/ban_table.hpp"

#include <bit>
#include <cstring>

namespace portcullis::guard {
namespace {

bool is_graver(const BanView& ban, const BanView& other) {
  return ban.source != other.source ? ban.source == BanSource::by_operator : ban.ends > other.ends;
}

}  // namespace

std::unique_ptr<BanTable::Shard[]> BanTable::make_shards() {
  auto made = std::make_unique<Shard[]>(shards);
  for (std::size_t i = 0; i < shards; ++i) made[i].bans = std::unordered_map<BanSubject, BanView, Hash>(0, Hash(this));
  return made;
}

std::uint64_t BanTable::hash(const BanSubject& subject) const {
  std::array<std::uint64_t, 5> words{subject.tenant, 0, 0, subject.login,
                                     subject.prefix | (subject.everywhere ? std::uint64_t{1} << 8 : 0)};
  std::memcpy(&words[1], subject.network.data(), subject.network.size());
  const std::uint64_t hash = siphash(key_, words.data(), sizeof words);
  return hash != 0 ? hash : 1;
}

void BanTable::Lengths::add(std::uint8_t length, int change) {
  counts[length] += static_cast<std::uint32_t>(change);
  const std::uint64_t bit = std::uint64_t{1} << (length % 64);
  if (counts[length] != 0) {
    used[length / 64].fetch_or(bit, std::memory_order_relaxed);
  } else {
    used[length / 64].fetch_and(~bit, std::memory_order_relaxed);
  }
}

void BanTable::put(const BanSubject& subject, const BanView& ban) {
  const std::uint64_t hash = this->hash(subject);
  {
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    shard.bans.emplace(subject, ban);
  }
  filter_of(hash).fetch_add(1, std::memory_order_relaxed);
  if (subject.login == 0) {
    (subject.everywhere ? everywhere_ : at_tenants_).add(subject.prefix, 1);
  } else {
    logins_.fetch_add(1, std::memory_order_relaxed);
  }
  count_.fetch_add(1, std::memory_order_relaxed);
}

void BanTable::erase(const BanSubject& subject) {
  const std::uint64_t hash = this->hash(subject);
  count_.fetch_sub(1, std::memory_order_relaxed);
  if (subject.login == 0) {
    (subject.everywhere ? everywhere_ : at_tenants_).add(subject.prefix, -1);
  } else {
    logins_.fetch_sub(1, std::memory_order_relaxed);
  }
  filter_of(hash).fetch_sub(1, std::memory_order_relaxed);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  shard.bans.erase(subject);
}

std::optional<BanView> BanTable::find(std::uint64_t tenant, const Address& client, std::span<const std::uint64_t> logins,
                                      Clock::time_point now) const {
  std::optional<BanView> gravest;
  look_at_networks(true, 0, client, now, gravest);
  look_at_networks(false, tenant, client, now, gravest);
  if (logins_.load(std::memory_order_relaxed) != 0) {
    for (const std::uint64_t login : logins) look(BanSubject::of_client(tenant, client, login), now, gravest);
  }
  return gravest;
}

void BanTable::look_at_networks(bool everywhere, std::uint64_t tenant, const Address& client, Clock::time_point now,
                                std::optional<BanView>& gravest) const {
  const Lengths& known = everywhere ? everywhere_ : at_tenants_;
  for (unsigned word = 0; word < known.used.size(); ++word) {
    for (std::uint64_t left = known.used[word].load(std::memory_order_relaxed); left != 0; left &= left - 1) {
      const unsigned length = 64 * word + static_cast<unsigned>(std::countr_zero(left));
      // `::/0` is every IPv6 address and no IPv4 one.
      if (length < 8 * mapped_prefix_bytes && is_ipv4(client)) continue;
      look({tenant, masked(client, length), 0, static_cast<std::uint8_t>(length), everywhere}, now, gravest);
    }
  }
}

void BanTable::look(const BanSubject& subject, Clock::time_point now, std::optional<BanView>& gravest) const {
  const std::uint64_t hash = this->hash(subject);
  if (filter_of(hash).load(std::memory_order_relaxed) == 0) return;
  const Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.bans.find(subject);
  if (found == shard.bans.end() || found->second.ends <= now) return;
  if (!gravest || is_graver(found->second, *gravest)) gravest = found->second;
}

}  // namespace portcullis::guard
