// TLS as a client: whom to trust and who we are, from PEM in memory, as one SSL_CTX for the connections to come.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "net/client.hpp"

namespace portcullis::net {

using ClientContext = std::shared_ptr<boost::asio::ssl::context>;

// Errors name what of `tls` is at fault; no byte of a key is shown.
Result<ClientContext> make_client_context(const ClientTls& tls);

// For one connection: the name that the certificate must carry (an IP literal: as an address), and SNI. False: no memory.
bool prepare_name(SSL* ssl, const std::string& server_name);
// The same, and ALPN for HTTP.
bool prepare_handshake(SSL* ssl, const std::string& server_name, bool http2);

// Why a handshake failed: what is wrong with the peer's certificate, or what OpenSSL says.
std::string handshake_failure(SSL* ssl, const std::string& otherwise);

bool is_address(const std::string& host);   // an IP literal
bool is_loopback(const std::string& host);  // 127.0.0.0/8, ::1, localhost

}  // namespace portcullis::net
