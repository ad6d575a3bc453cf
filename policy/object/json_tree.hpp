// simdjson On-Demand -> Tree, in one pass and without copying strings that hold no escape.
//
// Grammar is checked for everything that is visited; metadata.managedFields of the root is stepped over. A value above the
// budget is stepped over too, so that the caller can go on to the envelope's other fields and still answer with its uid.
#pragma once

#include <simdjson.h>

#include <string_view>

#include "policy/object/value.hpp"

namespace portcullis::policy {

struct TreeBuild {
  simdjson::error_code error = simdjson::SUCCESS;  // not JSON: the text as a whole is to be refused
  OverBudget over = OverBudget::no;                // the tree is empty then
};

// `text` is the whole JSON text that `value` is part of: it tells whether any escape can occur at all.
TreeBuild build_tree(simdjson::ondemand::value value, bool text_has_escapes, const WorkBudget& budget, Tree& tree);

}  // namespace portcullis::policy
