// How far TenantQuotas are from the documents: of each tenant, in how many dimensions its object says otherwise. The smaller of
// both counts meanwhile, so that it is people who have to know.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "observe/metrics.hpp"
#include "webhook/tenant_quota.hpp"

namespace portcullis::webhook {

class QuotaDrift {
 public:
  // `limits`: of the documents, null without a budget there. `quota`: null when there is no object. A difference that is another than
  // before is logged, unless the objects are not all known yet.
  void compare(const std::string& tenant, const Amounts* limits, const TenantQuota* quota, bool all_known);

  // From any thread.
  [[nodiscard]] std::size_t of(std::string_view tenant) const;
  void expose(observe::Scrape& scrape) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t, std::less<>> different_;  // dimensions, by tenant; absent is none
};

}  // namespace portcullis::webhook
