// Why usage cannot be counted on, in the words that people read.
#include "webhook/usage_obstacle.hpp"

#include <functional>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using namespace std::chrono_literals;

TEST_CASE("usage obstacle", "[webhook][quota]") {
  struct Case {
    const char* name;
    std::function<void(kube::ClusterStatus&)> change;
    const char* why;
  };
  const Case cases[] = {
      {"all is well", [](auto&) {}, ""},
      {"the watches are of other documents", [](auto& status) { status.current = false; }, "usage is not known yet"},
      {"not listed yet", [](auto& status) { status.resources[0].synced = false; }, "usage of pods is not known yet"},
      {"old", [](auto& status) { status.resources[0].age = 151s; }, "usage of pods is too old"},
      {"just not too old", [](auto& status) { status.resources[0].age = 150s; }, ""},
      {"pods that nobody serves", [](auto& status) { status.resources[0].served = false; },
       "the API server says that it does not know pods"},
      {"a CRD that is not there", [](auto& status) { status.resources[1].served = false; }, ""},
      {"what no budget counts", [](auto& status) { status.resources[2].synced = false; }, ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      kube::ClusterStatus status;
      status.current = true;
      for (const char* name : {"pods", "rollouts.argoproj.io", "services"}) {
        kube::ResourceStatus each;
        each.resource = name;
        each.synced = true;
        status.resources.push_back(each);
      }
      c.change(status);
      CHECK(usage_obstacle(status, {"pods", "rollouts.argoproj.io"}, 150s) == c.why);
    }
  }
  CHECK_FALSE(not_served_obstacle("deployments.apps").empty());
  CHECK_FALSE(not_served_obstacle("ingresses.networking.k8s.io").empty());
  CHECK(not_served_obstacle("rollouts.argoproj.io").empty());
}
