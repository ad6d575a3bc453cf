// portcullis render middleware: what it prints for both of Traefik's providers. That the real Traefik takes it and does what it
// says is tests/e2e/guard's to show.
#include "cli/render_middleware.hpp"

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli;
using namespace portcullis::cli::test;

namespace {

constexpr const char* platform =
    "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: hoster}\nspec: {environments: [production]}\n";
constexpr const char* tenants =
    "apiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n  tier: 1\n  timeZone: Europe/Zurich\n"
    "  hosts: [erp.acme.example, \"*.shop.acme.example\"]\n"
    "  namespaces:\n    - {name: acme-prod, environment: production, tenancy: dedicated}\n"
    "    - {pattern: \"acme-proj-*\", environment: production, tenancy: dedicated}\n"
    "---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: globex}\nspec:\n  tier: 2\n  timeZone: Europe/Zurich\n"
    "  namespaces: [{name: globex-prod, environment: production, tenancy: dedicated}]\n"
    "---\napiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {name: initech}\nspec:\n  tier: 2\n  timeZone: Europe/Zurich\n"
    "  hosts: [erp.initech.example]\n"
    "  namespaces: [{name: initech-prod, environment: production, tenancy: dedicated}]\n";

struct Documents {
  TempDir dir;
  explicit Documents(int hops = 1) {
    (void)dir.write("platform.yaml", platform);
    (void)dir.write("tenants.yaml", tenants);
    (void)dir.write(
        "guard.yaml",
        "apiVersion: portcullis.dev/v1\nkind: GuardPolicy\nmetadata: {name: default}\nspec: {trustedProxies: {cidrs: [10.0.0.0/8], "
        "hops: " +
            std::to_string(hops) + "}}\n");
  }
  Answer render(std::vector<std::string> words) const {
    words.insert(words.begin(), {"render", "middleware", "--config", dir.path()});
    return run_program(words);
  }
};

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

}  // namespace

TEST_CASE("render middleware prints a set a tenant and namespace", "[cli][render]") {
  const Answer answer = Documents().render({});
  CHECK(answer.code == 0);
  CHECK(answer.err ==
        "note: namespaces `acme-proj-*` of tenant acme are known by their pattern only; for one of them: --tenant acme --into NAME\n"
        "note: tenant globex has no `hosts`, so the guard lets nobody pass to it\n");
  CHECK(count(answer.out, "\nkind: Middleware\n") == 10);  // five for acme-prod, five for initech-prod
  CHECK(holds(answer.out, "address: https://portcullis-guard.portcullis-system.svc:9000/v1/traefik/acme\n"));
  CHECK(holds(answer.out, "address: https://portcullis-guard.portcullis-system.svc:9000/v1/traefik/acme/login\n"));
  CHECK(holds(answer.out, "spec: {headers: {customRequestHeaders: {X-Forwarded-Uri: \"\", X-Forwarded-Method: \"\"}}}\n"));
  CHECK(holds(answer.out,
              "metadata: {name: portcullis-login-guard, namespace: acme-prod, labels: {app.kubernetes.io/part-of: portcullis}}\n"));
  CHECK(holds(answer.out, "chain: {middlewares: [{name: portcullis-headers}, {name: portcullis-guard}]}\n"));
  CHECK(
      holds(answer.out,
            "#       match: '(Host(`erp.acme.example`) || HostRegexp(`^[^.]+\\.shop\\.acme\\.example$`)) && PathPrefix(`/websocket`)'\n"));
  CHECK(count(answer.out, "caSecret: portcullis-guard-ca") == 4);
  CHECK_FALSE(holds(answer.out, "globex"));
}

TEST_CASE("render middleware believes a proxy in front of Traefik only where the documents name one", "[cli][render]") {
  const Answer one = Documents().render({}), two = Documents(2).render({});
  CHECK(count(one.out, "trustForwardHeader: false") == 4);
  CHECK(count(two.out, "trustForwardHeader: true") == 4);
}

TEST_CASE("render middleware for the file provider", "[cli][render]") {
  const Documents documents;
  const Answer answer = documents.render({"--format", "file", "--guard-url", "http://127.0.0.1:9000", "--tenant", "initech"});
  CHECK(answer.code == 0);
  CHECK(answer.err.empty());
  const std::string head = answer.out.substr(0, answer.out.find("http:\n"));
  CHECK(count(head, "\n#") + 1 == count(head, "\n"));  // nothing but comment before it
  const std::string headers =
      "        authRequestHeaders:\n          - Accept\n          - Authorization\n          - Content-Length\n          - Content-Type\n"
      "          - Cookie\n          - Origin\n          - Sec-Fetch-Mode\n          - Sec-WebSocket-Version\n          - User-Agent\n"
      "          - X-Odoo-Database\n          - X-Openerp-Session-Id\n"
      "        authResponseHeaders: [X-Guard-Id]\n        headerField: X-Guard-Id\n        maxResponseBodySize: 16384\n";
  CHECK(answer.out.substr(head.size()) ==
        "http:\n  middlewares:\n"
        "    portcullis-initech-headers: {headers: {customRequestHeaders: {X-Forwarded-Uri: \"\", X-Forwarded-Method: \"\"}}}\n"
        "    portcullis-initech-guard:\n      forwardAuth:\n        address: http://127.0.0.1:9000/v1/traefik/initech\n"
        "        trustForwardHeader: false\n" +
            headers +
            "    portcullis-initech-login-guard:\n      forwardAuth:\n        address: http://127.0.0.1:9000/v1/traefik/initech/login\n"
            "        trustForwardHeader: false\n" +
            headers +
            "        forwardBody: true\n        maxBodySize: 65536\n"
            "    portcullis-initech: {chain: {middlewares: [portcullis-initech-headers, portcullis-initech-guard]}}\n"
            "    portcullis-initech-login: {chain: {middlewares: [portcullis-initech-headers, portcullis-initech-login-guard]}}\n"
            "# The routers that use them. Take the marks off, add `entryPoints`, `tls` and the services: Odoo's port 8069, and 8072 for\n"
            "# websockets.\n"
            "#   routers:\n"
            "#     initech: {rule: Host(`erp.initech.example`), middlewares: [portcullis-initech], service: odoo-initech}\n"
            "#     initech-login:\n"
            "#       rule: \"Host(`erp.initech.example`) && Method(`POST`) && "
            "PathRegexp(`^(/[a-zA-Z]{2,3}([_@-][a-zA-Z0-9_@-]+)?)?/web/(login|session/authenticate)/?$`)\"\n"
            "#       middlewares: [portcullis-initech-login]\n#       service: odoo-initech\n"
            "#     initech-websocket: {rule: Host(`erp.initech.example`) && PathPrefix(`/websocket`), middlewares: [portcullis-initech], "
            "service: odoo-initech-websocket}\n");
  const Answer trusted = documents.render({"--format", "file", "--guard-ca", "/run/ca.pem", "--tenant", "initech"});
  CHECK(count(trusted.out, "tls: {ca: /run/ca.pem}") == 2);
}

TEST_CASE("render middleware into a namespace of a pattern", "[cli][render]") {
  const Documents documents;
  const Answer answer = documents.render({"--tenant", "acme", "--into", "acme-proj-7", "--guard-ca", "other-ca"});
  CHECK(answer.code == 0);
  CHECK(answer.err.empty());
  CHECK(count(answer.out, "namespace: acme-proj-7") == 6);  // and the IngressRoute's
  CHECK_FALSE(holds(answer.out, "acme-prod"));
  CHECK(count(answer.out, "caSecret: other-ca") == 2);
  CHECK(documents.render({"--into", "acme-proj-7"}).err.find("--into requires --tenant") != std::string::npos);
  CHECK(documents.render({"--tenant", "acme", "--into", "A b"}).err.find("want a DNS label") != std::string::npos);
  CHECK(documents.render({"--tenant", "acmee"}).err == "error: unknown tenant `acmee` (did you mean `acme`?)\n");
  CHECK(documents.render({"--format", "fiel"}).code == 2);
}

TEST_CASE("the guard's address has a scheme, a host, and no path", "[cli][render]") {
  for (const char* url : {"https://guard:9000", "http://127.0.0.1:9000", "http://[::1]:9000", "https://Portcullis-Guard.gate.svc"})
    CHECK(want_guard_url(url).empty());
  for (const char* url : {"", "guard:9000", "https://", "https://guard/", "https://guard:9000/v1", "ftp://guard", "http://a b",
                          "http://g?x", "http://user@guard", "https://guard\n"})
    CHECK(want_guard_url(url).starts_with("found `" + std::string(url) + "`, want http:// or https://"));
  CHECK(Documents().render({"--guard-url", "https://guard/"}).code == 2);
}
