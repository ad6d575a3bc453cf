#include "guard/denial.hpp"

#include <nlohmann/json.hpp>

#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using testing::header;

namespace {

constexpr std::int64_t second = 1'000'000'000;

Denial slowed(RouteClass route_class, DenialBody body, std::uint64_t random = 0) {
  return {.status = 429,
          .reason = Reason::limit_address,
          .body = body,
          .route_class = route_class,
          .class_name = route_class_name(route_class),
          .limit = {.key = KeyKind::address, .quota = 10, .window = 60 * second, .wait = 6 * second - second / 2, .remaining = 0},
          .random = random};
}

}  // namespace

TEST_CASE("denial: rates in draft 10's words", "[guard][denial]") {
  net::Response response;
  write_denial(slowed(RouteClass::login, DenialBody::problem), response);
  CHECK(response.status == 429);
  CHECK(header(response, "ratelimit-policy") == "\"login-address\";q=10;w=60");
  CHECK(header(response, "ratelimit") == "\"login-address\";r=0;t=6");
  CHECK(header(response, "retry-after") == "6");
  CHECK(header(response, "cache-control") == "no-store");
  CHECK(response.content_type == "application/problem+json");
  const auto body = nlohmann::json::parse(response.body);
  CHECK(body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded");
  CHECK(body["status"] == 429);
  CHECK(body["violated-policies"] == nlohmann::json::array({"login-address"}));
  Denial bucket = slowed(RouteClass::login, DenialBody::problem);
  bucket.limit.key = KeyKind::plan;
  write_denial(bucket, response);
  CHECK(header(response, "ratelimit") == "\"plan\";r=0;t=6");
}

TEST_CASE("denial: Retry-After is whole, never too early, jittered (B43)", "[guard][denial]") {
  CHECK(retry_after_seconds(1, 0, 0) == 1);
  CHECK(retry_after_seconds(second, 0, 0) == 1);
  CHECK(retry_after_seconds(second + 1, 0, 0) == 2);
  bool varies = false;
  for (std::uint64_t random = 0; random < 1000; ++random) {
    const auto seconds = retry_after_seconds(20 * second, 0, random * 0x9e3779b97f4a7c15ULL);
    CHECK(seconds >= 20);
    CHECK(seconds <= 30);
    varies = varies || seconds != 20;
    CHECK(retry_after_seconds(86'400 * second, 0, random) <= 86'400 + retry_jitter_seconds_max);
  }
  CHECK(varies);
  // Websockets reconnect in swarms: at least ten seconds, and RateLimit still says the truth.
  net::Response response;
  Denial denial = slowed(RouteClass::ws_connect, DenialBody::empty);
  denial.limit.wait = second;
  write_denial(denial, response);
  CHECK(header(response, "retry-after") == "10");
  CHECK(header(response, "ratelimit") == "\"ws-connect-address\";r=0;t=1");
  CHECK(response.body.empty());
}

TEST_CASE("denial: the body is in the caller's shape", "[guard][denial]") {
  net::Response response;
  SECTION("JSON-RPC") {
    write_denial(slowed(RouteClass::rpc_web, DenialBody::json_rpc), response);
    CHECK(response.content_type == "application/json");
    const auto body = nlohmann::json::parse(response.body);
    CHECK(body["jsonrpc"] == "2.0");
    CHECK(body["id"].is_null());
    CHECK(body["error"]["code"] == 429);
    CHECK(body["error"]["data"]["name"] == "guard.RateLimited");
    CHECK(body["error"]["data"]["debug"] == "");
    CHECK_FALSE(body["error"]["data"]["message"].get<std::string>().empty());
  }
  SECTION("XML-RPC") {
    write_denial(slowed(RouteClass::rpc_legacy, DenialBody::xml_rpc), response);
    CHECK(response.content_type == "text/xml; charset=utf-8");
    CHECK(response.body.starts_with("<?xml version=\"1.0\"?>\n<methodResponse><fault><value><struct>"));
    CHECK(response.body.find("<name>faultCode</name><value><int>429</int></value>") != std::string::npos);
    CHECK(response.body.ends_with("</struct></value></fault></methodResponse>\n"));
  }
  SECTION("page") {
    write_denial(slowed(RouteClass::shop, DenialBody::page), response);
    CHECK(response.content_type == "text/html; charset=utf-8");
    CHECK(response.body.find("Try again in 6 seconds") != std::string::npos);
  }
  SECTION("empty") {
    write_denial(slowed(RouteClass::image, DenialBody::empty), response);
    CHECK(response.content_type.empty());
    CHECK(response.body.empty());
    CHECK(header(response, "retry-after") == "6");
  }
  SECTION("problem, refused: what a stranger may be told") {
    write_denial({.status = 403, .reason = Reason::missing_forwarded_for, .body = DenialBody::problem}, response);
    CHECK(nlohmann::json::parse(response.body)["reason"] == "missing-forwarded-for");
    CHECK(header(response, "retry-after").empty());
  }
  SECTION("problem, refused: tenants are not told apart (B54)") {
    std::string bodies[3];
    const Reason reasons[] = {Reason::unknown_host, Reason::unknown_tenant, Reason::host_mismatch};
    for (int i = 0; i < 3; ++i) {
      write_denial({.status = refusal_status(reasons[i]), .reason = reasons[i], .body = DenialBody::problem}, response);
      bodies[i] = response.body;
    }
    CHECK(bodies[0] == bodies[1]);
    CHECK(bodies[1] == bodies[2]);
  }
}

TEST_CASE("denial: which shape", "[guard][denial]") {
  DecidingHeaders plain, navigation, old_browser, json, fetch;
  navigation.fetch_mode = "navigate";
  old_browser.accept = "text/html,application/xhtml+xml";
  json.content_type = "Application/JSON; charset=utf-8";
  fetch.fetch_mode = "cors";
  fetch.accept = "text/html";
  using enum DenialShape;
  CHECK(denial_body(negotiate, plain, "") == DenialBody::problem);
  CHECK(denial_body(negotiate, navigation, "") == DenialBody::page);
  CHECK(denial_body(negotiate, old_browser, "") == DenialBody::page);
  CHECK(denial_body(negotiate, json, "") == DenialBody::json_rpc);
  CHECK(denial_body(negotiate, fetch, "") == DenialBody::problem);
  CHECK(denial_body(page, plain, "") == DenialBody::page);
  CHECK(denial_body(page, json, "/web/session/authenticate") == DenialBody::json_rpc);
  CHECK(denial_body(json_rpc, navigation, "") == DenialBody::json_rpc);
  CHECK(denial_body(xml_rpc, plain, "/xmlrpc/2/common") == DenialBody::xml_rpc);
  CHECK(denial_body(xml_rpc, plain, "/jsonrpc") == DenialBody::json_rpc);
  CHECK(denial_body(problem, navigation, "") == DenialBody::problem);
  CHECK(denial_body(empty, navigation, "") == DenialBody::empty);
  DecidingHeaders almost;
  almost.content_type = "application/jsonp";
  CHECK(denial_body(negotiate, almost, "") == DenialBody::problem);
}

TEST_CASE("denial: far below what makes Traefik answer 401", "[guard][denial]") {
  net::Response response;
  for (const DenialBody body : {DenialBody::page, DenialBody::json_rpc, DenialBody::xml_rpc, DenialBody::problem}) {
    for (const int status : {400, 403, 429}) {
      Denial denial = slowed(RouteClass::signup_reset, body, ~0ULL);
      denial.status = status;
      write_denial(denial, response);
      CHECK(response.body.size() < denial_bytes_max / 8);
    }
  }
}
