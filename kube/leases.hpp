// Leases for whom they are needed: one that only one replica may hold at a time (who renews certificates), one of each replica
// that says it lives (whose part of a budget counts), and what others' leases say.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "kube/api.hpp"
#include "kube/lease_machine.hpp"
#include "net/background.hpp"

namespace portcullis::kube {

// Tries to get a Lease and to keep it. `background` and `api` outlive it.
class Lease {
 public:
  Lease(net::Background& background, Api& api, LeaseOptions options);
  ~Lease();  // stops renewing
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  void start();
  // From any thread: do we hold it at this moment? Asks the clock, so that who was stopped for long learns it first.
  [[nodiscard]] bool held() const { return BootClock::now() < valid_until(); }
  [[nodiscard]] BootClock::time_point valid_until() const;
  // Has the API server forgotten what it knew of it, as after a restored backup? Then what our watches said before may be of a time
  // that is lost. Known before held() is true again.
  [[nodiscard]] bool went_back() const;
  // Why it is not held, for logs; "" when it is, or when another holds it.
  [[nodiscard]] std::string trouble() const;

  enum class Release { free, remove };  // the next one may have it at once; the object goes
  // Gives it back; held() is false from now on. On the kube thread; ends when the API server has answered, at the latest at `deadline`.
  Task<void> release(Release how, Deadline deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// What the leases with a label say of their holders' lives. On the kube thread.
class LeaseWatch {
 public:
  LeaseWatch(net::Background& background, Api& api, std::string name_space, std::string label_selector);
  ~LeaseWatch();
  LeaseWatch(const LeaseWatch&) = delete;
  LeaseWatch& operator=(const LeaseWatch&) = delete;

  void start();
  [[nodiscard]] bool synced() const;
  // All there was at this time is known.
  [[nodiscard]] Clock::time_point progress() const;
  // Since when the lease `name` has stood unchanged, by our own clock; of one that is not there, since when we have seen that it is
  // not. Meaningless before synced().
  [[nodiscard]] Clock::time_point silent_since(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;  // of those that are there

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace portcullis::kube
