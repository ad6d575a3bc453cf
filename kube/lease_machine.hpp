// Holding a Lease (coordination.k8s.io/v1) as a machine that does no I/O: asked for the next action, told what came of it.
//
// Clocks of different machines are never compared: a lease of another holder has ended when it stood unchanged on our own clock for
// as long as it says, and ours holds for its duration from the moment its renewal was *sent*. Writes carry the resourceVersion that
// was read, so that of two who want a lease one gets it. What a lost answer did is found out by reading.
//
// Reads and writes here are etcd's own word. So an older version than one seen before means that etcd was restored from a backup;
// a lease that went means it too, unless somebody deleted it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "kube/api.hpp"
#include "kube/boot_clock.hpp"
#include "policy/object/value.hpp"

namespace portcullis::kube {

struct LeaseOptions {
  std::string name_space, name;
  std::string identity;  // who we are, unlike every other holder
  std::chrono::seconds duration{15};
  std::chrono::milliseconds renewal{2'000};
  std::map<std::string, std::string> labels;
};

class LeaseMachine {
 public:
  static constexpr std::chrono::seconds answer_time_max{5};

  enum class Step { wait, call };
  struct Action {
    Step step = Step::wait;
    std::chrono::nanoseconds wait{0};
    ApiRequest request;
  };

  explicit LeaseMachine(LeaseOptions options) : options_(std::move(options)) {}

  Action next(BootClock::time_point now, WallClock::time_point wall);
  void answered(BootClock::time_point now, Result<ApiResponse> response);
  // It is given back: the next action says so to the API server. `remove`: the object goes too.
  std::optional<ApiRequest> release(bool remove, WallClock::time_point wall);

  [[nodiscard]] BootClock::time_point valid_until() const { return valid_until_; }
  [[nodiscard]] bool went_back() const { return went_back_; }  // the API server has forgotten what it knew of the lease; stays so
  [[nodiscard]] const std::string& holder() const { return holder_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  enum class Asked { nothing, read, create, write };

  [[nodiscard]] std::string collection() const;
  [[nodiscard]] std::string spec(WallClock::time_point wall) const;
  void adopt(BootClock::time_point now, policy::Value lease);
  void pause(BootClock::time_point now, std::string trouble);

  LeaseOptions options_;
  Asked asked_ = Asked::nothing;
  BootClock::time_point sent_{}, not_before_{}, changed_at_{}, valid_until_{};
  bool exists_ = false, read_ = false, went_back_ = false;
  std::string version_, newest_, holder_, uid_, trouble_;
  std::chrono::seconds others_duration_{0};
  std::int64_t transitions_ = 0;
};

}  // namespace portcullis::kube
