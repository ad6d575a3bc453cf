// What a YAML scalar means to Kubernetes: its kind and its JSON token, as sigs.k8s.io/yaml over go-yaml v2 gives them.
//
// Plain words become booleans (y, Yes, on, ...), nulls, integers (0x, 0b, 0o, leading 0, `_` anywhere) and floats; base 60 and
// timestamps stay strings. What JSON cannot hold (.inf, .nan) and what decoders read differently (integers beyond 64 bits with
// a prefix) is refused.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::policy::yaml {

struct Scalar {
  Kind kind = Kind::string;
  std::string text;  // as Node::text
};

// `tag` is empty, or as libyaml gives it ("tag:yaml.org,2002:int"). Errors have no place yet.
Result<Scalar> type_scalar(std::string_view value, std::string_view tag);

// The text of a mapping's key: JSON has strings only, so 1 is "1" and yes is "true". Null is no key.
Result<std::string> key_text(const Node& node);

}  // namespace portcullis::policy::yaml
