#include "kube/connection.hpp"

#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "observe/log.hpp"

namespace portcullis::kube {
namespace {

// RFC 9110 10.2.3: whole seconds; the API server sends no dates.
std::optional<std::uint32_t> seconds_of(std::string_view text) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

ApiResponse head_of(const net::ClientResponse& from) {
  ApiResponse response;
  response.status = from.status;
  response.etag = from.field("etag");
  response.retry_after_seconds = seconds_of(from.field("retry-after"));
  return response;
}

const char* code_of(const Error& error) { return error.kind == ErrorKind::deadline_passed ? "late" : "none"; }

constexpr int unauthorized = 401;

bool is_success(int status) { return status >= 200 && status < 300; }

}  // namespace

Connection::Connection(std::unique_ptr<net::Client> reads, std::unique_ptr<net::Client> writes, Credentials credentials,
                       const Config& config, const ConnectionOptions& options)
    : lanes_{std::move(reads), std::move(writes)},
      credentials_(std::move(credentials)),
      base_path_(config.base_path),
      user_agent_("portcullis/" + options.version) {}

Result<std::unique_ptr<Connection>> Connection::open(net::Background& background, const Config& config, const ConnectionOptions& options) {
  auto credentials = Credentials::load(config, options.ages, Clock::now());
  if (!credentials) return tl::unexpected(credentials.error());
  const net::ClientOptions peer{.host = config.host,
                                .port = config.port,
                                .plain = config.plain,
                                .server_name = config.server_name,
                                .http2 = true,
                                .limits = options.limits};
  auto reads = net::Client::open(background, peer, credentials->tls());
  if (!reads) return tl::unexpected(reads.error());
  auto writes = net::Client::open(background, peer, credentials->tls());
  if (!writes) return tl::unexpected(writes.error());
  return std::unique_ptr<Connection>(new Connection(*std::move(reads), *std::move(writes), *std::move(credentials), config, options));
}

Connection::Verb Connection::verb_of(const ApiRequest& request) {
  if (request.method == "POST") return Verb::create;
  if (request.method == "PUT") return Verb::update;
  if (request.method == "PATCH") return Verb::patch;
  if (request.method == "DELETE") return Verb::remove;
  const std::string& target = request.target;
  const bool watches = target.find("?watch=") != std::string::npos || target.find("&watch=") != std::string::npos;
  return watches ? Verb::watch : Verb::get;
}

void Connection::renew_tls() {
  const auto changed = credentials_.renew_tls(Clock::now());
  if (changed == Credentials::Changed::nothing) return;
  for (const auto& client : lanes_) {
    if (auto trusted = client->trust(credentials_.tls()); !trusted) {
      observe::log_limited(observe::Level::error, "kube_credentials_refused", {{"error", trusted.error().message()}}, 1);
      return;
    }
    // Roots matter to the next connection; another identity is another client.
    if (changed == Credentials::Changed::identity) client->retire_connections();
  }
  observe::log(observe::Level::info, "kube_credentials_renewed", {{"peer", peer()}});
}

net::ClientRequest Connection::dressed(const ApiRequest& request) {
  net::ClientRequest dressed{
      .method = request.method, .target = base_path_ + request.target, .fields = {}, .body = request.body, .gzip = request.gzip};
  dressed.fields.emplace_back("user-agent", user_agent_);
  dressed.fields.emplace_back("accept", request.accept);
  if (!request.if_none_match.empty()) dressed.fields.emplace_back("if-none-match", request.if_none_match);
  if (!request.body.empty()) {
    dressed.fields.emplace_back("content-type", request.content_type.empty() ? "application/json" : request.content_type);
  }
  if (const std::string& token = credentials_.token(Clock::now()); !token.empty()) {
    dressed.fields.emplace_back("authorization", "Bearer " + token);
  }
  return dressed;
}

Error Connection::placed(Error error, const ApiRequest& request) {
  if (error.kind == ErrorKind::unavailable) credentials_.doubt_roots();
  error.where += " " + request.method + " " + printable(std::string_view(request.target).substr(0, request.target.find('?')));
  return error;
}

void Connection::count(Verb verb, const std::string& code, Clock::time_point began) {
  durations_.at(static_cast<std::size_t>(verb)).observe(std::chrono::duration<double>(Clock::now() - began).count());
  const std::lock_guard lock(mutex_);
  ++requests_[{verb, code}];
}

Task<Result<ApiResponse>> Connection::call(ApiRequest request, Deadline deadline) {
  for (bool first = true;; first = false) {
    renew_tls();
    const auto began = Clock::now();
    auto asked = lane(request).call(dressed(request), deadline);
    auto answer = co_await std::move(asked);
    if (!answer) {
      count(verb_of(request), code_of(answer.error()), began);
      co_return tl::unexpected(placed(std::move(answer.error()), request));
    }
    count(verb_of(request), std::to_string(answer->status), began);
    if (answer->status == unauthorized && first && credentials_.renew_token(Clock::now())) continue;
    ApiResponse response = head_of(*answer);
    response.body = std::move(answer->body);
    co_return response;
  }
}

Task<Result<StreamEnd>> Connection::stream(ApiRequest request, std::function<bool(const ApiResponse& head)> on_head,
                                           std::function<bool(std::string_view bytes)> on_bytes, Deadline deadline) {
  for (bool first = true;; first = false) {
    renew_tls();
    const auto began = Clock::now();
    // The two callbacks and the coroutine share what follows; it lives in the frame, which outlives the stream.
    int status = 0;
    bool wanted = true, again = false, cut = false;
    std::string refusal;
    const auto take_head = [&](const net::ClientResponse& head) {
      status = head.status;
      count(verb_of(request), std::to_string(status), began);
      again = status == unauthorized && first && credentials_.renew_token(Clock::now());
      wanted = !again && on_head(head_of(head));
      return wanted;
    };
    const auto take_bytes = [&](std::string_view bytes) {
      if (is_success(status)) return on_bytes(bytes);
      refusal.append(bytes.substr(0, stream_refusal_bytes_max - refusal.size()));
      cut = refusal.size() == stream_refusal_bytes_max;
      return !cut;
    };
    auto running = lane(request).stream(dressed(request), take_head, take_bytes, deadline);
    auto whole = co_await std::move(running);
    if (again) continue;
    if (!whole && status == 0) count(verb_of(request), code_of(whole.error()), began);
    if (wanted && !refusal.empty()) on_bytes(refusal);
    if (!whole) co_return tl::unexpected(placed(std::move(whole.error()), request));
    co_return StreamEnd{.clean = *whole || cut};
  }
}

void Connection::add_metrics(observe::Metrics& metrics) const {
  metrics.add_source([this](observe::Scrape& scrape) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [of, number] : requests_) {
        scrape.sample("portcullis_kube_requests_total", "Requests to the API server.", observe::MetricType::counter,
                      {{"verb", verb_names.at(static_cast<std::size_t>(of.first))}, {"code", of.second}}, static_cast<double>(number));
      }
    }
    for (std::size_t verb = 0; verb < verb_names.size(); ++verb) {
      scrape.histogram("portcullis_kube_request_duration_seconds", "Time until the answer of the API server, of a watch until its head.",
                       {{"verb", verb_names.at(verb)}}, durations_.at(verb).totals());
    }
    static constexpr std::array<const char*, 2> lane_names{"reads", "writes"};
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      const net::ClientStats stats = lanes_.at(i)->stats();
      const auto dials = [&](const char* result, std::uint64_t number) {
        scrape.sample("portcullis_kube_dials_total", "Connections to the API server that were begun.", observe::MetricType::counter,
                      {{"lane", lane_names.at(i)}, {"result", result}}, static_cast<double>(number));
      };
      dials("failed", stats.dial_failures);
      dials("connected", stats.dials - stats.dial_failures);
    }
  });
}

}  // namespace portcullis::kube
