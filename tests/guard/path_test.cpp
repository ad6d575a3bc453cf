#include "guard/path.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis::guard;

TEST_CASE("path: the forms that Odoo might route (B24)", "[guard][path]") {
  struct Case {
    const char* uri;
    const char *raw, *decoded, *resolved, *query;
  };
  const Case cases[] = {
      {"/web/login", "/web/login", "/web/login", "", ""},
      {"/web/login?a=1?b", "/web/login", "/web/login", "", "a=1?b"},
      {"/web%2Flogin", "/web%2Flogin", "/web/login", "", ""},
      {"/%2Fweb%2flogin", "/%2Fweb%2flogin", "/web/login", "", ""},
      {"/web%252Flogin", "/web%252Flogin", "/web%2Flogin", "", ""},
      {"//web///login//", "//web///login//", "/web/login/", "", ""},
      {"/web/./login", "/web/./login", "/web/./login", "/web/login", ""},
      {"/a/../web/login", "/a/../web/login", "/a/../web/login", "/web/login", ""},
      {"/a/%2e%2E/web/login", "/a/%2e%2E/web/login", "/a/../web/login", "/web/login", ""},
      {"/../../web", "/../../web", "/../../web", "/web", ""},
      {"/web/..", "/web/..", "/web/..", "/", ""},
      {"/web/.", "/web/.", "/web/.", "/web/", ""},
      {"/web\\login", "/web\\login", "/web\\login", "/web/login", ""},
      {"/web%5clogin", "/web%5clogin", "/web\\login", "/web/login", ""},
      {"/x%5c..%5cweb", "/x%5c..%5cweb", "/x\\..\\web", "/web", ""},
      {"/web/login;x=1", "/web/login;x=1", "/web/login;x=1", "", ""},
      {"/caf%C3%A9", "/caf%C3%A9", "/café", "", ""},
      {"/a%20b", "/a%20b", "/a b", "", ""},
      {"/a%23b%3Fc", "/a%23b%3Fc", "/a#b?c", "", ""},
      {"/web.css", "/web.css", "/web.css", "", ""},
      {"/.well-known/x", "/.well-known/x", "/.well-known/x", "/.well-known/x", ""},
      {"/shop?search=100%", "/shop", "/shop", "", "search=100%"},
      {"/", "/", "/", "", ""},
      {"/\xef\xbc\x8fweb", "/\xef\xbc\x8fweb", "/\xef\xbc\x8fweb", "", ""},  // a full-width solidus is no slash to anybody
  };
  PathBuffer buffer;
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.uri) {
      PathForms forms;
      REQUIRE(normalise_path(c.uri, buffer, forms) == Reason::none);
      CHECK(forms.raw == c.raw);
      CHECK(forms.decoded == c.decoded);
      CHECK(forms.resolved == c.resolved);
      CHECK(forms.query == c.query);
    }
  }
}

TEST_CASE("path: what is refused (B24)", "[guard][path]") {
  const std::string_view refused[] = {
      "",        "*",        "web",        "http://erp.acme.example/web",
      "//\x01",  "/a b",     "/a\tb",      "/a\x7f",
      "/%00",    "/%0a",     "/%1f",       "/%7F",
      "/%",      "/%2",      "/%zz",       "/a%g0",
      "/%c0%af", "/%ff",     "/%ed%a0%80", "/\xc0\xaf",
      "/web#x",  "/web?a b", "/web?a#b",   "/web?\r\nx",
      "?a=1",    "\\web",
  };
  PathBuffer buffer;
  for (const std::string_view uri : refused) {
    DYNAMIC_SECTION("`" << uri << "`") {
      PathForms forms;
      CHECK(reason_name(normalise_path(uri, buffer, forms)) == "bad-uri");
    }
  }
  PathForms forms;
  CHECK(normalise_path("/" + std::string(uri_bytes_max - 1, 'a'), buffer, forms) == Reason::none);
  CHECK(normalise_path("/" + std::string(uri_bytes_max, 'a'), buffer, forms) == Reason::uri_too_long);
  // The forms never need more room than the URI has.
  std::string dots = "/";
  while (dots.size() + 3 <= uri_bytes_max) dots += "../";
  CHECK(normalise_path(dots, buffer, forms) == Reason::none);
  CHECK(forms.resolved == "/");
}

TEST_CASE("path: developer mode, however it is written", "[guard][path]") {
  for (const char* on : {"debug=1", "debug=assets", "a=1&debug=tests", "%64ebug=1", "DEBUG=1", "debug=0&debug=1", "debug=%31", "debug=x"}) {
    DYNAMIC_SECTION(on) { CHECK(asks_for_debug(on)); }
  }
  for (const char* off :
       {"", "debug", "debug=", "debug=0", "debug=false", "debug=%30", "debugger=1", "xdebug=1", "search=debug=1", "&&&", "debug%=1"}) {
    DYNAMIC_SECTION("`" << off << "`") { CHECK_FALSE(asks_for_debug(off)); }
  }
}
