// An API server in memory, as far as clients of ours can tell: lists in pages, watches with bookmarks on demand, merge patches and
// creations with their conflicts, deletions, discovery with an entity tag, and whatever trouble a test asks for. Its state is behind a
// mutex, so that tests change it from their own thread.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kube/api.hpp"
#include "net/background.hpp"

namespace portcullis::kube::testing {

using nlohmann::json;

class FakeApi final : public Api {
 public:
  // Stores `object` below `collection` ("/api/v1/pods", over all namespaces) and tells watches.
  std::string put(const std::string& collection, json object) {
    const std::lock_guard lock(mutex_);
    return store(collection, std::move(object));
  }
  void remove(const std::string& collection, const std::string& key) {
    const std::lock_guard lock(mutex_);
    erase(collection, key);
  }
  void serve(const std::string& collection) {
    const std::lock_guard lock(mutex_);
    collections_[collection];
  }
  void unserve(const std::string& collection) {
    const std::lock_guard lock(mutex_);
    collections_.erase(collection);
    ++cuts_;
  }
  // Bookmarks every open watch.
  void bookmark() {
    const std::lock_guard lock(mutex_);
    for (auto& [path, collection] : collections_)
      collection.log.push_back({rv_, "BOOKMARK", {{"metadata", {{"resourceVersion", text(rv_)}}}}});
  }
  void cut_watches() {
    const std::lock_guard lock(mutex_);
    ++cuts_;
  }
  // Watches from before now are told 410.
  void compact() {
    const std::lock_guard lock(mutex_);
    compacted_ = ++rv_;
    ++cuts_;
  }
  // Everything as it is now, versions too, and back to that: watches go on from where they were, and hear nothing.
  void back_up() {
    const std::lock_guard lock(mutex_);
    backup_ = {collections_, rv_};
  }
  void restore() {
    const std::lock_guard lock(mutex_);
    std::tie(collections_, rv_) = backup_;
    ++cuts_;
  }
  // Every request whose target begins so is answered with `status`; 0 for an end of that.
  void refuse(const std::string& prefix, int status) {
    const std::lock_guard lock(mutex_);
    if (status == 0)
      refusals_.erase(prefix);
    else
      refusals_[prefix] = status;
  }
  // The next `count` changes are made, and no watch is told.
  void lose_events(int count) {
    const std::lock_guard lock(mutex_);
    unsaid_ = count;
  }
  // Called on the kube thread with each "METHOD target" before it is answered.
  void on_call(std::function<void(const std::string& call)> tell) {
    const std::lock_guard lock(mutex_);
    on_call_ = std::move(tell);
  }
  // Answers come so much later than they were true.
  void slow_answers(std::chrono::milliseconds time) {
    const std::lock_guard lock(mutex_);
    slow_ = time;
  }
  void discover(json document, std::string etag) {
    const std::lock_guard lock(mutex_);
    discovery_ = document.dump();
    etag_ = std::move(etag);
  }
  // Applied, but the answer is lost: of the next `count` writes.
  void lose_answers(int count) {
    const std::lock_guard lock(mutex_);
    lost_ = count;
  }
  [[nodiscard]] json get(const std::string& collection, const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = collections_.find(collection);
    if (found == collections_.end()) return {};
    const auto object = found->second.objects.find(key);
    return object == found->second.objects.end() ? json() : object->second;
  }
  // Requests so far whose "METHOD target" contains `part`.
  [[nodiscard]] std::size_t requests(const std::string& part = "") const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(requests_.begin(), requests_.end(), [&](const std::string& each) { return each.find(part) != std::string::npos; }));
  }
  [[nodiscard]] std::string version() const {
    const std::lock_guard lock(mutex_);
    return text(rv_);
  }

  Task<Result<ApiResponse>> call(ApiRequest request, Deadline) override {
    const bool slept = co_await net::sleep_until(Clock::now() + std::chrono::milliseconds(1));
    if (!slept) co_return fail(ErrorKind::unavailable, "fake", "cancelled");
    const std::function<void(const std::string&)> tell = hook();
    if (tell) tell(request.method + " " + request.target);
    std::chrono::milliseconds slow{0};
    Result<ApiResponse> response = answered(request, slow);
    if (slow.count() > 0) {
      const bool waited = co_await net::sleep_until(Clock::now() + slow);
      if (!waited) co_return fail(ErrorKind::unavailable, "fake", "cancelled");
    }
    co_return response;
  }

  Task<Result<StreamEnd>> stream(ApiRequest request, std::function<bool(const ApiResponse&)> on_head,
                                 std::function<bool(std::string_view)> on_bytes, Deadline deadline) override {
    Url url;
    std::uint64_t from = 0, cuts = 0;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back("WATCH " + request.target);
      url = read(request.target);
      cuts = cuts_;
      int status = refusal(request.target);
      if (status == 0 && !collections_.contains(url.collection)) status = 404;
      if (status == 0 && url.query["sendInitialEvents"] == "true") status = 422;
      if (status != 0) {
        const ApiResponse head = status_of(status, "no");
        on_head(head);
        on_bytes(head.body);
        co_return StreamEnd{true};
      }
      from = std::strtoull(url.query["resourceVersion"].c_str(), nullptr, 10);
    }
    ApiResponse head;
    head.status = 200;
    if (!on_head(head)) co_return StreamEnd{false};
    while (Clock::now() < deadline) {
      std::string bytes;
      bool ends = false;
      {
        const std::lock_guard lock(mutex_);
        const auto found = collections_.find(url.collection);
        if (from < compacted_) {
          bytes = json{{"type", "ERROR"}, {"object", {{"kind", "Status"}, {"code", 410}, {"message", "too old"}}}}.dump() + "\n";
          ends = true;
        } else if (found == collections_.end() || cuts != cuts_) {
          ends = true;
        } else {
          auto& log = found->second.log;
          for (; from_index(log, from) < log.size(); from = log[from_index(log, from)].rv) {
            const Event& event = log[from_index(log, from)];
            if (matches(url, event.object) || event.type == "BOOKMARK")
              bytes += json{{"type", event.type}, {"object", event.object}}.dump() + "\n";
          }
        }
      }
      // In two pieces, as a network has it.
      if (!bytes.empty()) {
        const std::size_t half = bytes.size() / 2;
        if (!on_bytes(std::string_view(bytes).substr(0, half)) || !on_bytes(std::string_view(bytes).substr(half)))
          co_return StreamEnd{false};
      }
      if (ends) co_return StreamEnd{true};
      const bool slept = co_await net::sleep_until(Clock::now() + std::chrono::milliseconds(1));
      if (!slept) co_return fail(ErrorKind::unavailable, "fake", "cancelled");
    }
    co_return StreamEnd{true};
  }

 private:
  struct Event {
    std::uint64_t rv;
    std::string type;
    json object;
  };
  struct Collection {
    std::map<std::string, json> objects;  // by "namespace/name"
    std::vector<Event> log;
  };
  struct Url {
    std::string collection, name_space, name, subresource;
    std::map<std::string, std::string> query;
  };

  std::function<void(const std::string&)> hook() const {
    const std::lock_guard lock(mutex_);
    return on_call_;
  }
  Result<ApiResponse> answered(const ApiRequest& request, std::chrono::milliseconds& slow) {
    const std::lock_guard lock(mutex_);
    slow = slow_;
    requests_.push_back(request.method + " " + request.target);
    if (const int status = refusal(request.target)) return status_of(status, "refused by the test");
    ApiResponse response = answer(request);
    if (request.method == "GET" || lost_ == 0) return response;
    --lost_;
    return fail(ErrorKind::unavailable, "fake", "cut off");
  }

  static std::string text(std::uint64_t rv) { return std::to_string(rv); }
  static std::string key_of(const json& object) {
    const json& metadata = object.at("metadata");
    return metadata.value("namespace", "") + "/" + metadata.value("name", "");
  }
  static std::size_t from_index(const std::vector<Event>& log, std::uint64_t from) {
    return static_cast<std::size_t>(
        std::upper_bound(log.begin(), log.end(), from, [](std::uint64_t rv, const Event& event) { return rv < event.rv; }) - log.begin());
  }
  static std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '%' && at + 2 < text.size()) {
        out += static_cast<char>(std::strtol(std::string(text.substr(at + 1, 2)).c_str(), nullptr, 16));
        at += 2;
      } else {
        out += text[at];
      }
    }
    return out;
  }
  static ApiResponse status_of(int status, const std::string& message) {
    return {status, json{{"kind", "Status"}, {"code", status}, {"message", message}}.dump(), "", {}};
  }
  [[nodiscard]] int refusal(const std::string& target) const {
    for (const auto& [prefix, status] : refusals_)
      if (target.starts_with(prefix)) return status;
    return 0;
  }

  // "/apis/apps/v1/namespaces/x/deployments/y/status?..." apart.
  static Url read(const std::string& target) {
    Url url;
    const std::size_t mark = target.find('?');
    std::string query = mark == std::string::npos ? "" : target.substr(mark + 1);
    while (!query.empty()) {
      const std::size_t end = query.find('&');
      const std::string pair = query.substr(0, end);
      const std::size_t equals = pair.find('=');
      url.query[pair.substr(0, equals)] = equals == std::string::npos ? "" : unescaped(std::string_view(pair).substr(equals + 1));
      query = end == std::string::npos ? "" : query.substr(end + 1);
    }
    std::vector<std::string> parts;
    std::string path = target.substr(1, mark == std::string::npos ? mark : mark - 1);
    for (std::size_t slash = 0; slash != std::string::npos; path = slash == std::string::npos ? "" : path.substr(slash + 1)) {
      slash = path.find('/');
      parts.push_back(path.substr(0, slash));
    }
    std::size_t at = parts[0] == "api" ? 2 : 3;
    for (std::size_t index = 0; index < at; ++index) url.collection += "/" + parts[index];
    if (at + 2 < parts.size() && parts[at] == "namespaces") {
      url.name_space = parts[at + 1];
      at += 2;
    }
    if (at < parts.size()) url.collection += "/" + parts[at++];
    if (at < parts.size()) url.name = parts[at++];
    if (at < parts.size()) url.subresource = parts[at++];
    return url;
  }
  static bool matches(Url url, const json& object) {
    if (!url.name_space.empty() && object["metadata"].value("namespace", "") != url.name_space) return false;
    const std::string selector = url.query["labelSelector"];
    if (selector.empty()) return true;
    const std::size_t equals = selector.find('=');
    return object["metadata"].value("labels", json::object()).value(selector.substr(0, equals), "") == selector.substr(equals + 1);
  }

  void say(Collection& collection, Event event) {
    if (unsaid_ == 0) return collection.log.push_back(std::move(event));
    --unsaid_;
  }
  std::string store(const std::string& path, json object) {
    Collection& collection = collections_[path];
    const std::string key = key_of(object);
    const bool there = collection.objects.contains(key);
    json& metadata = object["metadata"];
    metadata["resourceVersion"] = text(++rv_);
    if (!metadata.contains("uid")) metadata["uid"] = there ? collection.objects[key]["metadata"]["uid"] : json("uid-" + text(rv_));
    if (!metadata.contains("generation")) metadata["generation"] = 1;
    collection.objects[key] = object;
    say(collection, {rv_, there ? "MODIFIED" : "ADDED", std::move(object)});
    return text(rv_);
  }
  void erase(const std::string& path, const std::string& key) {
    Collection& collection = collections_[path];
    const auto found = collection.objects.find(key);
    if (found == collection.objects.end()) return;
    json object = found->second;
    object["metadata"]["resourceVersion"] = text(++rv_);
    collection.objects.erase(found);
    say(collection, {rv_, "DELETED", std::move(object)});
  }

  ApiResponse answer(const ApiRequest& request) {
    if (request.target == "/apis") {
      if (!etag_.empty() && request.if_none_match == etag_) return {304, "", etag_, {}};
      return {200, discovery_, etag_, {}};
    }
    Url url = read(request.target);
    const auto found = collections_.find(url.collection);
    if (found == collections_.end()) return {404, "404 page not found\n", "", {}};
    Collection& collection = found->second;
    const std::string key = url.name_space + "/" + url.name;
    if (request.method == "GET" && url.name.empty()) return list(url, collection);
    if (request.method == "POST") {
      json object = json::parse(request.body);
      if (collection.objects.contains(key_of(object))) return status_of(409, "already exists");
      const std::string stored = key_of(object);
      store(url.collection, std::move(object));
      return {201, collection.objects[stored].dump(), "", {}};
    }
    const auto at = collection.objects.find(key);
    if (at == collection.objects.end()) return status_of(404, "not found");
    if (request.method == "GET") return {200, at->second.dump(), "", {}};
    if (request.method == "DELETE") {
      const json body = request.body.empty() ? json::object() : json::parse(request.body);
      if (body.contains("preconditions") && body["preconditions"].value("uid", "") != at->second["metadata"]["uid"])
        return status_of(409, "another");
      erase(url.collection, key);
      return status_of(200, "gone");
    }
    const json patch = json::parse(request.body);
    if (patch.contains("metadata") && patch["metadata"].contains("resourceVersion") &&
        patch["metadata"]["resourceVersion"] != at->second["metadata"]["resourceVersion"])
      return status_of(409, "changed meanwhile");
    json object = at->second;
    object.merge_patch(patch);
    store(url.collection, std::move(object));
    return {200, collection.objects[key].dump(), "", {}};
  }

  // All pages are of the first one's version.
  ApiResponse list(Url& url, const Collection& collection) {
    const std::string token = url.query["continue"];
    std::uint64_t version = rv_;
    std::size_t skip = 0;
    if (!token.empty()) {
      version = std::strtoull(token.c_str(), nullptr, 10);
      skip = std::strtoull(token.substr(token.find('.') + 1).c_str(), nullptr, 10);
      if (!snapshots_.contains({url.collection, version}) || version < compacted_) return status_of(410, "the token is too old");
    }
    const auto& objects = token.empty() ? collection.objects : snapshots_.at({url.collection, version});
    json out = {{"metadata", {{"resourceVersion", text(version)}}}, {"items", json::array()}};
    const std::size_t limit = std::strtoull(url.query["limit"].c_str(), nullptr, 10);
    std::size_t at = 0;
    for (const auto& [key, object] : objects) {
      if (!matches(url, object) || at++ < skip) continue;
      if (limit > 0 && out["items"].size() == limit) {
        out["metadata"]["continue"] = text(version) + "." + std::to_string(skip + limit);
        break;
      }
      out["items"].push_back(object);
    }
    if (token.empty() && out["metadata"].contains("continue")) snapshots_[{url.collection, version}] = objects;
    return {200, out.dump(), "", {}};
  }

  mutable std::mutex mutex_;
  std::map<std::string, Collection> collections_;
  std::map<std::pair<std::string, std::uint64_t>, std::map<std::string, json>> snapshots_;  // of lists that have further pages
  std::map<std::string, int> refusals_;
  std::function<void(const std::string&)> on_call_;
  std::chrono::milliseconds slow_{0};
  std::vector<std::string> requests_;
  std::string discovery_ = R"({"items":[]})", etag_;
  std::uint64_t rv_ = 100, compacted_ = 0, cuts_ = 0;
  int lost_ = 0, unsaid_ = 0;
  std::pair<std::map<std::string, Collection>, std::uint64_t> backup_;
};

// Waits until `holds`, at most ten seconds.
inline bool eventually(const std::function<bool()>& holds) {
  const Deadline deadline = Clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (Clock::now() > deadline) return false;
    struct timespec pause {
      0, 2'000'000
    };
    nanosleep(&pause, nullptr);
  }
  return true;
}

}  // namespace portcullis::kube::testing
