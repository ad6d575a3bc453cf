// The guard's door; any method. One Handler a loop; what loops share is a Guard (guard/guard.hpp).
//
//   /auth                          tenant by X-Forwarded-Host
//   /v1/traefik/<tenant>           tenant by the middleware's address
//   /v1/traefik/<tenant>/login     the same, with the body of a login in the request
//   /v1/nginx/<tenant>             the same for nginx' auth_request
//   /healthz, /readyz
//
// With a shared store that counts strictly a request that the local limiter would let pass waits for the store's answer, at
// most its budget, without holding the loop.
#pragma once

#include <memory>

#include "audit/log.hpp"
#include "guard/guard.hpp"
#include "net/server.hpp"

namespace portcullis::guard {

// `guard` and `log` outlive the handlers.
net::Server::HandlerFactory make_handlers(Guard& guard, audit::Log& log);
// The same with a writer given: for tests that read what would be logged.
std::unique_ptr<net::Handler> make_handler(Guard& guard, std::unique_ptr<audit::Log::Writer> writer);

}  // namespace portcullis::guard
