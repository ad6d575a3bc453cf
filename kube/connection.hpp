// The API server, really: kube::Api over TLS. Two lanes, so that a slow watch never stands before a write; a bearer token,
// roots and a client certificate that may change while we run; every request counted.
//
// Made and destroyed by any thread, before its Background is. Calls on the Background's thread.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "kube/api.hpp"
#include "kube/config.hpp"
#include "kube/credentials.hpp"
#include "net/background.hpp"
#include "net/client.hpp"
#include "observe/metrics.hpp"

namespace portcullis::kube {

inline constexpr std::size_t stream_refusal_bytes_max = 64 * 1024;  // of the body of a stream's answer that is no 2xx

struct ConnectionOptions {
  std::string version = "dev";  // of the program: user-agent portcullis/<version>
  Credentials::Ages ages;
  net::ClientLimits limits;
};

class Connection final : public Api {
 public:
  // Reads what `config` names; the first request makes the first connection.
  static Result<std::unique_ptr<Connection>> open(net::Background& background, const Config& config, const ConnectionOptions& options = {});

  Task<Result<ApiResponse>> call(ApiRequest request, Deadline deadline) override;
  Task<Result<StreamEnd>> stream(ApiRequest request, std::function<bool(const ApiResponse& head)> on_head,
                                 std::function<bool(std::string_view bytes)> on_bytes, Deadline deadline) override;

  [[nodiscard]] const std::string& peer() const { return lanes_.front()->peer(); }
  // portcullis_kube_requests_total, _request_duration_seconds, _dials_total. The metrics must not outlive this.
  void add_metrics(observe::Metrics& metrics) const;

 private:
  enum class Verb { get, watch, create, update, patch, remove };
  static constexpr std::array<const char*, 6> verb_names{"get", "watch", "create", "update", "patch", "delete"};

  Connection(std::unique_ptr<net::Client> reads, std::unique_ptr<net::Client> writes, Credentials credentials, const Config& config,
             const ConnectionOptions& options);
  static Verb verb_of(const ApiRequest& request);
  net::Client& lane(const ApiRequest& request) { return *lanes_.at(request.lane == ApiRequest::Lane::reads ? 0 : 1); }
  void renew_tls();
  net::ClientRequest dressed(const ApiRequest& request);
  Error placed(Error error, const ApiRequest& request);
  void count(Verb verb, const std::string& code, Clock::time_point began);

  std::array<std::unique_ptr<net::Client>, 2> lanes_;  // reads, writes
  Credentials credentials_;
  std::string base_path_, user_agent_;
  std::array<observe::Histogram, verb_names.size()> durations_;
  mutable std::mutex mutex_;
  std::map<std::pair<Verb, std::string>, std::uint64_t> requests_;  // by verb and code; behind the mutex
};

}  // namespace portcullis::kube
