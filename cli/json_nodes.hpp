// JSON manifests as the same tree with places that YAML manifests become: one object, or a stream of them one after another.
//
// libyaml reads most JSON, but not a stream of objects, no surrogate pair (`\ud83d\ude00`) and no key above 1 KiB; so JSON is
// read by simdjson On-Demand, whose tokens know where they stand. Bounded in depth and nodes; a key twice in one object is
// an error. A container's span ends with its last value: carets never need more.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::cli {

// Does `bytes` begin as a JSON object, or as a list of them, after a BOM and white space? YAML's flow form `{a: 1}` does not.
bool looks_like_json(std::string_view bytes);

// Errors carry "file:line:column".
Result<std::vector<policy::yaml::Document>> parse_json_stream(std::string_view file, std::string_view bytes,
                                                              const policy::DocumentLimits& limits);

}  // namespace portcullis::cli
