// Which resources the API server serves, for those that may not be there: custom resources that documents name, and kinds that
// a budget counts.
//
// Aggregated discovery (KEP-3352, GA in 1.30) asked for each minute with its entity tag: one small answer (304) for any number of
// kinds, where a watch of their CRDs would want a stream each and the right to read CRDs, and would not see kinds of aggregated
// API servers. A kind that comes is found within that minute; one that goes is noticed by its own watch at once (404), which asks
// for discovery anew.
//
// This is the reading; who asks is Cluster.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kube/api.hpp"
#include "kube/object_reader.hpp"
#include "kube/resource.hpp"

namespace portcullis::kube {

class Discovery {
 public:
  [[nodiscard]] ApiRequest request() const;
  // Adopts an answer; true when something changed. 304 changes nothing. Errors: refused, not readable; what was known stays.
  Result<bool> answered(Result<ApiResponse> response);
  [[nodiscard]] bool known() const { return known_; }

  // In its best version that can be listed and watched; none when it is not served.
  [[nodiscard]] std::optional<Resource> by_plural(std::string_view group, std::string_view plural) const;
  // `version` where it is served, else the best one.
  [[nodiscard]] std::optional<Resource> by_kind(std::string_view group, std::string_view version, std::string_view kind) const;

 private:
  bool known_ = false;
  std::string etag_;
  std::map<std::string, std::vector<Resource>, std::less<>> groups_;  // versions in the server's order: the best first
};

}  // namespace portcullis::kube
