// What is to become of the certificates that the replicas of a webhook share through one Secret: which authority signs, which
// leaf is served, what every API server must trust, and what is to be done next. No I/O and no clock: the Secret's contents
// and what the webhook configurations say go in, the next contents come out. Every replica decides for itself; the Secret's
// resourceVersion lets one of them win.
//
// A leaf is renewed at two thirds of its life, an authority likewise, in an order that never serves what somebody does not
// trust yet, nor withdraws trust from what somebody still serves:
//   1. the next authority stands in the Secret and in the bundle, beside the present one;
//   2. both webhook configurations carry that bundle, and have for a while;
//   3. the next authority takes over and signs the leaf;
//   4. once no leaf of the former one can be valid any more, it leaves the bundle.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/certificate.hpp"

namespace portcullis::webhook {

// The Secret's contents. PEM; empty where there is none.
struct CertificateSet {
  net::PemPair authority;            // ca.crt, ca.key
  net::PemPair leaf;                 // tls.crt, tls.key
  net::PemPair next;                 // next-ca.crt, next-ca.key: an authority that is not trusted everywhere yet
  std::string bundle;                // bundle.crt: what caBundle has to be
  std::optional<Instant> retire_at;  // retire-at: when authorities but the present one leave the bundle
  bool operator==(const CertificateSet&) const = default;
};

inline constexpr std::string_view certificate_files[] = {"ca.crt",      "ca.key",      "tls.crt",    "tls.key",
                                                         "next-ca.crt", "next-ca.key", "bundle.crt", "retire-at"};
// By the names above; what is not there, or not readable as an instant, is empty.
CertificateSet read_set(const std::map<std::string, std::string, std::less<>>& files);
std::map<std::string, std::string, std::less<>> files_of(const CertificateSet& set);  // all names, "" for what is empty

struct CertificateTerms {
  std::vector<std::string> names;  // of the Service; the first is what the API server asks for
  std::chrono::seconds leaf_lifetime{std::chrono::days(90)};
  std::chrono::seconds authority_lifetime{std::chrono::days(3650)};
};

// What the webhook configurations say of the bundle.
enum class Trust {
  unknown,   // they could not be read
  differs,   // some entry of ours has another caBundle
  settling,  // all have it, but not long enough for every API server to know
  settled,   // all have it, or there is none
};

struct CertificateStep {
  enum class What { begun, leaf_renewed, authority_announced, authority_renewed, authority_retired, bundle_mended, restored };
  What what;
  CertificateSet set;  // to be written
};
std::string_view step_name(CertificateStep::What what);  // "leaf_renewed"

// The next thing to write, none when all is well. Errors: a certificate that cannot be made.
Result<std::optional<CertificateStep>> next_step(const CertificateSet& set, Trust trust, const CertificateTerms& terms, Instant now);

// The leaf is in its time, has its key, names the Service and is trusted by the bundle.
bool can_serve(const CertificateSet& set, const CertificateTerms& terms, Instant now);

// When the leaf is to be renewed; the beginning of time when there is none.
Instant leaf_due(const CertificateSet& set);

}  // namespace portcullis::webhook
