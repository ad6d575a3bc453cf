// Bytes of a stranger as the inside of a JSON string: what logfmt quotes and what the decision log keeps. One pass, into
// memory of the caller, eight clean bytes at a time, because the decision log does this for every request.
#pragma once

#include <cstddef>
#include <string_view>

namespace portcullis::observe {

// What a terminal or an editor would act on instead of showing: bidi marks, line separators, C1 controls.
enum class Marks { keep, escape };

// Writes at most `room` bytes (3 or more) at `out` and returns how many. Quotes, backslashes, DEL and what is below a space
// are escaped, invalid UTF-8 becomes U+FFFD (one for each maximal invalid part); what does not fit is cut between
// characters and ends in "...".
std::size_t escape_json(char* out, std::size_t room, std::string_view text, Marks marks = Marks::keep);

}  // namespace portcullis::observe
