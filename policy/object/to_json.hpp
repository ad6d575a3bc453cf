// A Value as JSON text again: for applying patches to what was received, and for hashing.
#pragma once

#include <string>

#include "policy/object/value.hpp"

namespace portcullis::policy {

// Numbers and booleans keep their token. Depth is bounded by the budget the tree was read under.
std::string to_json(Value value);

}  // namespace portcullis::policy
