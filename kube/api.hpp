// The API server as a client sees it: one call, or one stream that goes on. Everything in kube/ speaks through this
// interface, so that its logic is tested without a socket; kube/connection.hpp is the real one (TLS, HTTP/2, tokens).
//
// All members run on one Background's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/task.hpp"

namespace portcullis::kube {

using net::Task;

struct ApiRequest {
  std::string method = "GET";
  std::string target{};        // path and query: "/api/v1/pods?limit=500"
  std::string body{};          // JSON
  std::string content_type{};  // "application/merge-patch+json"; "" without a body
  std::string accept = "application/json";
  std::string if_none_match{};                           // an entity tag had before: 304 when nothing has changed
  bool gzip = false;                                     // ask for a compressed answer; it is decoded before it is handed on
  enum class Lane { reads, writes } lane = Lane::reads;  // a connection each, so that a slow watch never blocks a write
};

struct ApiResponse {
  int status = 0;
  std::string body;
  std::string etag;
  std::optional<std::uint32_t> retry_after_seconds;
};

// How a stream ended.
struct StreamEnd {
  bool clean = false;  // by EOF after a whole answer
};

class Api {
 public:
  virtual ~Api() = default;
  // One answer, whatever its status. Errors: not reached, cut off (ErrorKind::unavailable: for a write the outcome is
  // unknown), deadline_passed (likewise), limit_exceeded (an answer above the bound). A 401 has been retried once with a
  // token read anew.
  virtual Task<Result<ApiResponse>> call(ApiRequest request, Deadline deadline) = 0;
  // A GET whose body goes on: `on_head` is told the status and headers' retry-after; for a 2xx every piece of the body goes
  // to `on_bytes` (false ends the stream); for others the body, cut at 64 KiB, comes as one piece. Ends with the body, when
  // cancelled, or when nothing came for 30 s and a PING was not answered within 15 s.
  virtual Task<Result<StreamEnd>> stream(ApiRequest request, std::function<bool(const ApiResponse& head)> on_head,
                                         std::function<bool(std::string_view bytes)> on_bytes, Deadline deadline) = 0;
};

}  // namespace portcullis::kube
