// Instants on the command line: RFC 3339 with an offset, as documents write them.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace portcullis::cli {

Result<Instant> parse_instant(std::string_view text);
// "2026-01-31T23:59:59Z"
std::string instant_text(Instant instant);

}  // namespace portcullis::cli
