#include "cli/server_metrics.hpp"

#include <utility>

namespace portcullis::cli {
namespace {

using observe::Labels;
using observe::MetricType;
using observe::Scrape;

void sample_server(Scrape& scrape, const std::string& door, const net::ServerStats& stats) {
  const Labels labels{{"door", door}};
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    scrape.sample(name, help, MetricType::counter, labels, static_cast<double>(value));
  };
  scrape.sample("portcullis_net_connections_open", "Connections open now.", MetricType::gauge, labels,
                static_cast<double>(stats.connections_open));
  counter("portcullis_net_connections_total", "Connections accepted.", stats.connections_accepted);
  counter("portcullis_net_connections_refused_total", "Connections refused over a limit.", stats.connections_refused);
  for (const auto& [protocol, value] : {std::pair{"http/1.1", stats.requests_http1}, std::pair{"h2", stats.requests_http2}})
    scrape.sample("portcullis_net_requests_total", "Requests read whole.", MetricType::counter, {{"door", door}, {"protocol", protocol}},
                  static_cast<double>(value));
  counter("portcullis_net_requests_malformed_total", "Requests that the wire refused.", stats.requests_malformed);
  counter("portcullis_net_requests_shed_total", "Requests answered 503 because too much was pending.", stats.requests_shed);
  counter("portcullis_net_requests_failed_total", "Requests answered 500, or 503 for want of an answer, because of a fault of our own.",
          stats.requests_failed);
  counter("portcullis_net_handshakes_failed_total", "TLS handshakes that failed.", stats.handshakes_failed);
  counter("portcullis_net_handshakes_resumed_total", "TLS handshakes that resumed a session.", stats.handshakes_resumed);
  for (const auto& [result, value] :
       {std::pair{"loaded", stats.certificate_reloads}, std::pair{"refused", stats.certificate_reload_failures}})
    scrape.sample("portcullis_net_certificate_reloads_total", "Certificates read again, by what became of them.", MetricType::counter,
                  {{"door", door}, {"result", result}}, static_cast<double>(value));
  if (stats.certificate_not_after != 0)
    scrape.sample("portcullis_net_certificate_not_after_timestamp_seconds", "When the certificate in use expires.", MetricType::gauge,
                  labels, static_cast<double>(stats.certificate_not_after));
}

}  // namespace

void add_server_metrics(observe::Metrics& metrics, std::string door, const net::Server& server) {
  metrics.add_source([door = std::move(door), &server](Scrape& scrape) { sample_server(scrape, door, server.stats()); });
}

void add_config_metrics(observe::Metrics& metrics, const config::Store& store) {
  metrics.add_source([&store](Scrape& scrape) {
    const config::StoreStatus status = store.status();
    const std::string hash(store.current()->hash());
    for (const auto& [result, value] : {std::pair{"loaded", status.loads}, std::pair{"refused", status.failures}})
      scrape.sample("portcullis_config_reloads_total", "Sets of documents read, by what became of them.", MetricType::counter,
                    {{"result", result}}, static_cast<double>(value));
    scrape.sample("portcullis_snapshot_loaded_timestamp_seconds", "When the documents in force were loaded.", MetricType::gauge, {},
                  static_cast<double>(status.loaded_at));
    scrape.sample("portcullis_snapshot_info", "The documents in force.", MetricType::gauge, {{"hash", hash}}, 1);
  });
}

}  // namespace portcullis::cli
