// A file that a command reads whole, up to a bound.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace portcullis::cli {

Result<std::string> read_bounded(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace portcullis::cli
