// The bans in force, as requests ask for them: whose they are, until when. guard/bans.hpp writes it, one thread at a time;
// any number read.
//
// A counting filter of keyed hashes stands in front, so that who is not banned costs a hash and a load for each length of
// network in use; who seems to be takes the lock of one of 64 shards.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "guard/address.hpp"
#include "guard/siphash.hpp"

namespace portcullis::guard {

enum class BanSource : std::uint8_t { automatic, by_operator };
constexpr std::string_view ban_source_name(BanSource source) { return source == BanSource::automatic ? "automatic" : "operator"; }

struct BanView {
  std::uint64_t id = 0;
  BanSource source = BanSource::automatic;
  bool of_login = false;  // of one login from this address, not of the address
  Clock::time_point ends;
  // Automatic bans are of logins to come; who is logged in works on. An operator's ban is of everybody.
  [[nodiscard]] bool spares_sessions() const { return source == BanSource::automatic; }
};

// Who is banned where.
struct BanSubject {
  std::uint64_t tenant = 0;  // 0 where `everywhere`
  Address network{};         // no bits beyond `prefix`
  std::uint64_t login = 0;   // a keyed hash, or 0: any login, or none
  std::uint8_t prefix = 0;   // 0..128
  bool everywhere = false;   // at every tenant
  bool operator==(const BanSubject&) const = default;

  // A client as the guard counts them: an IPv4 address, or an IPv6 /64.
  static BanSubject of_client(std::uint64_t tenant, const Address& client, std::uint64_t login = 0) {
    return {tenant, client_key(client), login, static_cast<std::uint8_t>(is_ipv4(client) ? 128 : 64), false};
  }
};

class BanTable {
 public:
  explicit BanTable(const SipKey& key) : key_(key) {}

  // A keyed hash, no 0.
  [[nodiscard]] std::uint64_t hash(const BanSubject& subject) const;
  struct Hash {
    Hash() {}  // NOLINT(modernize-use-equals-default): within its class a defaulted one would not be there yet
    explicit Hash(const BanTable* of) : table(of) {}
    const BanTable* table{};
    std::size_t operator()(const BanSubject& subject) const { return table->hash(subject); }
  };

  // One writer at a time. INVARIANT: put() of a subject that is not there, erase() of one that is.
  void put(const BanSubject& subject, const BanView& ban);
  void erase(const BanSubject& subject);

  [[nodiscard]] bool is_empty() const { return count_.load(std::memory_order_relaxed) == 0; }
  // The gravest ban in force: an operator's before an automatic one, then the one that lasts longest.
  [[nodiscard]] std::optional<BanView> find(std::uint64_t tenant, const Address& client, std::span<const std::uint64_t> logins,
                                            Clock::time_point now) const;

 private:
  static constexpr std::size_t shards = 64, filter_slots = 256 * 1024, lengths = 129;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<BanSubject, BanView, Hash> bans;
  };
  // How many bans there are of each length; `used` has the bits of those that are there.
  struct Lengths {
    std::array<std::uint32_t, lengths> counts{};  // the writer's
    std::array<std::atomic<std::uint64_t>, 3> used{};
    void add(std::uint8_t length, int change);
  };

  void look(const BanSubject& subject, Clock::time_point now, std::optional<BanView>& gravest) const;
  void look_at_networks(bool everywhere, std::uint64_t tenant, const Address& client, Clock::time_point now,
                        std::optional<BanView>& gravest) const;
  Shard& shard_of(std::uint64_t hash) const { return shards_[hash % shards]; }
  std::atomic<std::uint16_t>& filter_of(std::uint64_t hash) const { return filter_[(hash >> 8) % filter_slots]; }

  SipKey key_;
  std::unique_ptr<Shard[]> shards_ = make_shards();
  std::unique_ptr<std::atomic<std::uint16_t>[]> filter_ = std::make_unique<std::atomic<std::uint16_t>[]>(filter_slots);
  Lengths everywhere_, at_tenants_;
  std::atomic<std::uint64_t> count_{0}, logins_{0};  // all, and those of one login

  std::unique_ptr<Shard[]> make_shards();
};

}  // namespace portcullis::guard
