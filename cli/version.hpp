// The program's version, as the build names it (project() in CMakeLists.txt).
#pragma once

#include <string_view>

namespace portcullis::cli {

extern const std::string_view version;

}  // namespace portcullis::cli
