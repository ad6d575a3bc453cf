// Files of the repository that the program carries along; the build writes them into it (cmake/embed.cmake).
#pragma once

#include <string_view>

namespace portcullis::cli {

extern const std::string_view embedded_tenant_quota_crd;  // manifests/crds/tenantquotas.yaml

}  // namespace portcullis::cli
