// The newest version of a resource's objects, of an API server in memory.
#include "webhook/newest_versions.hpp"

#include <atomic>

#include "tests/catch.hpp"
#include "tests/kube/fake_api.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using kube::testing::eventually;
using kube::testing::FakeApi;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr const char* pods = "/api/v1/pods";
constexpr std::int64_t nothing_yet = -1, failed = -2;

struct World {
  FakeApi api;
  observe::Counter lists;
  NewestVersions newest{api, lists, [](std::string_view name) -> std::optional<kube::Resource> {
                          if (name != "pods") return std::nullopt;
                          return kube::Resource{"", "v1", "pods", "Pod"};
                        }};
  net::Background background{"newest-test"};

  ~World() { background.stop(Clock::now() + 5s); }

  void put(int count) {
    for (int at = 0; at < count; ++at)
      api.put(pods, {{"metadata", {{"namespace", "a"}, {"name", "p" + std::to_string(at)}}}, {"spec", json::object()}});
  }
  static net::Task<void> ask_into(World* world, std::string resource, Clock::time_point since, std::atomic<std::int64_t>* out) {
    const std::optional<std::uint64_t> version = co_await world->newest.of(resource, since);
    *out = version ? static_cast<std::int64_t>(*version) : failed;
  }
  void ask(const std::string& resource, Clock::time_point since, std::atomic<std::int64_t>& out) {
    background.spawn("ask", [this, resource, since, &out] { return ask_into(this, resource, since, &out); });
  }
  std::int64_t ask(const std::string& resource) {
    std::atomic<std::int64_t> said{nothing_yet};
    ask(resource, Clock::now(), said);
    REQUIRE(eventually([&] { return said != nothing_yet; }));
    return said;
  }
};

}  // namespace

TEST_CASE("newest version: of all pages; none is zero", "[webhook][quota]") {
  World w;
  w.api.serve(pods);
  CHECK(w.ask("pods") == 0);
  CHECK(w.ask("rollouts.argoproj.io") == 0);  // not served
  CHECK(w.lists.value() == 1);
  w.put(1'200);
  const auto newest = static_cast<std::int64_t>(std::stoll(w.api.version()));
  w.api.put("/api/v1/services", {{"metadata", {{"namespace", "a"}, {"name", "s"}}}});  // others do not count
  CHECK(w.ask("pods") == newest);
  CHECK(w.lists.value() == 4);
}

TEST_CASE("newest version: one list serves who asks while it runs, and who asked before", "[webhook][quota]") {
  World w;
  w.put(1);
  const auto newest = static_cast<std::int64_t>(std::stoll(w.api.version()));
  const Clock::time_point before = Clock::now();
  std::atomic<std::int64_t> said[3] = {nothing_yet, nothing_yet, nothing_yet};
  for (auto& each : said) w.ask("pods", before, each);
  for (auto& each : said) CHECK(eventually([&] { return each == newest; }));
  CHECK(w.lists.value() == 1);
  CHECK(w.ask("pods") == newest);  // asked later than that list began
  CHECK(w.lists.value() == 2);
}

TEST_CASE("newest version: a failure is said, and not kept", "[webhook][quota]") {
  World w;
  w.put(1);
  w.api.refuse(pods, 500);
  CHECK(w.ask("pods") == failed);
  w.api.refuse(pods, 0);
  CHECK(w.ask("pods") == static_cast<std::int64_t>(std::stoll(w.api.version())));
}
