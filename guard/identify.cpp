#include "guard/identify.hpp"

#include <algorithm>

#include "guard/client_address.hpp"

namespace portcullis::guard {
namespace {

// RFC 9110 5.6.2: what a method may be made of.
bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
  });
}

Reason find_tenant(const GuardSnapshot& snapshot, std::string_view host, std::optional<std::string_view> named,
                   const GuardTenant*& tenant) {
  const GuardTenant* const of_host = host.empty() ? nullptr : snapshot.tenant_of_host(host);
  if (named) {
    const GuardTenant* const of_path = snapshot.tenant_named(*named);
    if (of_path == nullptr) return Reason::unknown_tenant;
    tenant = of_path;
    return of_host == of_path ? Reason::none : Reason::host_mismatch;
  }
  // A host that is no host name is never let in, whatever documents say of hosts they do not know.
  tenant = of_host == nullptr && !host.empty() ? snapshot.unknown_tenant() : of_host;
  return tenant != nullptr ? Reason::none : Reason::unknown_host;
}

}  // namespace

Reason identify(const GuardSnapshot& snapshot, const SipKey& seed, const net::Request& request, std::optional<std::string_view> named,
                IdentifyScratch& scratch, Identity& identity) {
  DecidingHeaders& headers = scratch.headers;
  const Reason unread = read_headers(request.fields, headers);
  // Until it is normalised, for the record: no query, and nothing of a URI that is no path (it may hold credentials).
  if (headers.uri.starts_with('/')) identity.path.raw = headers.uri.substr(0, headers.uri.find_first_of("?#"));
  if (!snapshot.is_trusted_proxy(request.peer.address)) return Reason::untrusted_peer;
  if (unread != Reason::none) return unread;
  Address client;
  if (const Reason reason = find_client(headers.forwarded_for(), snapshot.hops(), client); reason != Reason::none) return reason;
  identity.client = client;
  const std::string_view host = normalise_host(headers.host, scratch.host);
  if (const Reason reason = find_tenant(snapshot, host, named, identity.tenant); reason != Reason::none) return reason;
  if (!is_token(headers.method)) return Reason::bad_method;
  if (const Reason reason = normalise_path(headers.uri, scratch.path, identity.path); reason != Reason::none) return reason;
  identity.route_class = classify(identity.path, headers.method);
  identity.sessions = find_sessions(headers.cookies(), seed);
  identity.api_key = find_api_key(headers.authorization, seed);
  return Reason::none;
}

}  // namespace portcullis::guard
