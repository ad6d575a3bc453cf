#include "webhook/tenant_quota.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "kube/metadata_list.hpp"
#include "tests/catch.hpp"
#include "webhook/quota_requests.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using nlohmann::json;

namespace {

std::string object(const std::string& spec, const std::string& status = "{}", const std::string& version = "\"18713\"") {
  return R"({"apiVersion":"portcullis.dev/v1","kind":"TenantQuota","metadata":{"name":"acme","uid":"u-1","resourceVersion":)" + version +
         R"(},"spec":)" + spec + R"(,"status":)" + status + "}";
}

kube::ApiResponse answer(int status, const std::string& body) { return {status, body, "", {}}; }

}  // namespace

TEST_CASE("tenant quota: read", "[webhook][quota]") {
  const Result<TenantQuota> quota = read_tenant_quota(
      object(R"({"tenant":"acme","protocol":1,"hard":{"pods":500,"acme-proj-*/pods":20}})",
             R"({"holds":{"a-1":{"granted":{"pods":9},"released":{"pods":4},"asOf":{"pods":7},"rv":{"pods":8},"used":{"pods":100}},
                          "b-1":{"granted":{"pods":1},"released":{},"asOf":{},"rv":{"pods":9},"used":{"pods":90}}}})"));
  REQUIRE(quota);
  CHECK(quota->tenant == "acme");
  CHECK(quota->version == 18'713);
  CHECK(quota->hard == Amounts{{"pods", 500}, {"acme-proj-*/pods", 20}});
  CHECK(held(quota->holds, "pods") == 6);
  CHECK(held(quota->holds, "pods", "a-1") == 1);
  CHECK(newest_view(quota->holds, "pods").rv == 9);
  CHECK(newest_view(quota->holds, "pods").used == 90);
  CHECK(newest_view(quota->holds, "acme-proj-*/pods").rv == 0);
}

TEST_CASE("tenant quota: refused", "[webhook][quota]") {
  std::string many = R"({"holds":{)";
  for (int index = 0; index < 17; ++index) many += (index ? ",\"" : "\"") + std::to_string(index) + "\":{}";
  const struct {
    const char* name;
    std::string text;
    const char* error;
  } cases[] = {
      {"no JSON", "{", "TenantQuota: want a TenantQuota"},
      {"another kind", R"({"kind":"Tenant"})", "TenantQuota: want a TenantQuota"},
      {"no spec", R"({"kind":"TenantQuota","metadata":{"name":"acme"}})", "TenantQuota: want metadata and spec"},
      {"a version that is no number", object(R"({"tenant":"acme","hard":{}})", "{}", "\"x1\""),
       "TenantQuota: want a decimal metadata.resourceVersion"},
      {"of another tenant", object(R"({"tenant":"other","hard":{}})"), "TenantQuota: want the name of spec.tenant"},
      {"a fraction", object(R"({"tenant":"acme","hard":{"pods":1.5}})"), "TenantQuota/acme spec hard: want a whole amount of pods"},
      {"a negative amount", object(R"({"tenant":"acme","hard":{"pods":-1}})"), "TenantQuota/acme spec hard: want a whole amount of pods"},
      {"too large for 64 bits", object(R"({"tenant":"acme","hard":{"pods":9223372036854775808}})"),
       "TenantQuota/acme spec hard: want a whole amount of pods"},
      {"too many keys", object(R"({"tenant":"acme","hard":{}})", many + "}}"),
       "TenantQuota/acme status.holds: want a map of at most 16 keys"},
      {"a hold that is none", object(R"({"tenant":"acme","hard":{}})", R"({"holds":{"a":3}})"),
       "TenantQuota/acme status.holds: want a map of objects"},
  };
  for (const auto& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Result<TenantQuota> quota = read_tenant_quota(c.text);
      REQUIRE(!quota);
      CHECK(quota.error().message() == c.error);
    }
  }
}

TEST_CASE("tenant quota: patches touch one key", "[webhook][quota]") {
  TenantQuota seen;
  seen.hard = {{"pods", 500}};
  seen.holds["b-1"] = {.granted = {{"pods", 3}}, .released = {}, .as_of = {}, .rv = {{"pods", 5}}, .used = {{"pods", 7}}};
  QuotaPatch patch;
  patch.key = "a-1";
  patch.hold = {.granted = {{"pods", 2}}, .released = {}, .as_of = {}, .rv = {{"pods", 8}}, .used = {{"pods", 9}}};
  json body = json::parse(patch_body(patch, seen));
  CHECK(body["status"]["holds"].dump() == R"({"a-1":{"asOf":{},"granted":{"pods":2},"released":{},"rv":{"pods":8},"used":{"pods":9}}})");
  CHECK(body["status"]["summary"].dump() == R"({"hard":"pods 500","reserved":"pods 5","used":"pods 9"})");
  CHECK(!body.contains("metadata"));
  patch.removed = {"b-1"};
  patch.if_version = 42;
  body = json::parse(patch_body(patch, seen));
  CHECK(body["status"]["holds"]["b-1"].is_null());
  CHECK(body["metadata"]["resourceVersion"] == "42");
}

TEST_CASE("quota requests: what answers mean", "[webhook][quota]") {
  CHECK(patch_result(answer(200, ""), false) == WriteResult::applied);
  CHECK(patch_result(answer(422, ""), false) == WriteResult::refused);
  CHECK(patch_result(answer(409, ""), true) == WriteResult::not_applied);
  CHECK(patch_result(answer(409, ""), false) == WriteResult::unknown);
  CHECK(patch_result(answer(429, ""), false) == WriteResult::not_applied);
  CHECK(patch_result(answer(500, ""), false) == WriteResult::unknown);
  CHECK(patch_result(answer(504, ""), false) == WriteResult::unknown);
  CHECK(patch_result(fail(ErrorKind::unavailable, "api", "cut off"), false) == WriteResult::unknown);

  const std::string items =
      R"({"metadata":{"resourceVersion":"90","continue":"abc"},"items":[{"metadata":{"name":"web","uid":"u","resourceVersion":"7"}}]})";
  CHECK(look_result(answer(200, items), "web")->uid == "u");
  CHECK(look_result(answer(200, items), "web")->version == 7);
  CHECK(look_result(answer(200, items), "other")->uid.empty());
  CHECK(look_result(answer(200, R"({"items":null})"), "web")->uid.empty());
  CHECK(!look_result(answer(403, "{}"), "web"));
  CHECK(!look_result(answer(200, "[]"), "web"));
  CHECK(!look_result(answer(200, R"({"items":[{"metadata":{"name":"web"}}]})"), "web"));

  CHECK(list_result(answer(200, items))->newest == 7);
  CHECK(list_result(answer(200, items))->next == "abc");
  CHECK(!list_result(answer(200, R"({"metadata":{"continue":"a b&x=1"},"items":[]})")));
  CHECK(!list_result(answer(410, "{}")));

  const kube::Resource pods{"", "v1", "pods", "Pod"};
  CHECK(look_request(pods, {"pods", "acme-prod", "web"}).target == "/api/v1/namespaces/acme-prod/pods?fieldSelector=metadata.name%3Dweb");
  CHECK(kube::metadata_page(pods, "abc").target == "/api/v1/pods?limit=500&continue=abc");
}

TEST_CASE("tenant quota: its definition has our bounds", "[webhook][quota]") {
  std::stringstream text;
  text << std::ifstream(std::string(PORTCULLIS_SOURCE_DIR) + "/manifests/crds/tenantquotas.yaml").rdbuf();
  const std::string definition = text.str();
  CHECK(definition.find("maxProperties: " + std::to_string(quota_holds_max) + "\n") != std::string::npos);
  CHECK(definition.find("maxProperties: " + std::to_string(quota_dimensions_max) + "\n") != std::string::npos);
}
