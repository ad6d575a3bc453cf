// What two values say, whatever the order of their members: for telling what an UPDATE left as it was.
// Absent equals null, lists are in order, numbers are compared as written; so says same_content (value.hpp), and so do these.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "policy/object/value.hpp"

namespace portcullis::policy {

// Two objects with the same members, but for those called as in `but`.
bool same_members(Value a, Value b, std::span<const std::string_view> but = {});

// The same content has the same hash. For finding what to compare: nobody is kept from making two alike.
std::uint64_t content_hash(Value value);

}  // namespace portcullis::policy
