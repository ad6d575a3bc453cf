// An API server in memory, as far as certificates need one: a Secret and two webhook configurations with resourceVersions,
// merge patches by compare-and-swap, and what can go wrong.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "kube/api.hpp"
#include "net/base64.hpp"

namespace portcullis::test {

// Runs a task to its end on this thread.
template <class T>
T run(kube::Task<T> task) {
  boost::asio::io_context context;
  std::optional<T> result;
  std::exception_ptr failure;
  boost::asio::co_spawn(context, std::move(task), [&](const std::exception_ptr& error, T value) {
    failure = error;
    result = std::move(value);
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return *std::move(result);
}

class FakeCluster final : public kube::Api {
 public:
  using Json = nlohmann::json;

  // By path.
  std::map<std::string, Json> objects;
  std::vector<std::string> calls;  // "PATCH /api/v1/..."
  // What happens instead of an answer, if anything; called first.
  std::function<std::optional<Result<kube::ApiResponse>>(const kube::ApiRequest&)> before;
  // Called once a request has been applied, before its answer is given; an error takes the answer's place.
  std::function<std::optional<Error>(const kube::ApiRequest&)> after;

  void put(const std::string& path, Json object) {
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    objects[path] = std::move(object);
  }
  [[nodiscard]] std::string data(const std::string& path, const std::string& name) const {
    return net::from_base64(objects.at(path).at("data").value(name, "")).value();
  }
  [[nodiscard]] std::size_t count(std::string_view start) const {
    std::size_t found = 0;
    for (const std::string& call : calls) found += call.starts_with(start) ? 1 : 0;
    return found;
  }

  kube::Task<Result<kube::ApiResponse>> call(kube::ApiRequest request, Deadline) override {
    calls.push_back(request.method + " " + request.target);
    if (before)
      if (auto instead = before(request)) co_return *std::move(instead);
    kube::ApiResponse answer = apply(request);
    if (after)
      if (auto error = after(request)) co_return tl::unexpected(*std::move(error));
    co_return answer;
  }
  kube::Task<Result<kube::StreamEnd>> stream(kube::ApiRequest, std::function<bool(const kube::ApiResponse&)>,
                                             std::function<bool(std::string_view)>, Deadline) override {
    co_return fail(ErrorKind::unavailable, "fake", "no streams");
  }

 private:
  static kube::ApiResponse status(int code) { return {code, Json{{"kind", "Status"}, {"code", code}}.dump(), "", std::nullopt}; }

  kube::ApiResponse apply(const kube::ApiRequest& request) {
    const std::string path = request.target.substr(0, request.target.find('?'));
    const auto at = objects.find(path);
    if (at == objects.end()) return status(404);
    if (request.method == "DELETE") {
      objects.erase(at);
      return status(200);
    }
    if (request.method == "PATCH") {
      Json patch = Json::parse(request.body), changed = at->second;
      const Json before_patch = changed;
      if (patch.contains("metadata") && patch["metadata"].contains("resourceVersion") &&
          patch["metadata"]["resourceVersion"] != changed["metadata"]["resourceVersion"])
        return status(409);
      if (request.content_type == "application/strategic-merge-patch+json") {
        for (const Json& entry : patch.value("webhooks", Json::array()))
          for (Json& each : changed["webhooks"])
            if (each["name"] == entry["name"]) each.merge_patch(entry);
        patch.erase("webhooks");
      }
      changed.merge_patch(patch);
      if (changed != before_patch) put(path, std::move(changed));
    }
    return {200, objects.at(path).dump(), "", std::nullopt};
  }

  int version_ = 100;
};

}  // namespace portcullis::test
