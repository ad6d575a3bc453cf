// One comparison of what is held of a resource with what the API server has, as a machine without I/O: the pages of a consistent list
// of metadata go in, then the watch goes on until it has reached the list's version, then both digests are compared. Insurance against
// our own mistakes; kube-apiserver does the same with its caches (DetectCacheInconsistency).
//
// A resource in which nothing happens may never reach that version, since it counts the changes of all resources. It is judged when
// what is held is what was listed, or else when its watch has been proven to have said everything there was long after the list.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.hpp"
#include "kube/api.hpp"
#include "kube/object_reader.hpp"
#include "kube/resource.hpp"
#include "kube/state_journal.hpp"

namespace portcullis::kube {

struct SelfCheckOptions {
  std::chrono::milliseconds interval = std::chrono::minutes(10);  // between two checks of a resource, about
  std::chrono::milliseconds retry = std::chrono::minutes(1);      // after one without a verdict, at most the interval
  // How long the watch may take to reach the list: a silent one is looked into after 90 s, and known to be whole some 10 s later.
  std::chrono::milliseconds wait_max = std::chrono::seconds(150);
  std::chrono::milliseconds proven_after = std::chrono::seconds(10);  // the list: what the watch said then proves that it was not late
};

class SelfCheck {
 public:
  static constexpr unsigned pages_max = 10'000;

  SelfCheck(Resource resource, SelfCheckOptions options) : resource_(std::move(resource)), options_(options) {}

  [[nodiscard]] ApiRequest request() const;  // of the next page
  enum class Listing { more, whole, failed };
  Listing listed(Result<ApiResponse> response, Clock::time_point now);
  // Of the list; "" before its first page.
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] std::uint64_t objects() const { return digest_.objects; }

  enum class Verdict { pending, same, different, unknown };
  // Once the list is whole: what is held, at which version the watch is, and when all there was had been said.
  [[nodiscard]] Verdict judge(const StateJournal& journal, std::string_view version, Clock::time_point progress,
                              Clock::time_point now) const;

 private:
  Resource resource_;
  SelfCheckOptions options_;
  ObjectReader reader_;
  std::string version_, next_;
  Digest digest_;
  unsigned pages_ = 0;
  Clock::time_point whole_at_{};
};

}  // namespace portcullis::kube
