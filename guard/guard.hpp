// What the loops of the guard's door share: the moment in force, the limiter, bans, places, known sessions, the shared store.
// Outlives its handlers and every reload of a store it follows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/clock.hpp"
#include "config/store.hpp"
#include "guard/access_log.hpp"
#include "guard/bans.hpp"
#include "guard/decide.hpp"
#include "guard/feedback.hpp"
#include "guard/identify.hpp"
#include "guard/known_sessions.hpp"
#include "guard/leases.hpp"
#include "guard/limiter.hpp"
#include "guard/metrics.hpp"
#include "guard/moment.hpp"
#include "guard/shared_store.hpp"
#include "guard/siphash.hpp"
#include "guard/snapshot.hpp"
#include "observe/metrics.hpp"

namespace portcullis::guard {

struct GuardOptions {
  std::size_t limiter_bytes_max = limiter_bytes_max_default;
  std::function<Clock::time_point()> now{};  // the steady clock; tests set it. Empty: the real one
  std::function<Instant()> wall{};           // the same of the wall clock
  std::optional<SipKey> seed{};  // what keys are hashed with; empty: a random one. With a shared store all replicas' must be the same
  std::unique_ptr<SharedStore> store{};  // null: limits are this process's own
  bool feedback = false;                 // somebody will call feedback().finished()
};

class Guard {
 public:
  explicit Guard(GuardOptions options = {});
  ~Guard();

  // Takes the documents in force now, and each later set as it comes. `store` may end first.
  void follow(config::Store& store);
  void swap_in(std::shared_ptr<const GuardSnapshot> snapshot);
  // Makes the moment anew where profiles or days have changed. run_clock() does it each second, on a thread of its own.
  void tick();
  void run_clock();

  [[nodiscard]] std::shared_ptr<const Moment> moment() const;  // null before the first documents
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] Limiter& limiter() { return limiter_; }
  [[nodiscard]] GuardMetrics& metrics() { return metrics_; }
  [[nodiscard]] Bans& bans() { return bans_; }
  [[nodiscard]] Leases& leases() { return leases_; }
  [[nodiscard]] KnownSessions& sessions() { return sessions_; }
  [[nodiscard]] Feedback* feedback() { return feedback_.get(); }  // null: nobody says what became of a request
  [[nodiscard]] SharedStore* store() { return options_.store.get(); }
  [[nodiscard]] const SipKey& seed() const { return seed_; }
  [[nodiscard]] Clock::time_point now() const { return options_.now ? options_.now() : Clock::now(); }
  // What decide() works on, as things stand at `now`.
  [[nodiscard]] DecideParts parts(Clock::time_point now);
  // Who asks, with what is known of him here. `logins`: keyed hashes, in a request with so many attempts at a login; they and
  // `identity` outlive what is returned.
  [[nodiscard]] GuardSubject subject_of(const Identity& identity, std::span<const std::uint64_t> logins, std::uint32_t attempts,
                                        Clock::time_point now);
  void expose(observe::Scrape& scrape);

 private:
  [[nodiscard]] Instant wall() const;
  void put(std::shared_ptr<const GuardSnapshot> documents);
  void expose_store(observe::Scrape& scrape);

  GuardOptions options_;
  SipKey seed_;
  Limiter limiter_;
  Leases leases_;
  KnownSessions sessions_;
  Bans bans_;
  GuardMetrics metrics_;
  std::unique_ptr<Feedback> feedback_;
  std::mutex maker_mutex_;
  MomentMaker maker_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Moment> moment_;
  std::atomic<std::uint64_t> version_{0};
  std::jthread clock_;
};

void add_guard_metrics(observe::Metrics& metrics, Guard& guard);

}  // namespace portcullis::guard
