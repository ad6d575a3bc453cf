// What several decoders read at a cursor in the small languages of formats.hpp. Like the cursor's own readers each refuses
// what it cannot take, absence too.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/document/decoder.hpp"

namespace portcullis::policy {

// A text of at most sentence_range.max bytes that is not blank; "" when refused.
std::string read_sentence(const Cursor& at, std::string_view want);

std::optional<Instant> read_instant(const Cursor& at);

void read_rate(const Cursor& at, Rate& out);

// Above 0, at most factor_range.max; 1 when refused.
double read_factor(const Cursor& at);

// From a second to `max`.
std::optional<std::chrono::seconds> read_duration(const Cursor& at, std::chrono::seconds max);

// A DNS label that names one `what` of a list; "" when refused. `seen` has the names before it and where they stand.
using NamesSeen = std::unordered_map<std::string, std::string>;
std::string read_name_once(const Cursor& at, const std::string& what, NamesSeen& seen);

// Refuses a list of more entries than `range` has: "found 9 limits, want at most 8".
void refuse_above(const Cursor& at, std::size_t count, Range range, std::string_view what);

}  // namespace portcullis::policy
