#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <string_view>

#include "net/openssl_handles.hpp"

namespace portcullis::net {
namespace {

constexpr const char* ciphers_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// AES-128 first: as safe in practice as 256, and cheaper; a client without AES in hardware gets ChaCha20 (PRIORITIZE_CHACHA).
constexpr const char* ciphers_tls13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr std::string_view session_context = "portcullis";  // without one a client certificate ends resumption with an error

// Read-ahead: a record of 10 KB comes with its header in one read instead of two.
constexpr std::size_t read_ahead_bytes = 32 * 1024;

// RFC 7301: h2, then http/1.1; a client that asks only for others is told so.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size, void*) {
  static constexpr std::string_view ours = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()), static_cast<unsigned>(ours.size()), in,
                            in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

bool configure(SSL_CTX* context, ClientAuth client_auth) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, read_ahead_bytes);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets carry the state
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  int verify = SSL_VERIFY_NONE;
  if (client_auth != ClientAuth::off) verify = SSL_VERIFY_PEER;
  if (client_auth == ClientAuth::require) verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, verify, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(context, ciphers_tls12) == 1 &&
         SSL_CTX_set_ciphersuites(context, ciphers_tls13) == 1 && SSL_CTX_set1_groups_list(context, groups) == 1 &&
         SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(session_context.data()),
                                        static_cast<unsigned>(session_context.size())) == 1;
}

std::int64_t unix_seconds(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return static_cast<std::int64_t>(timegm(&parts));
}

std::string in_words(const ASN1_TIME* time) {
  std::tm parts{};
  char text[32] = "an unreadable time";
  if (ASN1_TIME_to_tm(time, &parts) == 1) std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

auto refuse(const std::filesystem::path& file, std::string what) { return fail(ErrorKind::invalid, file.string(), std::move(what)); }

Result<void> use_files(SSL_CTX* context, const TlsFiles& files) {
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return refuse(files.certificate, "cannot read a certificate: " + openssl_errors());
  }
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse(files.key, "cannot use the key for " + files.certificate.string() + ": " + openssl_errors());
  }
  return {};
}

Result<void> use_pair(SSL_CTX* context, const PemPair& pair) {
  const Bio in = reader_of(pair.certificate);
  const X509Handle leaf = in ? read_certificate(in.get()) : nullptr;
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return refuse("certificate", "cannot read a certificate: " + openssl_errors());
  }
  while (const X509Handle next = read_certificate(in.get())) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return refuse("certificate", "cannot use its chain: " + openssl_errors());
  }
  ERR_clear_error();
  const KeyHandle key = read_key(pair.key);
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) return refuse("key", "cannot be used: " + openssl_errors());
  return {};
}

}  // namespace

std::string openssl_errors() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (!text.empty()) text += ", ";
    text += reason ? reason : "error " + std::to_string(code);
  }
  return text.empty() ? "no reason given" : text;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsFiles& files) { return make(files, nullptr); }

Result<std::shared_ptr<const TlsContext>> TlsContext::from(const PemPair& pair, const TlsFiles& files) { return make(files, &pair); }

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsFiles& files, const PemPair* pair) {
  ERR_clear_error();
  std::shared_ptr<TlsContext> made(new TlsContext);
  made->client_auth_ = files.client_auth;
  made->made_ = std::chrono::steady_clock::now();
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = made->context_.get();
  if (!context || !configure(context, files.client_auth)) {
    return fail(ErrorKind::unavailable, "TLS", "cannot be set up: " + openssl_errors());
  }
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  const std::filesystem::path certificate = pair ? "certificate" : files.certificate, key = pair ? "key" : files.key;
  if (auto used = pair ? use_pair(context, *pair) : use_files(context, files); !used) return tl::unexpected(used.error());
  if (SSL_CTX_check_private_key(context) != 1) {
    return refuse(key, "the key does not belong to " + certificate.string() + ": " + openssl_errors());
  }
  const X509* leaf = SSL_CTX_get0_certificate(context);
  if (X509_cmp_current_time(X509_get0_notBefore(leaf)) >= 0) {
    return refuse(certificate, "the certificate is not valid before " + in_words(X509_get0_notBefore(leaf)));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0) {
    return refuse(certificate, "the certificate expired at " + in_words(X509_get0_notAfter(leaf)));
  }
  made->not_after_ = unix_seconds(X509_get0_notAfter(leaf));
  if (files.client_auth != ClientAuth::off) {
    if (!files.client_ca) return fail(ErrorKind::invalid, "client CA", "client certificates are asked for, but no CA file is named");
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca->c_str());
    if (!names || SSL_CTX_load_verify_file(context, files.client_ca->c_str()) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return refuse(*files.client_ca, "cannot read a CA certificate: " + openssl_errors());
    }
    SSL_CTX_set_client_CA_list(context, names);
  }
  ERR_clear_error();
  return std::shared_ptr<const TlsContext>(std::move(made));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::renewed() const {
  ERR_clear_error();
  std::shared_ptr<TlsContext> made(new TlsContext);
  made->client_auth_ = client_auth_;
  made->not_after_ = not_after_;
  made->made_ = std::chrono::steady_clock::now();
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = made->context_.get();
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context_.get(), &chain);
  if (!context || !configure(context, client_auth_) ||
      SSL_CTX_use_cert_and_key(context, SSL_CTX_get0_certificate(context_.get()), SSL_CTX_get0_privatekey(context_.get()), chain, 1) != 1) {
    return fail(ErrorKind::unavailable, "TLS", "cannot be set up: " + openssl_errors());
  }
  if (client_auth_ != ClientAuth::off) {
    SSL_CTX_set1_cert_store(context, SSL_CTX_get_cert_store(context_.get()));
    SSL_CTX_set_client_CA_list(context, SSL_dup_CA_list(SSL_CTX_get_client_CA_list(context_.get())));
  }
  return std::shared_ptr<const TlsContext>(std::move(made));
}

}  // namespace portcullis::net
