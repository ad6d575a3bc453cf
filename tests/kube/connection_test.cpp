// kube::Api over real sockets: our own server plays the API server.
#include "kube/connection.hpp"

#include <atomic>
#include <fstream>
#include <set>
#include <string>

#include "net/waker.hpp"
#include "tests/catch.hpp"
#include "tests/net/await.hpp"
#include "tests/net/client.hpp"
#include "tests/net/scripted_server.hpp"

namespace portcullis::test {
namespace {

using std::chrono::seconds;

// What the API server believes now.
struct Cluster {
  std::mutex mutex;
  std::string token = "t1";
  std::atomic<int> refused{0};
};

class ApiServer final : public net::Handler {
 public:
  explicit ApiServer(Cluster& cluster) : cluster_(cluster) {}
  void answer(const net::Request& request, net::Response& response) override {
    response.content_type = "application/json";
    {
      const std::lock_guard lock(cluster_.mutex);
      if (net::field_value(request, "authorization") != "Bearer " + cluster_.token) {
        ++cluster_.refused;
        response.status = 401;
        response.body = "unauthorized";
        return;
      }
    }
    if (request.path() == "/silent") return response.wait(++ticket_);
    if (request.path() == "/busy") {
      response.status = 429;
      response.header("retry-after", "5");
    } else if (request.path() == "/dated") {
      response.status = 503;
      response.header("retry-after", "Tue, 24 Nov 2026 20:00:00 GMT");
    } else if (request.path() == "/gone") {
      response.status = 410;
      response.body.assign(100'000, 'g');
      return;
    }
    response.header("etag", "\"e1\"");
    for (const char* name : {"user-agent", "accept", "content-type", "accept-encoding"}) {
      response.body.append(name).append("=").append(net::field_value(request, name)).append("\n");
    }
    response.body.append(request.method).append(" ").append(request.target).append(" ").append(request.body);
    if (!request.client_name.empty()) response.body.append(" as ").append(request.client_name);
  }

 private:
  Cluster& cluster_;
  std::uint64_t ticket_ = 0;
};

struct Fixture {
  TemporaryDirectory directory;
  Certificate ca{{.common_name = "cluster CA", .is_ca = true}};
  Certificate leaf{{.issuer = &ca}};
  Cluster cluster;
  std::unique_ptr<net::Server> server;
  net::Background background{"kube"};
  kube::Config config;
  std::unique_ptr<kube::Connection> connection;

  explicit Fixture(kube::ConnectionOptions options = {}) {
    start_server();
    config.host = "127.0.0.1";
    config.port = port_of(*server);
    config.base_path = "/base";
    config.token.file = directory.path() / "token";
    config.roots.file = directory.path() / "ca.crt";
    config.certificate.file = directory.path() / "client.crt";
    config.key.file = directory.path() / "client.key";
    write_file(config.token.file, "t1\n");
    write_file(config.roots.file, ca.certificate_pem());
    become("first");
    options.version = "1.2.3";
    auto opened = kube::Connection::open(background, config, options);
    if (!opened) throw std::runtime_error(opened.error().message());
    connection = *std::move(opened);
  }
  void start_server(std::uint16_t port = 0) {
    server.reset();
    net::ServerOptions options{.door = "api", .listen = {{"127.0.0.1", port}}, .tls = net::TlsFiles{}, .threads = 1, .limits = {}};
    *options.tls = {.certificate = directory.path() / "c",
                    .key = directory.path() / "k",
                    .client_ca = directory.path() / "clients",
                    .client_auth = net::ClientAuth::optional};
    write_file(options.tls->certificate, leaf.certificate_pem());
    write_file(options.tls->key, leaf.key_pem());
    write_file(*options.tls->client_ca, ca.certificate_pem());
    auto started = net::Server::start(std::move(options), [this](unsigned) { return std::make_unique<ApiServer>(cluster); });
    if (!started) throw std::runtime_error(started.error().message());
    server = *std::move(started);
  }
  void become(const std::string& name) {
    const Certificate identity({.common_name = name, .issuer = &ca});
    write_file(config.certificate.file, identity.certificate_pem());
    write_file(config.key.file, identity.key_pem());
  }
  void set_token(const std::string& token) {
    const std::lock_guard lock(cluster.mutex);
    cluster.token = token;
  }
  Result<kube::ApiResponse> call(kube::ApiRequest request, Clock::duration patience = seconds(patience_seconds)) {
    return await(background, [this, request = std::move(request), patience] { return connection->call(request, Clock::now() + patience); });
  }
  Result<kube::ApiResponse> get(const std::string& target) { return call({.target = target, .body = {}, .content_type = {}}); }
};

struct Streamed {
  Result<kube::StreamEnd> end;
  int status = 0, heads = 0, pieces = 0;
  std::optional<std::uint32_t> retry_after;
  std::string body;
};

Streamed stream(net::Background& background, kube::Connection& connection, const std::string& target, bool want_body = true) {
  Streamed streamed;
  streamed.end = await(background, [&] {
    const auto on_head = [&](const kube::ApiResponse& head) {
      streamed.status = head.status;
      streamed.retry_after = head.retry_after_seconds;
      ++streamed.heads;
      return want_body;
    };
    const auto on_bytes = [&](std::string_view bytes) {
      streamed.body += bytes;
      ++streamed.pieces;
      return true;
    };
    return connection.stream({.target = target, .body = {}, .content_type = {}}, on_head, on_bytes,
                             Clock::now() + seconds(patience_seconds));
  });
  return streamed;
}

}  // namespace

TEST_CASE("connection: a call, its answer, its errors", "[kube][connection]") {
  Fixture fixture;
  const std::string peer = "127.0.0.1:" + std::to_string(fixture.config.port);
  CHECK(fixture.connection->peer() == peer);
  const auto read = fixture.get("/api/v1/pods?limit=500");
  REQUIRE(read);
  CHECK(read->status == 200);
  CHECK(read->etag == "\"e1\"");
  CHECK(!read->retry_after_seconds);
  CHECK(read->body ==
        "user-agent=portcullis/1.2.3\naccept=application/json\ncontent-type=\naccept-encoding=\nGET /base/api/v1/pods?limit=500  as "
        "CN=first");
  const auto written = fixture.call({.method = "PATCH",
                                     .target = "/x",
                                     .body = "{}",
                                     .content_type = "application/merge-patch+json",
                                     .accept = "a/b",
                                     .gzip = true,
                                     .lane = kube::ApiRequest::Lane::writes});
  REQUIRE(written);
  CHECK(written->body ==
        "user-agent=portcullis/1.2.3\naccept=a/b\ncontent-type=application/merge-patch+json\naccept-encoding=gzip\nPATCH /base/x {} as "
        "CN=first");
  CHECK(fixture.server->stats().connections_accepted == 2);  // a lane each
  const auto busy = fixture.get("/base/busy");
  REQUIRE(busy);
  CHECK(busy->status == 200);  // /base/base/busy
  fixture.config.base_path.clear();
  auto bare = kube::Connection::open(fixture.background, fixture.config);
  REQUIRE(bare);
  fixture.connection = *std::move(bare);
  const auto shed = fixture.get("/busy");
  REQUIRE(shed);
  CHECK(shed->status == 429);
  CHECK(shed->retry_after_seconds == 5U);
  CHECK(!fixture.get("/dated").value().retry_after_seconds);
  const auto late = fixture.call({.target = "/silent?watch=1", .body = {}, .content_type = {}}, std::chrono::milliseconds(100));
  REQUIRE(!late);
  CHECK(late.error().kind == ErrorKind::deadline_passed);
  CHECK(late.error().message() == peer + " GET /silent: no answer before the deadline");
}

TEST_CASE("connection: credentials that change while it runs", "[kube][connection]") {
  SECTION("a token that was rotated is read again on 401, once") {
    Fixture fixture;
    REQUIRE(fixture.get("/a")->status == 200);
    fixture.set_token("t2");
    write_file(fixture.config.token.file, "t2");
    CHECK(fixture.get("/b")->status == 200);
    CHECK(fixture.cluster.refused == 1);
    CHECK(stream(fixture.background, *fixture.connection, "/c").status == 200);
    fixture.set_token("t3");
    const auto refused = fixture.get("/d");
    REQUIRE(refused);
    CHECK(refused->status == 401);
    CHECK(fixture.cluster.refused == 3);
    const auto streamed = stream(fixture.background, *fixture.connection, "/e");
    CHECK(streamed.status == 401);
    CHECK(streamed.heads == 1);
    CHECK(streamed.body == "unauthorized");
    CHECK(fixture.cluster.refused == 5);
  }
  SECTION("an old token is read again before it is refused") {
    Fixture fixture({.version = {}, .ages = {.token_max = seconds(0)}, .limits = {}});
    REQUIRE(fixture.get("/a")->status == 200);
    fixture.set_token("t2");
    write_file(fixture.config.token.file, "t2");
    CHECK(fixture.get("/b")->status == 200);
    CHECK(fixture.cluster.refused == 0);
  }
  SECTION("another identity is another connection; other roots are for the next one") {
    Fixture fixture({.version = {}, .ages = {.roots_max = seconds(0), .identity_max = seconds(0)}, .limits = {}});
    REQUIRE(fixture.get("/a")->body.ends_with("as CN=first"));
    fixture.become("second");
    CHECK(fixture.get("/b")->body.ends_with("as CN=second"));
    CHECK(becomes_true([&] { return fixture.server->stats().connections_open == 1; }));
    write_file(fixture.config.roots.file, Certificate({.common_name = "another CA", .is_ca = true}).certificate_pem());
    CHECK(fixture.get("/c")->status == 200);
    CHECK(fixture.server->stats().connections_accepted == 2);
  }
  SECTION("roots that are new are read as soon as the server is not trusted") {
    Fixture fixture;
    write_file(fixture.config.roots.file, Certificate({.common_name = "another CA", .is_ca = true}).certificate_pem());
    auto opened = kube::Connection::open(fixture.background, fixture.config);
    REQUIRE(opened);
    fixture.connection = *std::move(opened);
    const auto stranger = fixture.get("/a");
    REQUIRE(!stranger);
    CHECK(stranger.error().kind == ErrorKind::unavailable);
    write_file(fixture.config.roots.file, fixture.ca.certificate_pem());
    CHECK(fixture.get("/b"));
  }
  SECTION("a file that is not there") {
    Fixture fixture;
    fixture.config.token.file = fixture.directory.path() / "absent";
    CHECK(kube::Connection::open(fixture.background, fixture.config).error().what == "cannot be read: No such file or directory");
    fixture.config.token = {};
    write_file(fixture.config.roots.file, "no PEM");
    const auto refused = kube::Connection::open(fixture.background, fixture.config);
    REQUIRE(!refused);
    CHECK(refused.error().message().find("CA certificates: cannot read a certificate") != std::string::npos);
  }
}

TEST_CASE("connection: an API server that restarts", "[kube][connection]") {
  Fixture fixture;
  REQUIRE(fixture.get("/a"));
  fixture.server.reset();
  const auto gone = fixture.call({.target = "/b", .body = {}, .content_type = {}}, seconds(5));
  REQUIRE(!gone);
  CHECK(gone.error().kind == ErrorKind::unavailable);
  fixture.start_server(fixture.config.port);
  CHECK(becomes_true([&] { return fixture.get("/c").has_value(); }));
}

TEST_CASE("connection: streams", "[kube][connection]") {
  Fixture fixture;
  fixture.config.base_path.clear();
  auto opened = kube::Connection::open(fixture.background, fixture.config);
  REQUIRE(opened);
  fixture.connection = *std::move(opened);
  const auto whole = stream(fixture.background, *fixture.connection, "/api/v1/pods?watch=1");
  REQUIRE(whole.end);
  CHECK(whole.end->clean);
  CHECK(whole.status == 200);
  CHECK(whole.body.find("GET /api/v1/pods?watch=1") != std::string::npos);
  const auto unwanted = stream(fixture.background, *fixture.connection, "/api/v1/pods?watch=1", false);
  REQUIRE(unwanted.end);
  CHECK(!unwanted.end->clean);
  CHECK(unwanted.pieces == 0);
  const auto gone = stream(fixture.background, *fixture.connection, "/gone");
  REQUIRE(gone.end);
  CHECK(gone.status == 410);
  CHECK(gone.pieces == 1);
  CHECK(gone.body == std::string(kube::stream_refusal_bytes_max, 'g'));
  const auto busy = stream(fixture.background, *fixture.connection, "/busy");
  CHECK(busy.status == 429);
  CHECK(busy.retry_after == 5U);
}

TEST_CASE("connection: every request is counted, and docs/metrics.md has the rows", "[kube][connection][docs]") {
  Fixture fixture;
  observe::Metrics metrics;
  fixture.connection->add_metrics(metrics);
  REQUIRE(fixture.get("/a"));
  REQUIRE(fixture.get("/a"));
  stream(fixture.background, *fixture.connection, "/pods?limit=1&watch=1");
  fixture.set_token("t2");
  REQUIRE(
      fixture.call({.method = "DELETE", .target = "/a", .body = {}, .content_type = {}, .lane = kube::ApiRequest::Lane::writes})->status ==
      401);
  fixture.server.reset();
  REQUIRE(!fixture.call({.method = "POST", .target = "/a", .body = "{}", .content_type = {}}, seconds(5)));
  const std::string page = metrics.expose();
  for (const char* line : {
           R"(portcullis_kube_requests_total{code="200",verb="get"} 2)",
           R"(portcullis_kube_requests_total{code="200",verb="watch"} 1)",
           R"(portcullis_kube_requests_total{code="401",verb="delete"} 2)",
           R"(portcullis_kube_requests_total{code="none",verb="create"} 1)",
           R"(portcullis_kube_dials_total{lane="writes",result="connected"} 1)",
           R"(portcullis_kube_request_duration_seconds_count{verb="get"} 2)",
       }) {
    CAPTURE(line);
    std::string swapped = line;  // the order of labels is the serialiser's
    if (const auto code = swapped.find("{code="); code != std::string::npos) {
      const auto comma = swapped.find(','), end = swapped.find('}');
      swapped = swapped.substr(0, code + 1) + swapped.substr(comma + 1, end - comma - 1) + "," +
                swapped.substr(code + 1, comma - code - 1) + swapped.substr(end);
    }
    CHECK((page.find(line) != std::string::npos || page.find(swapped) != std::string::npos));
  }
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/docs/metrics.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  for (const char* name : {"portcullis_kube_requests_total", "portcullis_kube_request_duration_seconds", "portcullis_kube_dials_total"}) {
    CAPTURE(name);
    CHECK(docs.find(std::string("| `") + name + "` |") != std::string::npos);
  }
}

}  // namespace portcullis::test
