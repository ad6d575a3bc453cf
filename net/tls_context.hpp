// A door's certificate as OpenSSL wants it: one SSL_CTX a generation, shared by all loops and never changed once built.
//
// TLS 1.3 and 1.2 (ECDHE with AEAD only); X25519, P-256, P-384; no renegotiation, no compression, no early data. Session
// tickets are stateless; their keys live in the SSL_CTX, so a new generation of it (a new certificate, or
// ticket_keys_age_max gone by) takes none of the former.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "net/server.hpp"

namespace portcullis::net {

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;

inline constexpr std::chrono::hours ticket_keys_age_max{11};  // below the 12 h of our bar

class TlsContext {
 public:
  // Reads and checks the files: the pair matches, the leaf is in its time, the client CA can be read.
  static Result<std::shared_ptr<const TlsContext>> load(const TlsFiles& files);
  // The same of a pair in memory; `files` says what is wanted of clients.
  static Result<std::shared_ptr<const TlsContext>> from(const PemPair& pair, const TlsFiles& files);
  // The same certificate with fresh ticket keys; no file is read.
  [[nodiscard]] Result<std::shared_ptr<const TlsContext>> renewed() const;

  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }
  [[nodiscard]] std::int64_t not_after() const { return not_after_; }  // Unix seconds, of the leaf
  [[nodiscard]] std::chrono::steady_clock::time_point made() const { return made_; }

 private:
  TlsContext() = default;
  static Result<std::shared_ptr<const TlsContext>> make(const TlsFiles& files, const PemPair* pair);

  SslContext context_;
  ClientAuth client_auth_ = ClientAuth::off;
  std::int64_t not_after_ = 0;
  std::chrono::steady_clock::time_point made_{};
};

// What OpenSSL's error queue says, emptied: "key values mismatch".
std::string openssl_errors();

}  // namespace portcullis::net
