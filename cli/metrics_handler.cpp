#include "cli/metrics_handler.hpp"

#include <string>

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
    const bool draining = draining_.load(std::memory_order_relaxed);
    const bool open = door_.has_certificate();
    response.status = draining || !open ? 503 : 200;
    response.body = draining ? "draining\n" : open ? "ready\n" : "no certificate yet\n";
    response.body += "documents " + std::string(store_.current()->hash()) + "\n";
    if (const config::StoreStatus status = store_.status(); !status.last_error.empty())
      response.body += "the last set was refused: " + status.last_error + "\n";
  } else {
    response.status = 404;
    response.body = "not found; there are /metrics, /healthz and /readyz\n";
  }
}

}  // namespace portcullis::cli
