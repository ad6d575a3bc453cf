// Asks a guard's admin door, and waits for its answer.
#pragma once

#include <string>

#include "base/result.hpp"
#include "net/client.hpp"

namespace portcullis::cli {

// `address`: "127.0.0.1:9901" or the path of a socket. Errors: no such address, or nobody answers there.
Result<net::ClientResponse> ask_admin(const std::string& address, net::ClientRequest request);

std::string percent_encoded(std::string_view text);  // for a query's values

}  // namespace portcullis::cli
