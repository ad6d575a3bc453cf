// What PEM certificates say: whom they name, until when they are good, whether a key is theirs, whether a client that trusts
// a bundle would take them. Pure but for the clock, which is an argument. Private keys go in and never come out in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace portcullis::net {

inline constexpr std::size_t certificate_pem_bytes_max = 256 * 1024;  // a chain has a few KiB, a bundle of roots some hundred
inline constexpr std::size_t certificates_max = 256;                  // of one file

// A certificate (its chain behind it) and its private key, PEM.
struct PemPair {
  std::string certificate, key;
  bool operator==(const PemPair&) const = default;
};

struct CertificateFacts {
  std::string subject, issuer;         // RFC 2253
  std::string serial, fingerprint;     // hex; the latter SHA-256 of the whole certificate
  std::string key_type;                // "ECDSA P-256", "RSA 2048", "Ed25519"
  std::vector<std::string> dns_names;  // and addresses, both from the subjectAltName alone: nobody reads the CN any more
  std::vector<std::string> addresses;
  Instant not_before, not_after;
  bool is_authority = false, is_self_issued = false;
  std::string pem;  // this one alone
};

// Every certificate of a file, in its order; text and keys between them are skipped. Errors: none, too many, one that cannot
// be read. `where` names the file in errors.
Result<std::vector<CertificateFacts>> read_certificates(std::string_view pem, std::string_view where);

// The key belongs to the first certificate.
Result<void> check_key(const PemPair& pair, std::string_view where);

// What a client does that trusts `roots` alone and asks for `host` ("" for any): builds the chain, looks at times and names.
Result<void> verify_chain(std::string_view chain, std::string_view roots, const std::string& host, Instant now);

// 32 of SHA-256 in hex over the DER of the first certificate; "" when there is none.
std::string certificate_fingerprint(std::string_view pem);

}  // namespace portcullis::net
