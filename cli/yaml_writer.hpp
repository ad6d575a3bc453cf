// JSON values as YAML that a person reads and diffs: members in their order, what fits on a line on a line, everything else in
// block style, texts quoted only where YAML would take them for something else. The same value gives the same bytes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace portcullis::cli {

// One document, ending in a newline; `value` is an object.
std::string to_yaml(const nlohmann::ordered_json& value);

}  // namespace portcullis::cli
