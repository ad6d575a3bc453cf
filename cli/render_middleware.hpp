// Traefik's side of the guard: per tenant the Middlewares that ask it, as Kubernetes objects or for Traefik's file provider,
// and in comments the routers that use them.
//
// The tenant stands in the address of its Middleware, so that no header can choose it. X-Forwarded-Uri and -Method are deleted
// before forwardAuth writes them anew: with `trustForwardHeader` it would keep what a trusted proxy passed on from the client
// (traefik/traefik:pkg/middlewares/auth/forward.go, writeHeader). That field is always set, because unset means a third,
// older behaviour; it is true where more than one proxy appends to X-Forwarded-For.
#pragma once

#include <string>
#include <vector>

#include "policy/document/documents.hpp"

namespace portcullis::cli {

enum class MiddlewareFormat { kubernetes, file };

struct MiddlewareOptions {
  MiddlewareFormat format = MiddlewareFormat::kubernetes;
  std::string guard_url = "https://portcullis-guard.portcullis-system.svc:9000";  // no path
  std::string guard_ca;    // whom to trust for it: the name of a Secret, or a file; "": the format's default
  std::string tenant;      // only of this one; "": of all
  std::string name_space;  // Kubernetes: only there; "": in each that the documents name
};

// What `render middleware` prints. Tenants without a host have none: the guard lets nobody pass to them.
std::string guard_middlewares(const policy::DocumentSet& documents, const MiddlewareOptions& options);

// What is left out and why, each a sentence for the operator: tenants without hosts, namespaces known by a pattern only.
std::vector<std::string> middlewares_left_out(const policy::DocumentSet& documents, const MiddlewareOptions& options);

// What is wrong with `url` as the guard's address; "" when nothing is.
std::string want_guard_url(const std::string& url);

}  // namespace portcullis::cli
