// The `with` of a rule, checked against what the rule declares: unknown names, types, ranges, words, what is required.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "policy/document/load.hpp"
#include "policy/document/params.hpp"
#include "policy/document/yaml.hpp"

namespace portcullis::policy {

// `with` may be null: absent. `field` is its path in the document ("spec.rules[0].with"), `file` the file's name; where `with`
// is absent, errors stand at `absent_at`. Appends to `errors`.
void decode_params(const yaml::Node* with, std::span<const ParamInfo> infos, const std::shared_ptr<const std::string>& file,
                   const std::string& field, Params& out, DocumentErrors& errors, const Span& absent_at = {});

}  // namespace portcullis::policy
