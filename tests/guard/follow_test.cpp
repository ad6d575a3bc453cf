// From files to answers: documents as an operator writes them, loaded, judged by, and changed under a running guard.
#include <fstream>

#include "config/store.hpp"
#include "tests/guard/support.hpp"
#include "tests/temp_dir.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using testing::Forwarded;

namespace {

constexpr const char* documents = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: meridian-advisory}
spec:
  tier: 1
  timeZone: Europe/Zurich
  hosts: [erp.meridian.example]
  namespaces: [{name: meridian-prod, environment: production, tenancy: dedicated}]
  guard:
    plan: gold
    lists: [{name: offices, cidrs: [198.51.100.0/24, "2001:db8:77::/48"], factor: 10}]
    access: [{classes: [rpc-web, export], allow: [offices, hoster-vpn], default: deny}]
---
apiVersion: portcullis.dev/v1
kind: GuardPolicy
metadata: {name: default}
spec:
  trustedProxies: {cidrs: [127.0.0.0/8], hops: 1}
  unknownHost: deny
  plans: {gold: {factor: 4, tenant: {rate: 200/s, burst: 4000}}}
  lists: [{name: hoster-vpn, cidrs: [192.0.2.240/28]}]
  access: [{classes: [db-admin], allow: [hoster-vpn], default: deny}]
  mode: enforce
)";

void write(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }

}  // namespace

TEST_CASE("guard: documents from files, and their reload", "[guard][follow]") {
  const tests::TempDir directory;
  const auto file = directory.path() / "documents.yaml";
  write(file, documents);
  auto store = config::Store::open(directory.path(), true);
  if (!store) FAIL(store.error().front().message());
  Guard guard;
  guard.follow(**store);
  const auto handler = make_handler(guard, nullptr);
  net::Response response;
  const auto status = [&](const char* uri, const char* client) {
    Forwarded forwarded(uri, "POST");
    forwarded.set("X-Forwarded-Host", "erp.meridian.example").set("X-Forwarded-For", client).peer("127.0.0.1");
    handler->answer(forwarded.request(), response);
    return response.status;
  };
  CHECK(status("/web/dataset/call_kw/x/y", "198.51.100.7") == 200);
  CHECK(status("/web/dataset/call_kw/x/y", "2001:db8:77::1") == 200);
  CHECK(status("/web/dataset/call_kw/x/y", "192.0.2.241") == 200);
  CHECK(status("/web/dataset/call_kw/x/y", "203.0.113.1") == 403);
  CHECK(status("/web/database/create", "192.0.2.241") == 200);
  CHECK(status("/web/database/create", "198.51.100.7") == 403);
  CHECK(status("/shop", "203.0.113.1") == 200);

  std::string changed = documents;
  changed.replace(changed.find("[offices, hoster-vpn]"), 21, "[hoster-vpn]");
  write(file, changed);
  CHECK((*store)->reload().empty());
  CHECK(status("/web/dataset/call_kw/x/y", "198.51.100.7") == 403);
  CHECK(status("/web/dataset/call_kw/x/y", "192.0.2.241") == 200);

  write(file, "kind: Nonsense\n");
  CHECK_FALSE((*store)->reload().empty());
  CHECK(status("/web/dataset/call_kw/x/y", "192.0.2.241") == 200);  // the old set stays
}
