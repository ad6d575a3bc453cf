// The keeper beside an API server in memory: from an empty Secret to trust, through renewals, races and mishaps.
#include "webhook/certificate_keeper.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "net/certificate_authority.hpp"
#include "tests/catch.hpp"
#include "tests/net/certificate.hpp"
#include "tests/webhook/fake_cluster.hpp"

using namespace portcullis;
using namespace portcullis::webhook;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

const std::string secret_path = "/api/v1/namespaces/gate/secrets/portcullis-webhook-tls";
const std::string validating_path = configuration_path(ConfigurationKind::validating, "portcullis");
const std::string mutating_path = configuration_path(ConfigurationKind::mutating, "portcullis");
const std::string host = "portcullis-webhook.gate.svc";
constexpr std::chrono::days day{1};

Json entry(const char* name, const char* service) {
  return {{"name", name}, {"clientConfig", {{"service", {{"name", service}, {"namespace", "gate"}, {"path", "/validate"}}}}}};
}

struct Replica {
  explicit Replica(kube::Api& api, std::filesystem::path directory = {}, std::chrono::days authority_lifetime = 3650 * day)
      : keeper(api,
               {.service = {"portcullis-webhook", "gate"},
                .directory = std::move(directory),
                .terms = {.names = {}, .leaf_lifetime = 90 * day, .authority_lifetime = authority_lifetime}},
               [this](const net::PemPair& pair) -> Result<void> {
                 served.push_back(pair.certificate);
                 return {};
               }) {}
  std::chrono::seconds turn(Clock::time_point now, Instant wall) { return test::run(keeper.turn(now, wall)); }

  std::vector<std::string> served;
  CertificateKeeper keeper;
};

struct World {
  World() { cluster.put(secret_path, {{"kind", "Secret"}, {"metadata", {{"name", "portcullis-webhook-tls"}}}}); }
  void install() {
    for (const std::string& path : {validating_path, mutating_path})
      cluster.put(path,
                  {{"metadata", {{"name", "portcullis"}}},
                   {"webhooks", {entry("tier-1", "portcullis-webhook"), entry("tier-3", "portcullis-webhook"), entry("x", "other")}}});
  }
  [[nodiscard]] std::string live(const std::string& path, std::size_t at) const {
    return net::from_base64(cluster.objects.at(path)["webhooks"][at]["clientConfig"].value("caBundle", "")).value();
  }
  void pass(std::chrono::seconds time) {
    now += time;
    wall += time;
  }
  std::chrono::seconds turn(Replica& replica) { return replica.turn(now, wall); }
  // As long as it takes until nothing is to be done.
  void settle(Replica& replica) {
    for (int turns = 0; turns < 40; ++turns) {
      const auto wait = turn(replica);
      if (wait >= 15s) return;
      pass(wait);
    }
    FAIL("it never rests");
  }
  [[nodiscard]] bool calls_succeed(const Replica& replica) const {
    for (const std::string& path : {validating_path, mutating_path})
      for (const std::size_t at : {0U, 1U})
        if (!net::verify_chain(replica.served.back(), live(path, at), host, wall)) return false;
    return true;
  }

  test::FakeCluster cluster;
  Clock::time_point now{1h};
  Instant wall{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
};

}  // namespace

TEST_CASE("from an empty Secret to a trusted pair", "[webhook][certificates]") {
  World world;
  Replica replica(world.cluster);
  CHECK_FALSE(replica.keeper.has_pair());
  CHECK(world.turn(replica) < 5s);  // no configuration yet
  CHECK(replica.keeper.has_pair());
  REQUIRE(replica.served.size() == 1);
  CHECK(replica.served[0] == world.cluster.data(secret_path, "tls.crt"));
  CHECK(world.cluster.data(secret_path, "bundle.crt") == world.cluster.data(secret_path, "ca.crt"));
  CHECK_FALSE(world.cluster.objects[secret_path]["data"].contains("next-ca.key"));

  world.install();
  world.pass(2s);
  world.turn(replica);
  CHECK(world.calls_succeed(replica));
  CHECK(world.live(validating_path, 2).empty());  // somebody else's
  world.settle(replica);
  CHECK(world.cluster.count("PATCH /apis/") == 2);
  CHECK(world.cluster.count("GET /api/v1") == 0);  // the right to patch is all there is
  CHECK(replica.served.size() == 1);
}

TEST_CASE("replicas that begin together agree on one pair", "[webhook][certificates]") {
  World world;
  world.install();
  Replica one(world.cluster), two(world.cluster), three(world.cluster);
  // While the first has read the empty Secret and not written yet, the second does all of it.
  bool interrupted = false;
  world.cluster.before = [&](const kube::ApiRequest& request) -> std::optional<Result<kube::ApiResponse>> {
    if (!interrupted && request.method == "PATCH" && request.body.find("tls.key") != std::string::npos) {
      interrupted = true;
      world.turn(two);
    }
    return std::nullopt;
  };
  world.turn(one);
  world.turn(three);
  CHECK(one.served == two.served);
  CHECK(one.served == three.served);
  CHECK(world.calls_succeed(one));
}

TEST_CASE("a leaf is renewed and everybody takes it, without a patch of configurations", "[webhook][certificates]") {
  World world;
  world.install();
  Replica one(world.cluster), two(world.cluster);
  world.settle(one);
  world.settle(two);
  const std::size_t patches = world.cluster.count("PATCH /apis/");
  world.pass(61 * day);
  world.settle(one);
  world.settle(two);
  CHECK(one.served.size() == 2);
  CHECK(one.served == two.served);
  CHECK(world.cluster.count("PATCH /apis/") == patches);
  CHECK(world.calls_succeed(two));
}

TEST_CASE("an authority is renewed, and no served leaf is ever untrusted", "[webhook][certificates]") {
  World world;
  world.install();
  Replica one(world.cluster, {}, 400 * day), two(world.cluster, {}, 400 * day);
  world.settle(one);
  world.settle(two);
  const std::string authority = world.cluster.data(secret_path, "ca.crt");
  for (const auto end = world.wall + 400 * day; world.wall < end; world.pass(20 * day)) {
    for (int turns = 0; turns < 6; ++turns) {
      for (Replica* each : {&one, &two}) {
        world.turn(*each);
        REQUIRE(world.calls_succeed(one));
        REQUIRE(world.calls_succeed(two));
      }
      world.pass(20s);
    }
  }
  CHECK(world.cluster.data(secret_path, "ca.crt") != authority);
  CHECK(world.cluster.data(secret_path, "bundle.crt") == world.cluster.data(secret_path, "ca.crt"));
  CHECK(one.served.size() >= 7);
}

TEST_CASE("a caBundle that somebody changed is put right", "[webhook][certificates]") {
  World world;
  world.install();
  Replica replica(world.cluster);
  world.settle(replica);
  world.install();  // GitOps applies what it knows: no caBundle
  CHECK_FALSE(world.calls_succeed(replica));
  world.pass(15s);
  world.turn(replica);
  CHECK(world.calls_succeed(replica));
}

TEST_CASE("an emptied Secret is filled again with what is served", "[webhook][certificates]") {
  World world;
  world.install();
  Replica replica(world.cluster);
  world.settle(replica);
  world.cluster.put(secret_path, {{"kind", "Secret"}, {"metadata", {{"name", "portcullis-webhook-tls"}}}});
  world.pass(60s);
  world.turn(replica);
  CHECK(replica.served.size() == 1);
  CHECK(world.cluster.data(secret_path, "tls.crt") == replica.served[0]);
  CHECK(world.calls_succeed(replica));
}

TEST_CASE("while the API server is away the mounted pair is served", "[webhook][certificates]") {
  World world;
  world.install();
  Replica before(world.cluster);
  world.settle(before);
  const test::TemporaryDirectory directory;
  for (const auto& [name, value] : world.cluster.objects[secret_path]["data"].items())
    test::write_file(directory.path() / name, net::from_base64(value.get<std::string>()).value());
  world.cluster.before = [](const kube::ApiRequest&) -> std::optional<Result<kube::ApiResponse>> {
    return Result<kube::ApiResponse>(fail(ErrorKind::unavailable, "10.0.0.1:443", "no connection"));
  };
  Replica restarted(world.cluster, directory.path());
  Replica bare(world.cluster);
  std::chrono::seconds waited{0};
  for (int turns = 0; turns < 10; ++turns) {
    const auto wait = world.turn(restarted);
    CHECK(wait >= 2s);
    waited += wait;
    world.pass(wait);
    world.turn(bare);
  }
  CHECK(waited > 4min);  // it does not hammer
  CHECK(restarted.served == before.served);
  CHECK_FALSE(bare.keeper.has_pair());
  world.cluster.before = nullptr;
  world.settle(restarted);
  CHECK(restarted.served == before.served);
}

TEST_CASE("answers that are lost, refused or no objects do no harm", "[webhook][certificates]") {
  World world;
  world.install();
  Replica replica(world.cluster);
  int number = 0;
  world.cluster.after = [&](const kube::ApiRequest&) -> std::optional<Error> {
    if (++number % 2 == 0) return Error{ErrorKind::unavailable, "10.0.0.1:443", "cut off"};
    return std::nullopt;
  };
  world.cluster.before = [&](const kube::ApiRequest&) -> std::optional<Result<kube::ApiResponse>> {
    const int turn = number % 9;
    if (turn == 5) return ++number, kube::ApiResponse{200, "[]", "", std::nullopt};
    if (turn == 7) return ++number, kube::ApiResponse{403, "{}", "", std::nullopt};
    if (turn == 8) return ++number, kube::ApiResponse{200, R"({"metadata":{}})", "", std::nullopt};
    return std::nullopt;
  };
  for (int turns = 0; turns < 40; ++turns) world.pass(world.turn(replica));
  world.cluster.before = nullptr;
  world.cluster.after = nullptr;
  world.settle(replica);
  CHECK(world.calls_succeed(replica));
  CHECK(replica.served.back() == world.cluster.data(secret_path, "tls.crt"));
}

TEST_CASE("a Secret that is not there is waited for", "[webhook][certificates]") {
  World world;
  world.cluster.objects.clear();
  Replica replica(world.cluster);
  for (int turns = 0; turns < 3; ++turns) world.pass(world.turn(replica));
  CHECK_FALSE(replica.keeper.has_pair());
  world.cluster.put(secret_path, {{"kind", "Secret"}});
  world.turn(replica);
  CHECK(replica.keeper.has_pair());
}

TEST_CASE("a live configuration as the keeper sees it", "[webhook][certificates]") {
  const ServiceName service{"portcullis-webhook", "gate"};
  for (const char* json : {"", "[]", "{}", "null", R"({"metadata":7})", R"({"metadata":{"resourceVersion":7}})"})
    CHECK_FALSE(read_configuration(json, service).has_value());
  const auto read = read_configuration(
      R"({"metadata":{"resourceVersion":"7"},"webhooks":[{"name":"a","clientConfig":{"service":{"name":"portcullis-webhook","namespace":"gate"}}},
         {"name":"b","clientConfig":{"url":"https://x"}},{"name":"c","clientConfig":{"service":{"name":"portcullis-webhook","namespace":"other"}}},7]})",
      service);
  REQUIRE(read);
  REQUIRE(read->ours.size() == 1);
  CHECK(read->others.size() == 3);
  CHECK(ca_bundle_patch(*read, "QQ==") ==
        R"({"metadata":{"resourceVersion":"7"},"webhooks":[{"clientConfig":{"caBundle":"QQ=="},"name":"a"}]})");
}

TEST_CASE("the keeper's metrics have their rows in docs/metrics.md", "[webhook][certificates][docs]") {
  World world;
  world.install();
  Replica replica(world.cluster);
  world.settle(replica);
  observe::Metrics metrics;
  metrics.add_source([&](observe::Scrape& scrape) { replica.keeper.expose(scrape); });
  const std::string page = metrics.expose();
  CHECK(page.find("portcullis_certificates_renewals_total{part=\"leaf\"} 1\n") != std::string::npos);
  CHECK(page.find("portcullis_certificates_ca_bundle_patches_total 2\n") != std::string::npos);
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/docs/metrics.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t at = 0; (at = page.find("# TYPE ", at)) != std::string::npos; ++at) {
    const std::string name = page.substr(at + 7, page.find(' ', at + 7) - at - 7);
    CAPTURE(name);
    CHECK(docs.find("| `" + name + "` |") != std::string::npos);
  }
}
