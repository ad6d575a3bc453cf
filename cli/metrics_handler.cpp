#include "cli/metrics_handler.hpp"

#include <string>
#include <utility>

namespace portcullis::cli {
namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";
constexpr std::string_view exposition = "text/plain; version=0.0.4; charset=utf-8";  // Prometheus' text format

}  // namespace

void MetricsHandler::answer(const net::Request& request, net::Response& response) {
  response.content_type = plain_text;
  if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.header("allow", "GET, HEAD");
    response.body = "only GET and HEAD are answered here\n";
  } else if (request.path() == "/metrics") {
    response.content_type = exposition;
    response.body = metrics_.expose();
  } else if (request.path() == "/healthz") {
    response.body = "ok\n";
  } else if (request.path() == "/readyz") {
    Readiness::State state = readiness_.state();
    response.status = state.ready ? 200 : 503;
    response.body = std::move(state.text);
  } else {
    response.status = 404;
    response.body = "not found; there are /metrics, /healthz and /readyz\n";
  }
}

}  // namespace portcullis::cli
