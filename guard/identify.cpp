#include "guard/identify.hpp"

#include <algorithm>
#include <cmath>

#include "guard/client_address.hpp"
#include "guard/text.hpp"

namespace portcullis::guard {
namespace {

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

// A body of more than this is worth as many requests as it has such parts: one call may carry a thousand (threats: batches).
constexpr double body_step_bytes = 64 * 1024;

double body_factor(RouteClass route_class, std::uint64_t content_length) {
  switch (route_class) {
    case RouteClass::rpc_legacy:
    case RouteClass::rpc_json2:
    case RouteClass::rpc_web:
      return 1 + std::floor(static_cast<double>(content_length) / body_step_bytes);
    default:
      return 1;
  }
}

Reason read_query_of(const GuardSnapshot& snapshot, const DecidingHeaders& headers, IdentifyScratch& scratch, Identity& identity) {
  QueryFacts& query = scratch.query;
  read_query(identity.path.query, query);
  if (query.names_session || headers.names_session) return Reason::session_elsewhere;
  if (query.database_count > query.databases.size()) return Reason::foreign_database;
  for (std::size_t i = 0; i < query.database_count; ++i) {
    if (!query.databases[i].empty() && !snapshot.may_name_database(*identity.tenant, query.databases[i])) return Reason::foreign_database;
  }
  if (!headers.database.empty() && !snapshot.may_name_database(*identity.tenant, headers.database)) return Reason::foreign_database;
  return Reason::none;
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
  if (const Reason reason = read_query_of(snapshot, headers, scratch, identity); reason != Reason::none) return reason;
  if (!identity.tenant->own.empty() && may_be_replaced(*identity.route_class)) identity.own = identity.tenant->own_class(identity.path);
  identity.cost_factor = std::min(query_cost_max, cost_factor(*identity.route_class, identity.path.decoded, scratch.query) *
                                                      body_factor(*identity.route_class, headers.content_length));
  identity.credentials = carries_credentials(*identity.route_class, identity.path);
  identity.proves_login = proves_login(identity.path, headers.method);
  identity.sessions = find_sessions(headers.cookies(), seed);
  identity.api_key = find_api_key(headers.authorization, seed);
  return Reason::none;
}

}  // namespace portcullis::guard
