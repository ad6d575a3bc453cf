#include "cli/api_objects.hpp"

#include <utility>

#include "base/text.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::json;

constexpr int pages_max = 1'000;
constexpr std::string_view page_limit = "limit=500";
constexpr std::string_view forbidden = "forbidden: ";

Result<Json> answer_of(const Result<kube::ApiResponse>& answer, const std::string& path) {
  if (!answer) return tl::unexpected(answer.error());
  Json object = Json::parse(answer->body, nullptr, false);
  if (answer->status >= 200 && answer->status < 300) {
    if (!object.is_object()) return fail(ErrorKind::invalid, path, "the answer is no object");
    return object;
  }
  std::string said = printable(text_member(object, {"message"}), 500);
  if (said.empty()) said = "the API server answered " + std::to_string(answer->status);
  if (answer->status == 404) return fail(ErrorKind::not_found, path, said);
  return fail(ErrorKind::invalid, path, (answer->status == 403 ? std::string(forbidden) : std::string()) + said);
}

}  // namespace

Result<Json> get_object(const ApiCall& call, const std::string& path) {
  kube::ApiRequest request;
  request.target = path;
  return answer_of(call(std::move(request)), path);
}

Result<Json> send_object(const ApiCall& call, const std::string& method, const std::string& path, const Json& body) {
  kube::ApiRequest request;
  request.method = method;
  request.target = path;
  request.body = body.dump();
  request.content_type = "application/json";
  request.lane = kube::ApiRequest::Lane::writes;
  return answer_of(call(std::move(request)), path);
}

Result<void> delete_object(const ApiCall& call, const std::string& path) {
  kube::ApiRequest request;
  request.method = "DELETE";
  request.target = path;
  request.lane = kube::ApiRequest::Lane::writes;
  if (const auto answer = answer_of(call(std::move(request)), path); !answer) return tl::unexpected(answer.error());
  return {};
}

Result<Json> list_objects(const ApiCall& call, const std::string& path) {
  Json items = Json::array();
  const std::string base = path + (path.find('?') == std::string::npos ? "?" : "&") + std::string(page_limit);
  std::string next;
  for (int page = 0; page < pages_max; ++page) {
    std::string target = base;
    if (!next.empty()) target.append("&continue=").append(next);
    auto list = get_object(call, target);
    if (!list) return list;
    for (const Json& item : member(*list, {"items"})) items.push_back(item);
    next = text_member(*list, {"metadata", "continue"});
    if (next.empty()) return items;
  }
  return fail(ErrorKind::limit_exceeded, path, "a list of more than " + std::to_string(pages_max) + " pages");
}

bool is_forbidden(const Error& error) { return error.kind == ErrorKind::invalid && error.what.starts_with(forbidden); }

const Json& member(const Json& object, std::initializer_list<const char*> path) {
  static const Json none;
  const Json* at = &object;
  for (const char* name : path) {
    if (!at->is_object()) return none;
    const auto found = at->find(name);
    if (found == at->end()) return none;
    at = &*found;
  }
  return *at;
}

std::string text_member(const Json& object, std::initializer_list<const char*> path) {
  const Json& found = member(object, path);
  return found.is_string() ? found.get<std::string>() : std::string();
}

}  // namespace portcullis::cli
