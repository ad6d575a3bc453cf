// Lists of metadata alone: of each object its name, uid, version and labels, and nothing of what it is.
#pragma once

#include <string_view>

#include "kube/api.hpp"
#include "kube/resource.hpp"

namespace portcullis::kube {

// The media type to accept; a server that does not know it sends whole objects.
inline constexpr std::string_view metadata_list_type = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
inline constexpr unsigned metadata_page_items = 500;

// A page of a consistent list of all objects of a resource: the first with "" for `from`, then by the `continue` of the page before.
ApiRequest metadata_page(const Resource& resource, std::string_view from);

}  // namespace portcullis::kube
