#include "net/client_tls.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <climits>
#include <cstring>
#include <functional>
#include <string_view>

#include "net/tls_context.hpp"

namespace portcullis::net {
namespace {

constexpr const char* ciphers_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr std::string_view offer_both = "\x02h2\x08http/1.1", offer_http1 = "\x08http/1.1";

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

// A key with a passphrase would stop the program to ask on a terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

Bio reading(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), INT_MAX))));
}

// Every certificate of `pem`, in order; how many. What is between them is skipped, as in every bundle.
template <class Take>
Result<int> each_certificate(const std::string& pem, const char* what, Take take) {
  ERR_clear_error();
  const Bio in = reading(pem);
  int count = 0;
  for (;; ++count) {
    const std::unique_ptr<X509, FreeX509> certificate(PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr));
    if (!certificate) break;
    if (!take(certificate.get(), count)) return fail(ErrorKind::invalid, what, "cannot be used: " + openssl_errors());
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (count == 0 || !at_end) return fail(ErrorKind::invalid, what, "cannot read a certificate: " + openssl_errors());
  ERR_clear_error();
  return count;
}

Result<void> trust_roots(SSL_CTX* context, const std::string& pem) {
  if (pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) return fail(ErrorKind::unavailable, "the system's roots", openssl_errors());
    return {};
  }
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  auto read = each_certificate(pem, "CA certificates", [&](X509* root, int) { return X509_STORE_add_cert(store, root) == 1; });
  if (!read) return tl::unexpected(read.error());
  return {};
}

Result<void> use_identity(SSL_CTX* context, const ClientTls& tls) {
  if (tls.certificate_pem.empty() && tls.key_pem.empty()) return {};
  if (tls.certificate_pem.empty() || tls.key_pem.empty()) {
    return fail(ErrorKind::invalid, "client certificate", "want a certificate and its key, found one of the two");
  }
  auto read = each_certificate(tls.certificate_pem, "client certificate", [&](X509* certificate, int index) {
    return index == 0 ? SSL_CTX_use_certificate(context, certificate) == 1 : SSL_CTX_add1_chain_cert(context, certificate) == 1;
  });
  if (!read) return tl::unexpected(read.error());
  const Bio in = reading(tls.key_pem);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fail(ErrorKind::invalid, "client key", "cannot be used with the client certificate: " + openssl_errors());
  }
  return {};
}

}  // namespace

Result<ClientContext> make_client_context(const ClientTls& tls) {
  ERR_clear_error();
  SSL_CTX* made = SSL_CTX_new(TLS_client_method());
  if (!made) return fail(ErrorKind::unavailable, "TLS", "cannot be set up: " + openssl_errors());
  auto context = std::make_shared<boost::asio::ssl::context>(made);  // owns it from here
  SSL_CTX_set_options(made, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(made, ciphers_tls12) != 1) {
    return fail(ErrorKind::unavailable, "TLS", "cannot be set up: " + openssl_errors());
  }
  if (auto trusted = trust_roots(made, tls.roots_pem); !trusted) return tl::unexpected(trusted.error());
  if (auto used = use_identity(made, tls); !used) return tl::unexpected(used.error());
  return context;
}

bool is_address(const std::string& host) {
  in6_addr ignored{};
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

bool prepare_name(SSL* ssl, const std::string& server_name) {
  X509_VERIFY_PARAM* check = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (is_address(server_name)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(check, server_name.c_str()) != 1) return false;
  } else {  // RFC 6066 3: SNI carries names only
    if (X509_VERIFY_PARAM_set1_host(check, server_name.data(), server_name.size()) != 1) return false;
    if (SSL_set_tlsext_host_name(ssl, server_name.c_str()) != 1) return false;
  }
  return true;
}

bool prepare_handshake(SSL* ssl, const std::string& server_name, bool http2) {
  if (!prepare_name(ssl, server_name)) return false;
  const std::string_view offer = http2 ? offer_both : offer_http1;
  return SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(offer.data()), static_cast<unsigned>(offer.size())) == 0;
}

std::string handshake_failure(SSL* ssl, const std::string& otherwise) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified == X509_V_OK) return "the TLS handshake failed: " + otherwise;
  return std::string("the certificate of the peer is not trusted: ") + X509_verify_cert_error_string(verified);
}

}  // namespace portcullis::net
