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
  // the one logged last is logged, once the objects are all known.
  void compare(const std::string& tenant, const Amounts* limits, const TenantQuota* quota, bool all_known);

  // From any thread.
  [[nodiscard]] std::size_t of(std::string_view tenant) const;
  void expose(observe::Scrape& scrape) const;

 private:
  mutable std::mutex mutex_;
  struct Difference {
    std::size_t dimensions = 0, told = 0;  // told: what was logged last
  };
  std::map<std::string, Difference, std::less<>> different_;  // by tenant; absent is none
};

}  // namespace portcullis::webhook
