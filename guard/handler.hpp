// The guard's door: /auth (tenant by X-Forwarded-Host), /v1/traefik/<tenant> (tenant by address), /healthz and /readyz; any
// method. One Handler a loop; what loops share is a Guard.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "audit/log.hpp"
#include "base/clock.hpp"
#include "config/store.hpp"
#include "guard/bans.hpp"
#include "guard/limiter.hpp"
#include "guard/metrics.hpp"
#include "guard/siphash.hpp"
#include "guard/snapshot.hpp"
#include "net/server.hpp"
#include "observe/metrics.hpp"

namespace portcullis::guard {

struct GuardOptions {
  std::size_t limiter_bytes_max = limiter_bytes_max_default;
  std::function<Clock::time_point()> now{};  // the steady clock; tests set it. Empty: the real one
  BanOptions bans{};
};

// The snapshot in force, the limiter, the bans and the counts. Outlives its handlers and every reload of a store it follows.
class Guard {
 public:
  explicit Guard(GuardOptions options = {});

  // Takes the documents in force now, and each later set as it comes. `store` may end first.
  void follow(config::Store& store);
  void swap_in(std::shared_ptr<const GuardSnapshot> snapshot);

  [[nodiscard]] std::shared_ptr<const GuardSnapshot> snapshot() const;
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] Limiter& limiter() { return limiter_; }
  [[nodiscard]] Bans& bans() { return bans_; }
  [[nodiscard]] GuardMetrics& metrics() { return metrics_; }
  [[nodiscard]] const SipKey& seed() const { return seed_; }
  [[nodiscard]] Clock::time_point now() const { return options_.now ? options_.now() : Clock::now(); }
  void expose(observe::Scrape& scrape) const;

 private:
  GuardOptions options_;
  SipKey seed_ = SipKey::random();
  Limiter limiter_;
  Bans bans_;
  GuardMetrics metrics_;
  mutable std::mutex mutex_;
  std::shared_ptr<const GuardSnapshot> snapshot_;
  std::atomic<std::uint64_t> version_{0};
};

// `guard` and `log` outlive the handlers.
net::Server::HandlerFactory make_handlers(Guard& guard, audit::Log& log);
// The same with a writer given: for tests that read what would be logged.
std::unique_ptr<net::Handler> make_handler(Guard& guard, std::unique_ptr<audit::Log::Writer> writer);

void add_guard_metrics(observe::Metrics& metrics, const Guard& guard);

}  // namespace portcullis::guard
