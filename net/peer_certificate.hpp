// Which certificates a TLS server shows, trusted or not: for tools that look at them. Nothing is sent but the handshake.
// Waits; not for a loop. Wants SIGPIPE ignored, as the program does.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace portcullis::net {

// `endpoint`: "10.0.0.7:8443", "[::1]:8443", "localhost:8443". `server_name`: asked for by SNI; "" leaves it to the server.
// The chain as PEM, the leaf first.
Result<std::string> fetch_certificates(const std::string& endpoint, const std::string& server_name, Deadline deadline);

// True for what reads as HOST:PORT rather than as the name of a file.
bool is_endpoint(const std::string& text);

}  // namespace portcullis::net
