// Sessions that were seen logged in, and how many of them stand behind an address.
//
// A cookie proves nothing: anybody can invent one for every request. A session is known once Odoo itself answered it as it
// answers nobody else (guard/feedback.hpp: 200 where a stranger is sent to the login page), and for `known_for` after that.
// Known sessions keep a share of their own where their address is limited; what they do for the address, `factor_at`, is
// bounded, because who has one account can log in many times.
//
// Two tables of fixed size, read and written by all loops without a lock: every entry is two words that are written one
// after the other, so a reader may see an entry of a moment ago and never one that was not there.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "guard/address.hpp"

namespace portcullis::guard {

inline constexpr std::int64_t known_for_seconds = 7 * 24 * 3600;  // as long as Odoo keeps an idle session
inline constexpr double address_factor_max = 50;

class KnownSessions {
 public:
  KnownSessions();

  // `session`: its keyed hash. `now`: nanoseconds of the steady clock.
  [[nodiscard]] bool is_known(std::uint64_t tenant, std::uint64_t session, std::int64_t now) const;
  void learn(std::uint64_t tenant, std::uint64_t session, const Address& address, std::int64_t now);

  // How much wider `address` may be for those behind it: 1, or the number of sessions that became known there, halved for
  // every half week in which none did, up to address_factor_max.
  [[nodiscard]] double factor_at(std::uint64_t tenant, const Address& address, std::int64_t now) const;
  // Nobody bans an address from behind which this many people work.
  [[nodiscard]] bool spares(std::uint64_t tenant, const Address& address, std::int64_t now) const {
    return factor_at(tenant, address, now) >= 3;
  }

  [[nodiscard]] std::uint64_t learned() const { return learned_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    std::atomic<std::uint64_t> key{0};
    std::atomic<std::uint64_t> value{0};  // high half: seconds; low half: a count
  };
  static constexpr std::size_t entries = 1 << 17, ways = 4;
  using Table = std::unique_ptr<Entry[]>;

  static const Entry* find(const Table& table, std::uint64_t key);
  // The entry of `key`, or the one in its place that was renewed longest ago.
  static Entry& place(Table& table, std::uint64_t key);

  Table sessions_, addresses_;
  std::atomic<std::uint64_t> learned_{0};
};

}  // namespace portcullis::guard
