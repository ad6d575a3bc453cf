// Who may not log in for a while, or not come at all: bans by login outcomes and by an operator. Apart from the limiter, and
// no flood of keys can push one out.
//
// When the failures within the window reach the bound (policy::Bans, GuardPolicy `bans`):
//   they were for one login                     that login is banned from that address, and nothing else is
//   they were for several, or nobody knows      the address is banned at this tenant; but an address from which enough people
//                                               work (BanOptions::spared: an office, a carrier's NAT) never is: there only
//                                               logins are, each by its own failures
// A ban lasts `first`; each further one of the same subject within a day after the last one's end twice as long, up to `max`.
// The steady clock says when it ends: no step of the wall clock makes it longer or shorter. A restart forgets all bans.
//
// Bounds: bans_max, bans_a_tenant_max, and operator_bans_max apart from them, so that a botnet leaves the operator his room.
// A full table refuses new bans, and counts it; it drops no live one. What has ended is kept for a day for the doubling, and
// goes first where room is wanted.
//
// find() costs one atomic load when there are no bans, else a keyed hash and a look into a counting filter for each length
// of network that is banned; only what the filter knows takes a lock, of a shard.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "guard/address.hpp"
#include "guard/ban_table.hpp"
#include "guard/failure_counts.hpp"
#include "observe/metrics.hpp"
#include "policy/document/documents.hpp"

namespace portcullis::guard {

inline constexpr std::size_t bans_max = 100'000, bans_a_tenant_max = 10'000, operator_bans_max = 10'000;
inline constexpr std::chrono::hours ban_memory{24};  // after its end, for the doubling
inline constexpr std::chrono::hours ban_length_max{24 * 366};
inline constexpr std::size_t ban_text_bytes_max = 256;  // of a reason, and of who gave it
// Shorter networks are a part of the Internet, not a stranger: access lists are for that.
inline constexpr unsigned ban_prefix_min_ipv4 = 8, ban_prefix_min_ipv6 = 16;

struct BanTenant {
  std::uint64_t id = 0;
  std::string_view name;
};

// A ban as people see it.
struct Ban {
  std::uint64_t id = 0;                // of this process; 1, 2, 3 ...
  std::optional<std::string> tenant;   // none: at every tenant
  policy::Network network;             // one address: /32, or /64 as the guard counts clients
  std::optional<std::uint64_t> login;  // a keyed hash: this login alone
  BanSource source = BanSource::automatic;
  std::string reason, by;
  Instant created;         // wall time, for showing
  Clock::time_point ends;  // what counts
  unsigned times = 1;      // in a row: 2 lasted twice as long as 1
};
std::string ban_network_text(const policy::Network& network);  // "198.51.100.7/32"

struct OperatorBan {
  std::optional<BanTenant> tenant;
  policy::Network network;
  std::chrono::seconds length{0};
  std::string reason, by;
};

struct BanOptions {
  std::size_t all_max = bans_max, a_tenant_max = bans_a_tenant_max, by_operator_max = operator_bans_max;
  std::size_t counts_max = FailureCounts::keys_max_default;
  // True for an address at a tenant with a good share of known sessions. Called by failed(), without a lock. Empty: none.
  std::function<bool(const BanTenant&, const Address& client)> spared{};
  std::function<Instant()> wall{};  // for showing. Empty: the real one
};

struct BanStats {
  std::uint64_t live_automatic = 0, live_by_operator = 0;
  std::uint64_t added_addresses = 0, added_logins = 0, added_by_operator = 0;
  std::uint64_t refused = 0;   // not made, because the table was full
  std::uint64_t failures = 0;  // of logins, told to failed()
  std::uint64_t spared = 0;    // addresses that would have been banned
  std::uint64_t counts_forgotten = 0;
};

// Used by all loops and threads at once.
class Bans {
 public:
  explicit Bans(BanOptions options = {});
  ~Bans();
  Bans(const Bans&) = delete;
  Bans& operator=(const Bans&) = delete;

  // A login failed. `login`: a keyed hash of it, where known. The ban that came of it, if one did; one that is there
  // already is not made longer.
  std::optional<BanView> failed(const BanTenant& tenant, const Address& client, std::optional<std::uint64_t> login,
                                const policy::Bans& rules, Clock::time_point now);
  // A login succeeded: its failures from there are forgotten. Those for other logins are not, or one good account would pay
  // for guesses at others.
  void succeeded(const BanTenant& tenant, const Address& client, std::optional<std::uint64_t> login, const policy::Bans& rules,
                 Clock::time_point now);

  // `logins`: keyed hashes of those that the request is about to try; none where it tries none.
  [[nodiscard]] std::optional<BanView> find(std::uint64_t tenant, const Address& client, std::span<const std::uint64_t> logins,
                                            Clock::time_point now) const {
    return table_->is_empty() ? std::nullopt : table_->find(tenant, client, logins, now);
  }

  // Errors: a length, network or text out of bounds (invalid), no room (limit_exceeded). Takes the place of a ban of the
  // same network at the same tenant.
  Result<Ban> add(const OperatorBan& wanted, Clock::time_point now);
  // What was taken away, and its past with it: the next ban of that subject is a first one.
  std::optional<Ban> remove(std::uint64_t id, Clock::time_point now);
  // Every live ban of exactly this network, those of logins from there included; of one tenant where one is named.
  std::vector<Ban> remove(const policy::Network& network, const std::optional<std::string>& tenant, Clock::time_point now);

  struct Filter {
    std::optional<std::string> tenant;       // those at this tenant, and those at every tenant
    std::optional<policy::Network> network;  // those that hold it, or lie within it
  };
  // Live ones, in the order in which they were made.
  [[nodiscard]] std::vector<Ban> list(const Filter& filter, Clock::time_point now) const;

  [[nodiscard]] BanStats stats(Clock::time_point now) const;
  void expose(observe::Scrape& scrape, Clock::time_point now) const;

 private:
  struct Ledger;

  std::optional<BanView> ban(const BanSubject& subject, std::string_view tenant, const policy::Bans& rules, Clock::time_point now);

  BanOptions options_;
  FailureCounts counts_;
  std::unique_ptr<BanTable> table_;  // what find() reads
  std::unique_ptr<Ledger> ledger_;   // everything else about bans, under one lock
  std::atomic<std::uint64_t> failures_{0}, spared_{0};
};

}  // namespace portcullis::guard
