#include "webhook/newest_versions.hpp"

#include <algorithm>
#include <utility>

#include "kube/metadata_list.hpp"
#include "webhook/quota_requests.hpp"

namespace portcullis::webhook {
namespace {

using std::chrono::seconds;

constexpr unsigned pages_max = 10'000;
constexpr seconds page_time_max{30};
constexpr seconds others_time_max{60};  // for a list that another asked for

}  // namespace

net::Task<std::optional<std::uint64_t>> NewestVersions::of(std::string resource, Clock::time_point since) {
  Known& known = known_[resource];
  while (known.under_way) {
    const bool told = co_await known.done.wait(Clock::now() + others_time_max);
    if (!told) co_return std::nullopt;
  }
  if (known.version && known.since >= since) co_return known.version;
  const std::optional<kube::Resource> served = find_(resource);
  known.since = Clock::now();
  known.version = 0;
  if (!served) co_return known.version;  // there is nothing
  known.under_way = true;
  std::string from;
  for (unsigned page = 0; page < pages_max && known.version; ++page) {
    lists_.add();
    kube::ApiRequest request = kube::metadata_page(*served, from);
    const Result<kube::ApiResponse> answer = co_await api_.call(std::move(request), Clock::now() + page_time_max);
    const std::optional<ListedPage> listed = list_result(answer);
    known.version = listed ? std::optional(std::max(*known.version, listed->newest)) : std::nullopt;
    from = listed ? listed->next : std::string();
    if (from.empty()) break;
  }
  if (!from.empty()) known.version = std::nullopt;
  known.under_way = false;
  known.done.notify();
  co_return known.version;
}

}  // namespace portcullis::webhook
