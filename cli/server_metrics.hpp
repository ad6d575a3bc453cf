// What servers and documents say of themselves to Prometheus. What is given must outlive every scrape.
#pragma once

#include <string>

#include "config/store.hpp"
#include "net/server.hpp"
#include "observe/metrics.hpp"

namespace portcullis::cli {

void add_server_metrics(observe::Metrics& metrics, std::string door, const net::Server& server);
void add_config_metrics(observe::Metrics& metrics, const config::Store& store);

}  // namespace portcullis::cli
