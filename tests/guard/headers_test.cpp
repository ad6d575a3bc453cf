#include "guard/headers.hpp"

#include "guard/host.hpp"
#include "tests/guard/support.hpp"

using namespace portcullis::guard;
using testing::Forwarded;

TEST_CASE("headers: each deciding one is there once, under its own name", "[guard][headers]") {
  struct Case {
    const char* name;
    void (*change)(Forwarded&);
    Reason reason;
  };
  const Case cases[] = {
      {"as Traefik sends it", [](Forwarded&) {}, Reason::none},
      {"case does not matter", [](Forwarded& f) { f.remove("X-Forwarded-Uri").add("x-fORWARDED-uRI", "/"); }, Reason::none},
      {"B6: no X-Forwarded-For", [](Forwarded& f) { f.remove("X-Forwarded-For"); }, Reason::missing_forwarded_for},
      {"B6: no X-Forwarded-Host", [](Forwarded& f) { f.remove("X-Forwarded-Host"); }, Reason::missing_forwarded_host},
      {"B6: no X-Forwarded-Uri", [](Forwarded& f) { f.remove("X-Forwarded-Uri"); }, Reason::missing_forwarded_uri},
      {"B6: no X-Forwarded-Method", [](Forwarded& f) { f.remove("X-Forwarded-Method"); }, Reason::missing_forwarded_method},
      {"B5: two hosts", [](Forwarded& f) { f.add("x-forwarded-host", "erp.acme.example"); }, Reason::doubled_header},
      {"B5: two URIs, the same", [](Forwarded& f) { f.add("X-Forwarded-Uri", "/web"); }, Reason::doubled_header},
      {"B5: two methods", [](Forwarded& f) { f.add("X-Forwarded-Method", "GET"); }, Reason::doubled_header},
      {"B5: two Authorization", [](Forwarded& f) { f.add("Authorization", "a").add("authorization", "b"); }, Reason::doubled_header},
      {"B5: underscores", [](Forwarded& f) { f.add("X_Forwarded_For", "10.0.0.1"); }, Reason::aliased_header},
      {"B5: dots", [](Forwarded& f) { f.add("X.Forwarded.For", "10.0.0.1"); }, Reason::aliased_header},
      {"B5: mixed", [](Forwarded& f) { f.add("x-forwarded_HOST", "evil.example"); }, Reason::aliased_header},
      {"B5: an alias alone does not stand in", [](Forwarded& f) { f.remove("X-Forwarded-Uri").add("X_Forwarded_Uri", "/"); },
       Reason::aliased_header},
      {"B5: alias of the method", [](Forwarded& f) { f.add("X_Forwarded-Method", "GET"); }, Reason::aliased_header},
      {"B3: two X-Forwarded-For lines are one list", [](Forwarded& f) { f.add("X-Forwarded-For", "203.0.113.9"); }, Reason::none},
      {"B4: nothing else decides",
       [](Forwarded& f) {
         for (const char* name :
              {"Forwarded", "X-Real-Ip", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Original-Forwarded-For"})
           f.add(name, "for=10.0.0.1");
         f.remove("X-Forwarded-For");
       },
       Reason::missing_forwarded_for},
      {"B9: scheme and port are not read, twice or not",
       [](Forwarded& f) { f.add("X-Forwarded-Proto", "http").add("X-Forwarded-Proto", "https").add("X_Forwarded_Port", "1"); },
       Reason::none},
      {"cookie crumbs", [](Forwarded& f) { f.add("cookie", "a=1").add("cookie", "b=2"); }, Reason::none},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Forwarded forwarded;
      c.change(forwarded);
      DecidingHeaders headers;
      CHECK(reason_name(read_headers(forwarded.request().fields, headers)) == reason_name(c.reason));
    }
  }
}

TEST_CASE("headers: values of the former request are gone", "[guard][headers]") {
  DecidingHeaders headers;
  Forwarded full;
  full.add("Authorization", "Bearer x")
      .add("Cookie", "a=1")
      .add("Accept", "text/html")
      .add("Content-Type", "text/xml")
      .add("Sec-Fetch-Mode", "cors");
  REQUIRE(read_headers(full.request().fields, headers) == Reason::none);
  CHECK(headers.content_type == "text/xml");
  Forwarded bare;
  REQUIRE(read_headers(bare.request().fields, headers) == Reason::none);
  CHECK(headers.authorization.empty());
  CHECK(headers.accept.empty());
  CHECK(headers.fetch_mode.empty());
  CHECK(headers.content_type.empty());
  CHECK(headers.cookies().empty());
  CHECK(headers.forwarded_for().size() == 1);
}

TEST_CASE("host: one form, or none (B8)", "[guard][host]") {
  struct Case {
    const char* value;
    const char* host;  // "" for none
  };
  const std::string long_label(250, 'a');
  const Case cases[] = {
      {"erp.acme.example", "erp.acme.example"},
      {"ERP.Acme.Example", "erp.acme.example"},
      {"erp.acme.example:443", "erp.acme.example"},
      {"erp.acme.example.", "erp.acme.example"},
      {"erp.acme.example.:8443", "erp.acme.example"},
      {"localhost", "localhost"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"a_b.example", "a_b.example"},
      {"", ""},
      {".", ""},
      {"..", ""},
      {"a..b", ""},
      {".a", ""},
      {"a.example..", ""},
      {"a, b", ""},
      {"a,b", ""},
      {"user@erp.acme.example", ""},
      {"[::1]", ""},
      {"[::1]:443", ""},
      {"::1", ""},
      {"bücher.example", ""},
      {"erp.acme.example:", ""},
      {"erp.acme.example:99999999", ""},
      {"erp.acme.example:http", ""},
      {" erp.acme.example", ""},
      {"erp.acme.example/", ""},
      {"127.0.0.1", ""},
      {"2130706433", ""},
      {"*", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION("`" << c.value << "`") {
      HostBuffer buffer;
      CHECK(normalise_host(c.value, buffer) == c.host);
    }
  }
  HostBuffer buffer;
  CHECK(normalise_host(long_label + ".ab", buffer).size() == 253);
  CHECK(normalise_host(long_label + ".abc", buffer).empty());
}
