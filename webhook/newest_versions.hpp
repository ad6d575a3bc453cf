// The newest version among a resource's objects, of a consistent list: a view that has reached it has everything there was when it was
// asked. One list serves all who ask within its time; who asks later than a list began gets another. On the kube thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kube/api.hpp"
#include "kube/resource.hpp"
#include "net/background.hpp"
#include "observe/metrics.hpp"

namespace portcullis::webhook {

class NewestVersions {
 public:
  // Where a resource is served; none when it is not.
  using Find = std::function<std::optional<kube::Resource>(std::string_view name)>;

  // `api` and `lists`, which counts the requests, outlive it.
  NewestVersions(kube::Api& api, observe::Counter& lists, Find find) : api_(api), lists_(lists), find_(std::move(find)) {}

  // As of `since` or later; 0 when there is no object. None: it could not be listed. This outlives the task.
  net::Task<std::optional<std::uint64_t>> of(std::string resource, Clock::time_point since);

 private:
  struct Known {
    std::optional<std::uint64_t> version;
    Clock::time_point since{};
    bool under_way = false;
    net::Event done;
  };

  kube::Api& api_;
  observe::Counter& lists_;
  Find find_;
  std::map<std::string, Known> known_;  // by resource
};

}  // namespace portcullis::webhook
