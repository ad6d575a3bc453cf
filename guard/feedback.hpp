// What became of a request that was let go on: the guard plants an id in its answer, Traefik writes it into its access log,
// and here the line and what is known of the request come together again.
//
//   a login that succeeded (303 of the form)   what it was charged is taken back: only failures use a limit of logins up
//   a login that failed (200 of the form, 401 or 403 of an API key)   counts towards a ban
//   a page that only somebody logged in gets (200)   the session is known from now on
//   a request that held a place among those at work at once   the place is free
// RPC answers 200 whatever came of a login, so nothing can be learned from it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "guard/access_log.hpp"
#include "guard/bans.hpp"
#include "guard/decide.hpp"
#include "guard/known_sessions.hpp"
#include "guard/moment.hpp"
#include "guard/planted_ids.hpp"

namespace portcullis::guard {

// With this header the guard answers; the Middleware names it in `headerField`.
inline constexpr std::string_view id_header = "x-guard-id";
// Without a line for that long nobody says when a request ends, and places are not counted.
inline constexpr std::chrono::seconds feedback_alive_for{30};

// A websocket is closed by Odoo after an hour.
inline constexpr std::chrono::minutes longest_request{65};

// How the status of an answer tells whether a login succeeded.
enum class OutcomeSign : std::uint8_t { none, form, bearer };

struct Planted {
  std::uint64_t tenant = 0;
  Address client{};
  OutcomeSign sign = OutcomeSign::none;
  std::optional<std::uint64_t> login{};    // keyed hash
  std::optional<std::uint64_t> session{};  // to be known, if the answer is what only somebody logged in gets
  struct Refund {
    std::uint64_t fingerprint = 0;
    Gcra limit;
    double cost = 1;
  };
  std::array<Refund, 8> refunds{};
  std::size_t refund_count = 0;
  std::array<Lease, request_leases_max> leases{};
  std::size_t lease_count = 0;

  [[nodiscard]] bool is_needed() const { return sign != OutcomeSign::none || session || lease_count > 0; }
};

struct FeedbackStats {
  std::uint64_t logins_succeeded = 0, logins_failed = 0, unmatched = 0;
};

// What it works on outlives it. plant() by all loops, the rest by the log's reader.
class Feedback {
 public:
  struct Parts {
    Limiter& limiter;
    Leases& leases;
    KnownSessions& sessions;
    Bans& bans;
    std::function<std::shared_ptr<const Moment>()> moment;
    std::function<Clock::time_point()> now;
  };
  explicit Feedback(Parts parts);

  PlantedId plant(const Planted& planted, Clock::time_point now) { return ids_.plant(planted, now); }
  void finished(const FinishedRequest& request);
  void expire() { ids_.expire(parts_.now()); }  // once a second
  void heard(Clock::time_point last_line) { last_line_.store(last_line.time_since_epoch().count(), std::memory_order_relaxed); }
  [[nodiscard]] bool is_alive(Clock::time_point now) const;
  [[nodiscard]] FeedbackStats stats() const;

 private:
  void judge_login(const Planted& planted, int status, Clock::time_point now);

  Parts parts_;
  PlantedIds<Planted> ids_;
  std::atomic<Clock::rep> last_line_{0};  // of any kind; 0: none yet
  std::atomic<std::uint64_t> succeeded_{0}, failed_{0}, unmatched_{0};
};

}  // namespace portcullis::guard
