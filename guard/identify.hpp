// Whose request is it, which tenant does it want, and what kind of request is it: everything about one forward-auth request
// that needs no judging. What cannot be told for certain is refused here, with a reason of its own; nothing falls back to
// anything.
#pragma once

#include <optional>
#include <string_view>

#include "guard/address.hpp"
#include "guard/credentials.hpp"
#include "guard/headers.hpp"
#include "guard/host.hpp"
#include "guard/path.hpp"
#include "guard/query.hpp"
#include "guard/reason.hpp"
#include "guard/route_class.hpp"
#include "guard/siphash.hpp"
#include "guard/snapshot.hpp"
#include "net/request.hpp"

namespace portcullis::guard {

// As much of it as was known when identify() returned. Views are into the request and the scratch.
struct Identity {
  const GuardTenant* tenant = nullptr;
  std::optional<Address> client;
  std::optional<RouteClass> route_class;
  PathForms path;
  Sessions sessions;
  std::optional<std::uint64_t> api_key;
  const OwnClass* own = nullptr;  // a class of the tenant's own, in the place of route_class
  double cost_factor = 1;
  bool credentials = false;   // Odoo checks credentials for it
  bool proves_login = false;  // a 200 to it means that the session is logged in

  // What the class is called in records and answers.
  [[nodiscard]] std::string_view class_name() const {
    return own != nullptr ? std::string_view(own->name) : route_class ? route_class_name(*route_class) : std::string_view{};
  }
};

// One a loop.
struct IdentifyScratch {
  DecidingHeaders headers;
  HostBuffer host;
  PathBuffer path;
  QueryFacts query;
};

// `named`: the tenant that the middleware's address names, where it does. Reason::none when all of `identity` is known.
Reason identify(const GuardSnapshot& snapshot, const SipKey& seed, const net::Request& request, std::optional<std::string_view> named,
                IdentifyScratch& scratch, Identity& identity);

}  // namespace portcullis::guard
