// Documents as custom resources: the set as it is handed on, and what is written into their status.
#include "kube/document_watch.hpp"

#include "kube/document_status.hpp"
#include "kube/facts.hpp"
#include "net/background.hpp"
#include "tests/catch.hpp"
#include "tests/kube/fake_api.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using namespace portcullis::kube::testing;
using namespace std::chrono_literals;

namespace {

std::string path(const std::string& plural) { return "/apis/portcullis.dev/v1/" + plural; }

json document(const std::string& name, const json& spec, int generation = 1) {
  return {{"metadata", {{"name", name}, {"generation", generation}, {"annotations", {{"kubectl", "x"}}}}}, {"spec", spec}};
}

struct World {
  FakeApi api;
  net::Background background{"kube-test"};
  std::mutex mutex;
  std::vector<CustomDocument> set;
  std::vector<Error> errors;
  int handed_on = 0;
  DocumentWatch watch{background, api, options(), [this](const std::vector<CustomDocument>& documents) {
                        const std::lock_guard lock(mutex);
                        set = documents;
                        ++handed_on;
                        return errors;
                      }};

  static DocumentWatch::Options options() {
    DocumentWatch::Options options;
    options.settle = 5ms;
    options.start_spread = options.write_spread = 0ms;
    return options;
  }
  ~World() {
    watch.stop();
    background.stop(Clock::now() + 5s);
  }
  int sets() {
    const std::lock_guard lock(mutex);
    return handed_on;
  }
  std::string names() {
    const std::lock_guard lock(mutex);
    std::string out;
    for (const CustomDocument& each : set) out += each.name + " ";
    return out;
  }
  void refuse(std::vector<Error> wrong) {
    const std::lock_guard lock(mutex);
    errors = std::move(wrong);
  }
  json condition(const std::string& plural, const std::string& name) {
    const json object = api.get(path(plural), "/" + name);
    if (!object.contains("status")) return json::object();
    for (const json& each : object["status"]["conditions"])
      if (each["type"] == "Accepted") return each;
    return json::object();
  }
};

}  // namespace

TEST_CASE("a set is handed on when all kinds are there, and again when a document changed", "[kube]") {
  World w;
  for (const char* each : {"platforms", "tenants", "policies", "policyexceptions", "calendars"}) w.api.serve(path(each));
  w.api.put(path("platforms"), document("hoster", {{"environments", {"production"}}}));
  w.api.put(path("tenants"), document("acme", {{"tier", 1}}));
  w.watch.start();
  REQUIRE(eventually([&] { return w.watch.status().trouble() == "guardpolicies.portcullis.dev: its CRD is not installed"; }));
  CHECK(w.sets() == 0);  // never half of a set
  CHECK_FALSE(w.watch.status().synced());
}

TEST_CASE("documents come, change, go, and are told what became of them", "[kube]") {
  World w;
  for (const char* each : {"platforms", "tenants", "policies", "policyexceptions", "guardpolicies", "calendars"}) w.api.serve(path(each));
  w.api.put(path("platforms"), document("hoster", {{"environments", {"production"}}}));
  w.api.put(path("tenants"), document("acme", {{"tier", 1}}));
  w.watch.start();
  REQUIRE(eventually([&] { return w.sets() == 1; }));
  CHECK(w.names() == "Platform/hoster Tenant/acme ");
  CHECK(w.set[1].json == R"({"apiVersion":"portcullis.dev/v1","kind":"Tenant","metadata":{"name":"acme"},"spec":{"tier":1}})");
  CHECK(eventually([&] { return w.watch.status().synced(); }));
  REQUIRE(eventually([&] { return w.condition("tenants", "acme").value("status", "") == "True"; }));
  REQUIRE(eventually([&] { return w.condition("platforms", "hoster").value("status", "") == "True"; }));
  CHECK(w.condition("tenants", "acme")["reason"] == "InForce");
  CHECK(w.condition("tenants", "acme")["observedGeneration"] == 1);
  const std::string since = w.condition("tenants", "acme")["lastTransitionTime"];
  CHECK(w.sets() == 1);  // a status that was written is no change

  w.refuse({Error{ErrorKind::invalid, "Tenant/acme:1:77 spec.tier", "found 9, want 1 to 3"}});
  w.api.put(path("tenants"), document("acme", {{"tier", 9}}, 2));
  w.api.put(path("tenants"), document("new", {{"tier", 2}}));
  REQUIRE(eventually([&] { return w.condition("tenants", "acme").value("status", "") == "False"; }));
  CHECK(w.condition("tenants", "acme")["reason"] == "Invalid");
  CHECK(w.condition("tenants", "acme")["message"] == "spec.tier: found 9, want 1 to 3");
  CHECK(w.condition("tenants", "acme")["observedGeneration"] == 2);
  REQUIRE(eventually([&] { return w.condition("tenants", "new").value("reason", "") == "SetRefused"; }));
  CHECK(w.condition("tenants", "new")["message"].get<std::string>().find("Tenant/acme was refused") != std::string::npos);
  CHECK(w.condition("platforms", "hoster")["status"] == "True");  // it is in force still

  w.refuse({});
  w.api.put(path("tenants"), document("acme", {{"tier", 2}}, 3));
  CHECK(eventually([&] { return w.condition("tenants", "acme").value("status", "") == "True"; }));
  CHECK(eventually([&] { return w.condition("tenants", "new").value("status", "") == "True"; }));
  const int before = w.sets();
  w.api.remove(path("tenants"), "/new");
  CHECK(eventually([&] { return w.names() == "Platform/hoster Tenant/acme "; }));
  CHECK(w.sets() > before);

  const std::size_t patches = w.api.requests("PATCH");
  const int sets = w.sets();
  w.api.compact();  // listed anew, and nothing is different
  REQUIRE(eventually([&] { return w.watch.status().resources[1].counts.relists > 0; }));
  CHECK(w.sets() == sets);
  CHECK(w.api.requests("PATCH") == patches);
  w.api.unserve(path("policies"));  // a kind vanishes: the set stays
  REQUIRE(eventually([&] { return !w.watch.status().synced(); }));
  CHECK(w.sets() == sets);
}

TEST_CASE("the watches of documents are seen in a scrape, as those of facts are", "[kube]") {
  observe::Metrics metrics;
  {
    World w;
    for (const char* each : {"platforms", "tenants", "policies", "policyexceptions", "calendars"}) w.api.serve(path(each));
    w.api.put(path("tenants"), document("acme", {{"tier", 1}}));
    w.watch.add_metrics(metrics);
    CHECK(metrics.expose().empty());  // nothing is watched yet
    w.watch.start();
    const auto shows = [&](const std::string& name, const std::string& plural, const std::string& value) {
      const std::string line = "portcullis_kube_" + name + "{resource=\"" + plural + ".portcullis.dev\"} " + value + "\n";
      return eventually([&] { return metrics.expose().find(line) != std::string::npos; });
    };
    CHECK(shows("objects", "tenants", "1"));
    CHECK(shows("objects", "platforms", "0"));
    CHECK(shows("synced", "tenants", "1"));
    CHECK(shows("lists_total", "tenants", "1"));
    CHECK(shows("watches_total", "tenants", "1"));
    CHECK(metrics.expose().find("portcullis_kube_snapshot_age_seconds{resource=\"tenants.portcullis.dev\"}") != std::string::npos);
    CHECK(shows("synced", "guardpolicies", "0"));  // without its CRD
    CHECK(metrics.expose().find("portcullis_kube_snapshot_age_seconds{resource=\"guardpolicies.portcullis.dev\"}") == std::string::npos);
    w.api.put(path("tenants"), document("new", {{"tier", 2}}));
    CHECK(shows("objects", "tenants", "2"));
    CHECK(shows("watch_events_total", "tenants", "1"));
    w.api.compact();
    CHECK(shows("relists_total", "tenants", "1"));
  }
  CHECK(metrics.expose().find("{resource=\"tenants.portcullis.dev\"} 2\n") != std::string::npos);  // a last scrape finds it still
}

TEST_CASE("errors go to whom they are about", "[kube]") {
  struct Case {
    const char *name, *where;
    const char *of_a, *of_b;
  };
  const Case cases[] = {
      {"a field", "Tenant/a:1:3 spec.tier", "Invalid spec.tier: x",
       "SetRefused not in force yet: Tenant/a was refused, and documents count together or not at all"},
      {"no field", "Tenant/a:1:3", "Invalid x",
       "SetRefused not in force yet: Tenant/a was refused, and documents count together or not at all"},
      {"no position", "Tenant/a", "Invalid x",
       "SetRefused not in force yet: Tenant/a was refused, and documents count together or not at all"},
      {"a longer name is another", "Tenant/ab:1:3 spec",
       "SetRefused not in force yet: Tenant/ab was refused, and documents count together or not at all", "Invalid spec: x"},
      {"no place", "", "Invalid x", "Invalid x"},
      {"a document that is not there", "Tenant/zz:1:1 spec", "Invalid Tenant/zz:1:1 spec: x", "Invalid Tenant/zz:1:1 spec: x"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto outcomes = outcomes_of({"Tenant/a", "Tenant/ab"}, {Error{ErrorKind::invalid, c.where, "x"}});
      const auto text = [&](const char* name) {
        const Outcome& outcome = outcomes.at(name);
        return (outcome.acceptance == Acceptance::refused ? "Invalid " : "SetRefused ") + outcome.message;
      };
      CHECK(text("Tenant/a") == c.of_a);
      CHECK(text("Tenant/ab") == c.of_b);
    }
  }
  CHECK(outcomes_of({"Tenant/a"}, {}).at("Tenant/a").acceptance == Acceptance::accepted);
  const auto long_one = outcomes_of({"Tenant/a"}, {Error{ErrorKind::invalid, "Tenant/a", std::string(5'000, 'x')}});
  CHECK(long_one.at("Tenant/a").message.size() <= condition_message_bytes_max);
}

TEST_CASE("a status is written only where it differs", "[kube]") {
  const Instant now = *read_time("2026-11-24T20:00:00Z");
  const auto patch = [&](const json& conditions, int generation, Acceptance acceptance) -> json {
    const auto tree = policy::Tree::parse_copy(json{{"c", conditions}}.dump());
    const auto text = status_patch(tree->root()["c"], generation, {acceptance, "m"}, now);
    return text ? json::parse(*text)["status"]["conditions"] : json();
  };
  const json first = patch(nullptr, 1, Acceptance::accepted);
  REQUIRE(first.size() == 1);
  CHECK(first[0]["lastTransitionTime"] == "2026-11-24T20:00:00Z");
  CHECK(patch(first, 1, Acceptance::accepted).is_null());
  json old = first;
  old[0]["lastTransitionTime"] = "2026-01-01T00:00:00Z";
  CHECK(patch(old, 1, Acceptance::accepted).is_null());
  CHECK(patch(old, 2, Acceptance::accepted)[0]["lastTransitionTime"] == "2026-01-01T00:00:00Z");  // the same status still
  CHECK(patch(old, 1, Acceptance::refused)[0]["lastTransitionTime"] == "2026-11-24T20:00:00Z");
  CHECK(patch(old, 1, Acceptance::set_refused).is_null());
  CHECK(patch(old, 2, Acceptance::set_refused)[0]["status"] == "False");
  const json others = {{{"type", "Other"}, {"status", "True"}}};
  CHECK(patch(others, 1, Acceptance::accepted).size() == 2);
  CHECK(patch("nonsense", 1, Acceptance::accepted).size() == 1);
  CHECK(read_time("2026-11-24T20:00:00.123456Z") == now);
  CHECK_FALSE(read_time("2026-13-24T20:00:00Z"));
  CHECK_FALSE(read_time("2026-11-24T20:00:00+01:00"));
}
