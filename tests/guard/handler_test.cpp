#include "guard/handler.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using testing::Forwarded;
using testing::header;
using testing::session;

namespace {

struct Recorded {
  std::string tenant, route_class, verdict, reason, method, path, policy_hash;
  std::vector<std::uint8_t> client;
  int status = 0;
  bool shadow = false;
};

class RecordingWriter final : public audit::Log::Writer {
 public:
  explicit RecordingWriter(std::vector<Recorded>& records) : records_(records) {}
  void record(const audit::AdmissionRecord&) override { FAIL("the guard records no admissions"); }
  void record(const audit::GuardRecord& r) override {
    records_.push_back({std::string(r.tenant),
                        std::string(r.route_class),
                        std::string(r.verdict),
                        std::string(r.reason),
                        std::string(r.method),
                        std::string(r.path),
                        std::string(r.policy_hash),
                        {r.client.begin(), r.client.end()},
                        r.status,
                        r.shadow});
  }

 private:
  std::vector<Recorded>& records_;
};

// One loop's handler over documents, with a clock of its own.
class Door {
 public:
  explicit Door(const policy::DocumentSet& set = testing::documents()) {
    guard.swap_in(GuardSnapshot::compile(set));
    handler = make_handler(guard, std::make_unique<RecordingWriter>(records));
  }
  const net::Response& ask(Forwarded forwarded) {
    handler->answer(forwarded.received(now).request(), response);
    return response;
  }
  const Recorded& last() const {
    REQUIRE_FALSE(records.empty());
    return records.back();
  }
  std::string scrape() {
    observe::Metrics metrics;
    add_guard_metrics(metrics, guard);
    return metrics.expose();
  }

  Clock::time_point now{std::chrono::hours(1)};
  Guard guard{{.limiter_bytes_max = 1024 * 1024, .now = [this] { return now; }}};
  std::vector<Recorded> records;
  std::unique_ptr<net::Handler> handler;
  net::Response response;
};

}  // namespace

TEST_CASE("guard: a request that may go on gets an empty 200", "[guard][handler]") {
  Door door;
  for (const char* method : {"GET", "POST", "HEAD", "OPTIONS"}) {
    Forwarded forwarded("/web/dataset/call_kw/res.partner/read?x=1", method);
    forwarded.add("Cookie", "session_id=" + session('s'));
    const auto& response = door.ask(forwarded);
    CHECK(response.status == 200);
    CHECK(response.body.empty());
    CHECK(response.content_type.empty());
    CHECK(response.headers().empty());
    CHECK_FALSE(response.close);
  }
  CHECK(door.last().tenant == "acme");
  CHECK(door.last().route_class == "rpc-web");
  CHECK(door.last().verdict == "pass");
  CHECK(door.last().reason == "");
  CHECK(door.last().method == "OPTIONS");
  CHECK(door.last().path == "/web/dataset/call_kw/res.partner/read");
  CHECK(door.last().policy_hash == "sha256:test");
  CHECK(door.last().status == 200);
  const Address client = testing::address("198.51.100.7");
  CHECK(door.last().client == std::vector<std::uint8_t>(client.begin(), client.end()));
}

TEST_CASE("guard: what is refused before it is judged, by reason", "[guard][handler]") {
  struct Case {
    const char* name;
    void (*change)(Forwarded&);
    int status;
    const char* reason;
  };
  const Case cases[] = {
      {"B58: a peer that is no proxy", [](Forwarded& f) { f.peer("192.0.2.1"); }, 403, "untrusted-peer"},
      {"B58: it is not told more", [](Forwarded& f) { f.peer("192.0.2.1").remove("X-Forwarded-For").add("X_Forwarded_For", "x"); }, 403,
       "untrusted-peer"},
      {"B6: X-Forwarded-For is gone", [](Forwarded& f) { f.remove("X-Forwarded-For"); }, 403, "missing-forwarded-for"},
      {"B6: X-Forwarded-Host is gone", [](Forwarded& f) { f.remove("X-Forwarded-Host"); }, 403, "missing-forwarded-host"},
      {"B6: X-Forwarded-Uri is gone", [](Forwarded& f) { f.remove("X-Forwarded-Uri"); }, 403, "missing-forwarded-uri"},
      {"B6: X-Forwarded-Method is gone", [](Forwarded& f) { f.remove("X-Forwarded-Method"); }, 403, "missing-forwarded-method"},
      {"B5: twice", [](Forwarded& f) { f.add("x-forwarded-uri", "/"); }, 400, "doubled-header"},
      {"B5: alias", [](Forwarded& f) { f.add("X_FORWARDED_HOST", "x"); }, 400, "aliased-header"},
      {"B2: no address", [](Forwarded& f) { f.set("X-Forwarded-For", "10.0.0.1, unknown"); }, 400, "bad-client-address"},
      {"B20: octal", [](Forwarded& f) { f.set("X-Forwarded-For", "0177.0.0.1"); }, 400, "bad-client-address"},
      {"B3: too long", [](Forwarded& f) { f.set("X-Forwarded-For", std::string(5000, ',')); }, 400, "forwarded-for-too-long"},
      {"B8: unknown host", [](Forwarded& f) { f.set("X-Forwarded-Host", "evil.example"); }, 403, "unknown-host"},
      {"B8: a list of hosts", [](Forwarded& f) { f.set("X-Forwarded-Host", "erp.acme.example, evil.example"); }, 403, "unknown-host"},
      {"B8: empty", [](Forwarded& f) { f.set("X-Forwarded-Host", ""); }, 403, "unknown-host"},
      {"B7: the path's tenant is another's host", [](Forwarded& f) { f.target("/v1/traefik/globex"); }, 403, "host-mismatch"},
      {"B7: the path's tenant, an unknown host", [](Forwarded& f) { f.target("/v1/traefik/acme").set("X-Forwarded-Host", "evil.example"); },
       403, "host-mismatch"},
      {"no such tenant in the path", [](Forwarded& f) { f.target("/v1/traefik/nobody"); }, 403, "unknown-tenant"},
      {"no tenant in the path", [](Forwarded& f) { f.target("/v1/traefik/"); }, 403, "unknown-tenant"},
      {"a tenant and more", [](Forwarded& f) { f.target("/v1/traefik/acme/x"); }, 403, "unknown-tenant"},
      {"no method", [](Forwarded& f) { f.set("X-Forwarded-Method", ""); }, 400, "bad-method"},
      {"two words for a method", [](Forwarded& f) { f.set("X-Forwarded-Method", "GET /"); }, 400, "bad-method"},
      {"B24: a broken escape", [](Forwarded& f) { f.set("X-Forwarded-Uri", "/%zz"); }, 400, "bad-uri"},
      {"B24: NUL", [](Forwarded& f) { f.set("X-Forwarded-Uri", "/web/login%00"); }, 400, "bad-uri"},
      {"B24: an absolute URI", [](Forwarded& f) { f.set("X-Forwarded-Uri", "http://erp.acme.example/web"); }, 400, "bad-uri"},
      {"B50: too long", [](Forwarded& f) { f.set("X-Forwarded-Uri", "/" + std::string(20'000, 'a')); }, 400, "uri-too-long"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Door door;
      Forwarded forwarded;
      c.change(forwarded);
      const auto& response = door.ask(forwarded);
      CHECK(response.status == c.status);
      CHECK(response.content_type == "application/problem+json");
      CHECK(header(response, "cache-control") == "no-store");
      CHECK(nlohmann::json::parse(response.body)["status"] == c.status);
      CHECK(response.body.find("acme") == std::string::npos);
      CHECK(door.last().verdict == "refuse");
      CHECK(door.last().reason == c.reason);
      CHECK(door.scrape().find("portcullis_guard_refusals_total{reason=\"" + std::string(c.reason) + "\"} 1\n") != std::string::npos);
      CHECK(door.scrape().find("portcullis_decisions_total{door=\"guard\",verdict=\"refuse\",rule=\"" + std::string(c.reason) +
                               "\"} 1\n") != std::string::npos);
    }
  }
}

TEST_CASE("guard: the tenant by host or by address", "[guard][handler]") {
  Door door;
  CHECK(door.ask(Forwarded().set("X-Forwarded-Host", "ERP.ACME.example.:443")).status == 200);
  CHECK(door.last().tenant == "acme");
  CHECK(door.ask(Forwarded().set("X-Forwarded-Host", "one.clients.acme.example").target("/v1/traefik/acme")).status == 200);
  CHECK(door.ask(Forwarded().target("/auth?anything=1")).status == 200);
  auto open = testing::documents();
  open.guard_policy->unknown_host_allow = true;
  Door lenient(open);
  CHECK(lenient.ask(Forwarded().set("X-Forwarded-Host", "new.example")).status == 200);
  CHECK(lenient.last().tenant == "unknown");
  CHECK(lenient.ask(Forwarded("/web/database/manager").set("X-Forwarded-Host", "new.example")).status == 403);
  CHECK(lenient.ask(Forwarded().set("X-Forwarded-Host", "a, b")).status == 403);
  CHECK(lenient.ask(Forwarded().set("X-Forwarded-Host", "new.example").target("/v1/traefik/acme")).status == 403);
}

TEST_CASE("guard: a limit passed is a 429 that says when", "[guard][handler]") {
  Door door;
  Forwarded login("/web/login", "POST");
  login.add("Sec-Fetch-Mode", "navigate");
  for (int i = 0; i < 10; ++i) REQUIRE(door.ask(login).status == 200);
  const auto& response = door.ask(login);
  CHECK(response.status == 429);
  CHECK(header(response, "ratelimit-policy") == "\"login-address\";q=10;w=60");
  CHECK(header(response, "ratelimit") == "\"login-address\";r=0;t=6");
  CHECK(std::stoi(header(response, "retry-after")) >= 6);
  CHECK(response.content_type == "text/html; charset=utf-8");
  CHECK(door.last().verdict == "slow");
  CHECK(door.last().reason == "limit-address");
  CHECK(door.last().status == 429);
  CHECK(door.scrape().find("portcullis_guard_requests_total{class=\"login\",verdict=\"slow\"} 1\n") != std::string::npos);
  door.now += std::chrono::seconds(6);
  CHECK(door.ask(login).status == 200);
  CHECK(door.ask(login).status == 429);
}

TEST_CASE("guard: one login count over all spellings and doors of one class (B24, B25, B28)", "[guard][handler]") {
  Door door;
  const char* uris[] = {
      "/web/login", "/web%2Flogin", "//web/login", "/fr/web/login", "/web/login/", "/web/./login", "/web/session/authenticate"};
  int passed = 0;
  for (int i = 0; i < 30; ++i) passed += door.ask(Forwarded(uris[i % 7], i % 2 == 0 ? "POST" : "PROPFIND")).status == 200;
  CHECK(passed == 10);
}

TEST_CASE("guard: a call's model and method name make no difference (B27)", "[guard][handler]") {
  Door door;
  int passed = 0;
  for (int i = 0; i < 100; ++i) {
    Forwarded call("/web/dataset/call_kw/model" + std::to_string(i) + "/method" + std::to_string(i), "POST");
    passed += door.ask(call.add("Cookie", "session_id=" + session('s'))).status == 200;
  }
  CHECK(passed == 60);
  CHECK(door.response.content_type == "application/json");
  CHECK(nlohmann::json::parse(door.response.body)["error"]["code"] == 429);
}

TEST_CASE("guard: no header a client may send exempts it (B4, B55)", "[guard][handler]") {
  Door door;
  Forwarded login("/web/login", "POST");
  login.add("User-Agent", "kube-probe/1.30")
      .add("X-Real-Ip", "127.0.0.1")
      .add("X-HTTP-Method-Override", "GET")
      .add("Forwarded", "for=127.0.0.1");
  for (int i = 0; i < 10; ++i) CHECK(door.ask(login).status == 200);
  CHECK(door.ask(login.set("X-Real-Ip", "10.0.0.9").set("CF-Connecting-IP", "10.0.0.10")).status == 429);
}

TEST_CASE("guard: XML-RPC is off and says so in XML", "[guard][handler]") {
  Door door;
  const auto& response = door.ask(Forwarded("/xmlrpc/2/common", "POST").add("Content-Type", "text/xml"));
  CHECK(response.status == 403);
  CHECK(response.content_type == "text/xml; charset=utf-8");
  CHECK(door.last().reason == "access");
}

TEST_CASE("guard: shadow mode passes, counts and records", "[guard][handler]") {
  auto set = testing::documents();
  set.guard_policy->mode = policy::GuardMode::shadow;
  Door door(set);
  CHECK(door.ask(Forwarded("/web/database/manager")).status == 200);
  CHECK(door.response.body.empty());
  CHECK(door.last().verdict == "pass");
  CHECK(door.last().shadow);
  CHECK(door.last().reason == "access");
  CHECK(door.scrape().find("portcullis_guard_shadow_total{class=\"db-admin\"} 1\n") != std::string::npos);
  CHECK(door.scrape().find("portcullis_guard_shadow_reasons_total{reason=\"access\"} 1\n") != std::string::npos);
  CHECK(door.scrape().find("portcullis_guard_refusals_total{reason=\"access\"} 0\n") != std::string::npos);
}

TEST_CASE("guard: probes and unknown paths", "[guard][handler]") {
  Door door;
  CHECK(door.ask(Forwarded().target("/healthz")).status == 200);
  CHECK(door.ask(Forwarded().target("/readyz")).status == 200);
  CHECK(door.ask(Forwarded().target("/readyz").draining()).status == 503);
  CHECK(door.ask(Forwarded().target("/healthz").draining()).status == 200);
  CHECK(door.ask(Forwarded().target("/auth").draining()).status == 200);  // still answers
  for (const char* path : {"/", "/auth/", "/authx", "/v1/traefik", "/v1/nginx", "/metrics"})
    CHECK(door.ask(Forwarded().target(path)).status == 404);
  CHECK(door.records.size() == 1);

  Guard empty;
  const auto handler = make_handler(empty, nullptr);
  net::Response response;
  handler->answer(Forwarded().target("/readyz").request(), response);
  CHECK(response.status == 503);
  handler->answer(Forwarded().request(), response);
  CHECK(response.status == 503);
}

TEST_CASE("guard: documents swapped in are judged by from the next request on", "[guard][handler]") {
  Door door;
  CHECK(door.ask(Forwarded().set("X-Forwarded-Host", "new.example")).status == 403);
  auto set = testing::documents();
  set.tenants.push_back(testing::tenant("newcomer", {"new.example"}));
  door.guard.swap_in(GuardSnapshot::compile(set));
  CHECK(door.ask(Forwarded().set("X-Forwarded-Host", "new.example")).status == 200);
  CHECK(door.last().tenant == "newcomer");
}

TEST_CASE("guard: no secret reaches an answer or a record (B53)", "[guard][handler]") {
  const std::string canary = "c4n4ry";
  Door door;
  for (const char* uri : {"/web/login?token=c4n4ry", "/web/reset_password?token=c4n4ry&x=%zz", "http://u:c4n4ry@erp.acme.example/",
                          "/web#c4n4ry", "/xmlrpc?c4n4ry", "/web?c4n4ry\x01", "c4n4ry"}) {
    for (int i = 0; i < 12; ++i) {
      Forwarded forwarded(uri, "POST");
      forwarded.add("Authorization", "Bearer " + canary).add("Cookie", "session_id=" + canary + std::string(80, 'x') + "; a=" + canary);
      const auto& response = door.ask(forwarded);
      CHECK(response.body.find(canary) == std::string::npos);
      for (const auto& field : response.headers()) CHECK(field.value.find(canary) == std::string::npos);
    }
  }
  for (const Recorded& record : door.records) {
    for (const std::string& text : {record.path, record.method, record.reason, record.tenant, record.route_class}) {
      CHECK(text.find(canary) == std::string::npos);
    }
  }
  CHECK(door.records.size() == 7 * 12);
}
