// A whole forward-auth request, as fields one a line after the target: passes are empty, refusals are in their caller's shape,
// and nothing of the request comes back raw.
#include <chrono>

#include "guard/denial.hpp"
#include "guard/handler.hpp"
#include "observe/log.hpp"
#include "policy/document/load.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json_oracle.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

constexpr const char* documents = R"(
apiVersion: portcullis.dev/v1
kind: Platform
metadata: {name: hoster}
spec: {environments: [staging, production]}
---
apiVersion: portcullis.dev/v1
kind: Tenant
metadata: {name: acme}
spec:
  tier: 1
  timeZone: Europe/Madrid
  namespaces: [{name: acme-prod, environment: production, tenancy: dedicated}]
  hosts: [erp.acme.example, "*.clients.acme.example"]
  guard: {plan: gold}
---
apiVersion: portcullis.dev/v1
kind: GuardPolicy
metadata: {name: guard}
spec:
  trustedProxies: {cidrs: [10.42.0.0/16], hops: 1}
  plans: {gold: {factor: 4, tenant: {rate: 200/s, burst: 4000}}}
  lists: [{name: office, cidrs: [192.0.2.0/24], factor: 10}]
  access: [{classes: [db-admin], allow: [office], default: deny}]
)";

// Keeps what would be logged away, and looks at it.
class Writer final : public audit::Log::Writer {
 public:
  void record(const audit::AdmissionRecord&) override { must(false, "the guard records no admissions"); }
  void record(const audit::GuardRecord& record) override { must(record.path.find('?') == std::string_view::npos, "no query is recorded"); }
};

struct Door {
  guard::Guard guard{{.limiter_bytes_max = 1 << 16, .now = [] { return Clock::time_point(std::chrono::hours(1)); }}};
  std::unique_ptr<net::Handler> handler;
  Door() {
    observe::set_log_sink([](std::string_view) {});
    auto set = policy::load_documents({{"documents.yaml", documents}}, true);
    must(set.has_value(), "the target's own documents load", set ? "" : set.error().front().message());
    guard.swap_in(guard::GuardSnapshot::compile(*set));
    handler = guard::make_handler(guard, std::make_unique<Writer>());
  }
};

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  static Door door;
  static net::Response response;
  const auto lines = fuzz::split(input, '\n');
  std::vector<net::Field> fields;
  for (const std::string_view line : std::span(lines).subspan(1)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    fields.push_back({line.substr(0, colon), line.substr(colon + 1)});
  }
  net::Request request;
  request.method = "GET";
  request.target = lines[0];
  request.fields = fields;
  request.peer.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 42, 0, 3};
  request.received = Clock::time_point(std::chrono::hours(1));
  door.handler->answer(request, response);
  must(response.status == 200 || response.status == 400 || response.status == 403 || response.status == 404 || response.status == 429,
       "an answer is one of few");
  must(response.body.size() <= guard::denial_bytes_max, "a denial has its bound");
  const bool asked = request.path() == "/auth" || request.path().starts_with("/v1/traefik/");
  if (response.status == 200 && asked) must(response.body.empty(), "a pass is empty");
  for (const auto& header : response.headers())
    for (const char c : header.value) must(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "a header is one line");
  if (response.content_type.find("json") != std::string_view::npos && !response.body.empty())
    must(fuzz::opinion_on(response.body) == fuzz::Opinion::json, "a body that says JSON is JSON", response.body);
  if (response.status == 429) {
    bool told = false;
    for (const auto& header : response.headers()) told = told || header.name == "retry-after";
    must(told, "a 429 says when to come again");
  }
}
