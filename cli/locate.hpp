// From a path in an object to the place in its file: `spec.template.spec.containers[0].image` to line 13, column 16.
#pragma once

#include <string_view>

#include "policy/document/yaml.hpp"

namespace portcullis::cli {

struct Location {
  policy::Span span;                         // of the value; of the nearest existing parent's key where it is missing or a block of lines
  bool missing = false;                      // the path goes on where the object ends
  std::size_t steps = 0;                     // how many steps of the path are there
  const policy::yaml::Node* node = nullptr;  // the deepest that is there
};

// `object`: the root of one object. An empty path, or one of another object, is the object's own place: its kind.
Location locate(const policy::yaml::Node& object, std::string_view path);

}  // namespace portcullis::cli
