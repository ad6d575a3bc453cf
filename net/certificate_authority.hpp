// A certificate authority of one's own, for clusters without another: an ECDSA P-256 root that signs the doors' leaves and
// nothing below itself (pathlen 0). Serial numbers are 128 random bits; subject and authority key ids are set, so that two
// roots of one name can stand in one bundle. RFC 5280.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/certificate.hpp"

namespace portcullis::net {

// A clock that is a little behind ours must take a certificate made now.
inline constexpr std::chrono::minutes certificate_clock_skew{5};

struct Validity {
  Instant from, until;
};

Result<PemPair> make_authority(const std::string& common_name, Validity validity);

struct LeafWanted {
  std::string common_name;
  std::vector<std::string> dns_names, addresses;
  Validity validity;
};
// A server certificate with a fresh key; it never outlives its authority.
Result<PemPair> issue_leaf(const PemPair& authority, const LeafWanted& wanted);

// The names by which a Service is called in a cluster: NAME.NAMESPACE.svc first, which is what the API server asks for.
std::vector<std::string> service_names(const std::string& service, const std::string& name_space);

}  // namespace portcullis::net
