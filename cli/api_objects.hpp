// The API server for commands that look once and end: JSON objects by their path, one call after the other.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kube/api.hpp"

namespace portcullis::cli {

using ApiCall = std::function<Result<kube::ApiResponse>(kube::ApiRequest request)>;

// not_found: 404. invalid: another status, with what the API server says of it (403: "forbidden: ..."). unavailable,
// deadline_passed: not reached.
Result<nlohmann::json> get_object(const ApiCall& call, const std::string& path);
Result<nlohmann::json> send_object(const ApiCall& call, const std::string& method, const std::string& path, const nlohmann::json& body);
Result<void> delete_object(const ApiCall& call, const std::string& path);
// The `items` of a list, page after page.
Result<nlohmann::json> list_objects(const ApiCall& call, const std::string& path);

bool is_forbidden(const Error& error);

// The member at the end of `path`, null where any part of it is absent or no object. A view: `object` outlives it.
const nlohmann::json& member(const nlohmann::json& object, std::initializer_list<const char*> path);
std::string text_member(const nlohmann::json& object, std::initializer_list<const char*> path);

}  // namespace portcullis::cli
