#include "kube/self_check.hpp"

#include <utility>

#include "kube/metadata_list.hpp"
#include "kube/resource_version.hpp"

namespace portcullis::kube {

ApiRequest SelfCheck::request() const { return metadata_page(resource_, next_); }

SelfCheck::Listing SelfCheck::listed(Result<ApiResponse> response, Clock::time_point now) {
  if (!response || response->status != 200 || ++pages_ > pages_max) return Listing::failed;
  auto head = reader_.list(pad(response->body), [this](policy::Value item) { digest_.add(mark_of(item)); });
  if (!head || !revision_of(head->version)) return Listing::failed;
  // All pages are of one version; a server that says otherwise has not listed what it had at any.
  if (!version_.empty() && version_ != head->version) return Listing::failed;
  version_ = std::move(head->version);
  next_ = std::move(head->next);
  if (!next_.empty()) return Listing::more;
  whole_at_ = now;
  return Listing::whole;
}

SelfCheck::Verdict SelfCheck::judge(const StateJournal& journal, std::string_view version, Clock::time_point progress,
                                    Clock::time_point now) const {
  if (journal.spoiled()) return Verdict::unknown;
  const auto verdict = [&](const Holding& held) { return held.is(digest_) ? Verdict::same : Verdict::different; };
  switch (compare_versions(version, version_)) {
    case VersionOrder::unknown:
      return Verdict::unknown;
    case VersionOrder::same:
    case VersionOrder::newer: {
      const auto held = journal.at(version_);
      return held ? verdict(*held) : Verdict::unknown;
    }
    case VersionOrder::older:
      break;
  }
  if (journal.last().is(digest_)) return Verdict::same;
  if (now < whole_at_ + options_.wait_max) return Verdict::pending;
  return progress >= whole_at_ + options_.proven_after ? Verdict::different : Verdict::unknown;
}

}  // namespace portcullis::kube
