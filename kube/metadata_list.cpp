#include "kube/metadata_list.hpp"

#include <string>

#include "kube/status.hpp"

namespace portcullis::kube {

ApiRequest metadata_page(const Resource& resource, std::string_view from) {
  ApiRequest request;
  request.target = resource.path() + "?limit=" + std::to_string(metadata_page_items);
  if (!from.empty()) request.target += "&continue=" + query_escaped(from);
  request.accept = metadata_list_type;
  request.gzip = true;
  return request;
}

}  // namespace portcullis::kube
