#include "cli/render_middleware.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "cli/yaml_writer.hpp"

namespace portcullis::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int answer_bytes_max = 16384;  // guard::denial_bytes_max; above it Traefik would make a 401 of a denial
constexpr int login_bytes_max = 65536;   // a login is some hundred bytes; above it Traefik itself answers 401

// What the guard decides on, and what the decision log may show; without a list Traefik would send every header of the client.
constexpr std::array asked_headers{"Accept",     "Authorization",   "Content-Length",      "Content-Type",
                                   "Cookie",     "Origin",          "Sec-Fetch-Mode",      "Sec-WebSocket-Version",
                                   "User-Agent", "X-Odoo-Database", "X-Openerp-Session-Id"};

// Odoo reaches its login by each of these, with or without a language in front (`/fr_BE`) and a last slash. Other spellings
// (`//web/login`) take the general router, where the guard knows them as logins but sees no login name.
constexpr std::string_view login_path = "PathRegexp(`^(/[a-zA-Z]{2,3}([_@-][a-zA-Z0-9_@-]+)?)?/web/(login|session/authenticate)/?$`)";

constexpr std::string_view what_it_is =
    "# and to be written again when tenants, hosts or `trustedProxies` change. Traefik 3.6.14 or newer.\n"
    "#\n"
    "# The tenant stands in the address, so that no header can choose it. The first Middleware deletes two headers that forwardAuth\n"
    "# then writes anew, whatever a proxy in front let through. `trustForwardHeader` follows from `trustedProxies.hops`: with 1 the\n"
    "# client is Traefik's own peer, and nothing that came with the request is believed; with more, set\n"
    "# `forwardedHeaders.trustedIPs` of the entry point to what stands in front of Traefik and to nothing else. Where it is known\n"
    "# (3.6.20, 3.7.6), set `http.underscoreHeadersStrategy: reject` on the entry point too.\n"
    "#\n"
    "# The login door also sends the body, so that the guard sees which login is tried; above 64 KiB Traefik itself answers 401,\n"
    "# so it is for the login's own paths only. When no guard answers, Traefik says 500.\n";

std::string default_ca(MiddlewareFormat format) {
  return format == MiddlewareFormat::kubernetes ? "portcullis-guard-ca" : "/etc/traefik/portcullis-guard-ca.pem";
}

Json deletion() { return {{"headers", {{"customRequestHeaders", {{"X-Forwarded-Uri", ""}, {"X-Forwarded-Method", ""}}}}}}; }

enum class Body { left, sent };

Json question(const policy::DocumentSet& documents, const policy::Tenant& tenant, Body body, const MiddlewareOptions& options) {
  const bool appended = documents.guard_policy && documents.guard_policy->trusted_proxies.hops > 1;
  Json ask = {{"address", options.guard_url + "/v1/traefik/" + tenant.name + (body == Body::sent ? "/login" : "")},
              {"trustForwardHeader", appended},
              {"authRequestHeaders", asked_headers},
              {"authResponseHeaders", {"X-Guard-Id"}},
              {"headerField", "X-Guard-Id"},
              {"maxResponseBodySize", answer_bytes_max}};
  if (body == Body::sent) {
    ask["forwardBody"] = true;
    ask["maxBodySize"] = login_bytes_max;
  }
  if (options.guard_url.starts_with("https:")) {
    const std::string ca = options.guard_ca.empty() ? default_ca(options.format) : options.guard_ca;
    ask["tls"] = {{options.format == MiddlewareFormat::kubernetes ? "caSecret" : "ca", ca}};
  }
  return {{"forwardAuth", std::move(ask)}};
}

// ---- Rules of routers.

std::string host_matcher(const std::string& host) {
  if (!host.starts_with("*.")) return "Host(`" + host + "`)";
  std::string escaped;
  for (const char c : host.substr(1)) escaped += c == '.' ? std::string("\\.") : std::string(1, c);
  return "HostRegexp(`^[^.]+" + escaped + "$`)";
}

std::string hosts_rule(const policy::Tenant& tenant) {
  std::string rule;
  for (const std::string& host : tenant.hosts) rule += (rule.empty() ? "" : " || ") + host_matcher(host);
  return tenant.hosts.size() == 1 ? rule : "(" + rule + ")";
}

std::string login_rule(const policy::Tenant& tenant) { return hosts_rule(tenant) + " && Method(`POST`) && " + std::string(login_path); }
std::string websocket_rule(const policy::Tenant& tenant) { return hosts_rule(tenant) + " && PathPrefix(`/websocket`)"; }

std::string commented(const std::string& yaml) {
  std::string out;
  std::istringstream lines(yaml);
  for (std::string line; std::getline(lines, line);) out += "# " + line + "\n";
  return out;
}

std::vector<const policy::Tenant*> chosen(const policy::DocumentSet& documents, const MiddlewareOptions& options) {
  std::vector<const policy::Tenant*> out;
  for (const policy::Tenant& tenant : documents.tenants)
    if ((options.tenant.empty() || tenant.name == options.tenant) && !tenant.hosts.empty()) out.push_back(&tenant);
  return out;
}

// ---- Traefik's file provider: one document, names with the tenant in them.

std::string file(const policy::DocumentSet& documents, const MiddlewareOptions& options) {
  Json middlewares = Json::object(), routers = Json::object();
  for (const policy::Tenant* tenant : chosen(documents, options)) {
    const std::string name = "portcullis-" + tenant->name, service = "odoo-" + tenant->name;
    const std::string headers = name + "-headers", guard = name + "-guard", door = name + "-login-guard", login = name + "-login";
    middlewares[headers] = deletion();
    middlewares[guard] = question(documents, *tenant, Body::left, options);
    middlewares[door] = question(documents, *tenant, Body::sent, options);
    middlewares[name] = {{"chain", {{"middlewares", {headers, guard}}}}};
    middlewares[login] = {{"chain", {{"middlewares", {headers, door}}}}};
    routers[tenant->name] = {{"rule", hosts_rule(*tenant)}, {"middlewares", {name}}, {"service", service}};
    routers[tenant->name + "-login"] = {{"rule", login_rule(*tenant)}, {"middlewares", {login}}, {"service", service}};
    routers[tenant->name + "-websocket"] = {
        {"rule", websocket_rule(*tenant)}, {"middlewares", {name}}, {"service", service + "-websocket"}};
  }
  if (middlewares.empty()) return {};
  return "# How Traefik asks the guard: written by `portcullis render middleware --format file` from the documents,\n" +
         std::string(what_it_is) + to_yaml({{"http", {{"middlewares", std::move(middlewares)}}}}) +
         "# The routers that use them. Take the marks off, add `entryPoints`, `tls` and the services: Odoo's port 8069, and 8072 for\n"
         "# websockets.\n" +
         commented("  routers:\n" + [&] {
           std::string indented;
           std::istringstream lines(to_yaml(routers));
           for (std::string line; std::getline(lines, line);) indented += "    " + line + "\n";
           return indented;
         }());
}

// ---- Kubernetes: objects in the tenant's namespaces, because Traefik takes no Middleware of another namespace unless told to.

Json object(const std::string& name_space, const std::string& name, Json spec) {
  return {{"apiVersion", "traefik.io/v1alpha1"},
          {"kind", "Middleware"},
          {"metadata", {{"name", name}, {"namespace", name_space}, {"labels", {{"app.kubernetes.io/part-of", "portcullis"}}}}},
          {"spec", std::move(spec)}};
}

Json named(const char* first, const char* second) {
  return {{"chain", {{"middlewares", Json::array({{{"name", first}}, {{"name", second}}})}}}};
}

Json route(const std::string& rule, const char* middleware, int port) {
  return {{"kind", "Rule"},
          {"match", rule},
          {"middlewares", Json::array({{{"name", middleware}}})},
          {"services", Json::array({{{"name", "odoo"}, {"port", port}}})}};
}

Json ingress_route(const policy::Tenant& tenant, const std::string& name_space) {
  return {{"apiVersion", "traefik.io/v1alpha1"},
          {"kind", "IngressRoute"},
          {"metadata", {{"name", "odoo"}, {"namespace", name_space}}},
          {"spec",
           {{"entryPoints", {"websecure"}},
            {"routes", Json::array({route(hosts_rule(tenant), "portcullis", 8069), route(login_rule(tenant), "portcullis-login", 8069),
                                    route(websocket_rule(tenant), "portcullis", 8072)})}}}};
}

std::vector<std::string> namespaces_of(const policy::Tenant& tenant, const MiddlewareOptions& options) {
  if (!options.name_space.empty()) return {options.name_space};
  std::vector<std::string> out;
  for (const policy::TenantNamespace& each : tenant.namespaces)
    if (!each.pattern) out.push_back(each.name);
  return out;
}

std::string objects(const policy::DocumentSet& documents, const MiddlewareOptions& options) {
  std::string out;
  for (const policy::Tenant* tenant : chosen(documents, options)) {
    for (const std::string& name_space : namespaces_of(*tenant, options)) {
      const Json parts[]{object(name_space, "portcullis-headers", deletion()),
                         object(name_space, "portcullis-guard", question(documents, *tenant, Body::left, options)),
                         object(name_space, "portcullis-login-guard", question(documents, *tenant, Body::sent, options)),
                         object(name_space, "portcullis", named("portcullis-headers", "portcullis-guard")),
                         object(name_space, "portcullis-login", named("portcullis-headers", "portcullis-login-guard"))};
      for (const Json& each : parts) out += "---\n" + to_yaml(each);
      out += "# An IngressRoute that uses them; the Services, and what the host's certificate is in, are yours.\n# ---\n" +
             commented(to_yaml(ingress_route(*tenant, name_space)));
    }
  }
  if (out.empty()) return {};
  return "# How Traefik asks the guard: written by `portcullis render middleware` from the documents,\n" + std::string(what_it_is) + out;
}

}  // namespace

std::string guard_middlewares(const policy::DocumentSet& documents, const MiddlewareOptions& options) {
  return options.format == MiddlewareFormat::file ? file(documents, options) : objects(documents, options);
}

std::vector<std::string> middlewares_left_out(const policy::DocumentSet& documents, const MiddlewareOptions& options) {
  std::vector<std::string> out;
  for (const policy::Tenant& tenant : documents.tenants) {
    if (!options.tenant.empty() && tenant.name != options.tenant) continue;
    if (tenant.hosts.empty()) {
      out.push_back("tenant " + tenant.name + " has no `hosts`, so the guard lets nobody pass to it");
      continue;
    }
    if (options.format != MiddlewareFormat::kubernetes || !options.name_space.empty()) continue;
    for (const policy::TenantNamespace& each : tenant.namespaces)
      if (each.pattern)
        out.push_back("namespaces `" + each.name + "*` of tenant " + tenant.name +
                      " are known by their pattern only; for one of them: --tenant " + tenant.name + " --into NAME");
  }
  return out;
}

std::string want_guard_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::string_view rest = scheme == std::string::npos ? std::string_view{} : std::string_view(url).substr(scheme + 3);
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  const bool plain = !rest.empty() && std::all_of(rest.begin(), rest.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']';
  });
  if (known && plain) return {};
  return "found `" + url + "`, want http:// or https://, a host and a port, and no path: https://guard.example:9000";
}

}  // namespace portcullis::cli
