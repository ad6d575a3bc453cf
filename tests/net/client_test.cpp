// The client against our own server, over both protocols.
#include "net/client.hpp"

#include <zlib.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/net/await.hpp"
#include "tests/net/client.hpp"

namespace portcullis::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class Shop final : public net::Handler {
 public:
  void answer(const net::Request& request, net::Response& response) override {
    const std::size_t count = std::strtoul(std::string(request.query()).c_str(), nullptr, 10);
    if (request.path() == "/silent") return response.wait(++ticket_);
    if (request.path() == "/large") return void(response.body.assign(count, 'x'));
    if (request.path() == "/gzip" || request.path() == "/torn") {
      response.body = gzipped(std::string(count, 'y'));
      if (request.path() == "/torn") response.body.resize(response.body.size() - 4);
      response.header("content-encoding", "gzip");
      response.header("x-asked", net::field_value(request, "accept-encoding"));
      return;
    }
    if (request.path() == "/fields") {
      for (std::size_t i = 0; i < count; ++i) response.header("x-many", "1");
      return;
    }
    if (request.path() == "/missing") response.status = 404;
    response.header("x-protocol", request.http2 ? "h2" : "http/1.1");
    response.header("retry-after", "7");
    response.body.append(request.method).append(" ").append(request.target).append(" [").append(request.body).append("] host=");
    response.body.append(net::field_value(request, "host")).append(" x=").append(net::field_value(request, "x-own"));
    if (!request.client_name.empty()) response.body.append(" client=").append(request.client_name);
  }

 private:
  std::uint64_t ticket_ = 0;
};

struct Fixture {
  TemporaryDirectory directory;
  Certificate ca{{.common_name = "test CA", .is_ca = true}};
  Certificate leaf{{.issuer = &ca}};
  std::unique_ptr<net::Server> server;
  net::Background background{"client"};
  std::unique_ptr<net::Client> client;

  explicit Fixture(bool tls, bool http2 = true, net::ClientLimits limits = {}, const Certificate* identity = nullptr) {
    net::ServerOptions options{.door = "test", .listen = {{"127.0.0.1", 0}}, .tls = std::nullopt, .threads = 1, .limits = {}};
    if (tls) {
      options.tls =
          net::TlsFiles{.certificate = directory.path() / "c", .key = directory.path() / "k", .client_ca = directory.path() / "ca"};
      if (identity) options.tls->client_auth = net::ClientAuth::require;
      write_file(options.tls->certificate, leaf.certificate_pem());
      write_file(options.tls->key, leaf.key_pem());
      write_file(*options.tls->client_ca, ca.certificate_pem());
    }
    auto started = net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Shop>(); });
    if (!started) throw std::runtime_error(started.error().message());
    server = *std::move(started);
    net::ClientTls trust{.roots_pem = ca.certificate_pem(), .certificate_pem = {}, .key_pem = {}};
    if (identity) {
      trust.certificate_pem = identity->certificate_pem();
      trust.key_pem = identity->key_pem();
    }
    auto opened = net::Client::open(
        background, {.host = "127.0.0.1", .port = port(), .plain = !tls, .server_name = {}, .http2 = http2, .limits = limits}, trust);
    if (!opened) throw std::runtime_error(opened.error().message());
    client = *std::move(opened);
  }
  [[nodiscard]] std::uint16_t port() const { return port_of(*server); }
  std::future<Result<net::ClientResponse>> start(net::ClientRequest request, Clock::duration patience = seconds(patience_seconds)) {
    return start_task(background,
                      [this, request = std::move(request), patience] { return client->call(request, Clock::now() + patience); });
  }
  Result<net::ClientResponse> ask(net::ClientRequest request, Clock::duration patience = seconds(patience_seconds)) {
    return start(std::move(request), patience).get();
  }
  Result<net::ClientResponse> get(const std::string& target, bool gzip = false) {
    return ask({.target = target, .fields = {}, .body = {}, .gzip = gzip});
  }
};

}  // namespace

TEST_CASE("client: calls, answers, one connection", "[net][client]") {
  struct Case {
    const char* name;
    bool tls, http2;
    const char* protocol;
  };
  for (const Case& c : {Case{"plain HTTP/1.1", false, true, "http/1.1"}, Case{"HTTP/1.1 over TLS", true, false, "http/1.1"},
                        Case{"HTTP/2", true, true, "h2"}}) {
    DYNAMIC_SECTION(c.name) {
      Fixture fixture(c.tls, c.http2);
      const std::string host = "127.0.0.1:" + std::to_string(fixture.port());
      CHECK(fixture.client->peer() == host);
      const auto plain = fixture.get("/a?b=c");
      REQUIRE(plain);
      CHECK(plain->status == 200);
      CHECK(plain->field("x-protocol") == c.protocol);
      CHECK(plain->field("retry-after") == "7");
      CHECK(plain->field("x-absent").empty());
      CHECK(plain->body == "GET /a?b=c [] host=" + host + " x=");
      const auto patch = fixture.ask({.method = "PATCH", .target = "/p", .fields = {{"x-own", "1"}}, .body = "{}"});
      REQUIRE(patch);
      CHECK(patch->body == "PATCH /p [{}] host=" + host + " x=1");
      const auto missing = fixture.get("/missing");
      REQUIRE(missing);
      CHECK(missing->status == 404);
      const auto head = fixture.ask({.method = "HEAD", .target = "/", .fields = {}, .body = {}});
      REQUIRE(head);
      CHECK(head->body.empty());
      const auto large = fixture.get("/large?20000000");  // beyond every window
      REQUIRE(large);
      CHECK(large->body.size() == 20'000'000);
      const auto sent = fixture.ask({.method = "POST", .target = "/", .fields = {}, .body = std::string(3'000'000, 'b')});
      REQUIRE(sent);
      CHECK(sent->body.size() > 3'000'000);
      CHECK(fixture.client->stats().dials == 1);
    }
  }
}

TEST_CASE("client: many calls at once", "[net][client]") {
  for (const bool http2 : {true, false}) {
    DYNAMIC_SECTION((http2 ? "HTTP/2" : "HTTP/1.1")) {
      net::ClientLimits limits;
      limits.connections_max = 8;
      Fixture fixture(true, http2, limits);
      std::vector<std::future<Result<net::ClientResponse>>> answers;
      for (int i = 0; i < 300; ++i)
        answers.push_back(fixture.start({.method = "POST", .target = "/" + std::to_string(i), .fields = {}, .body = "x"}));
      for (int i = 0; i < 300; ++i) {
        const auto answer = answers[static_cast<std::size_t>(i)].get();
        REQUIRE(answer);
        REQUIRE(answer->body.starts_with("POST /" + std::to_string(i) + " [x]"));
      }
      CHECK(fixture.client->stats().dials <= (http2 ? 3 : 8));
      CHECK(fixture.client->stats().dial_failures == 0);
    }
  }
}

TEST_CASE("client: whom it trusts, and who it is", "[net][client]") {
  const Certificate stranger({.common_name = "another CA", .is_ca = true});
  const Certificate ca({.common_name = "client CA", .is_ca = true});
  SECTION("a chain that is not trusted") {
    Fixture fixture(true);
    REQUIRE(fixture.client->trust({.roots_pem = stranger.certificate_pem(), .certificate_pem = {}, .key_pem = {}}));
    const auto answer = fixture.ask({.target = "/", .fields = {}, .body = {}}, seconds(5));
    REQUIRE(!answer);
    CHECK(answer.error().kind == ErrorKind::unavailable);
    CHECK(answer.error().message().find("the certificate of the peer is not trusted: ") != std::string::npos);
    REQUIRE(fixture.client->trust(
        {.roots_pem = stranger.certificate_pem() + fixture.ca.certificate_pem(), .certificate_pem = {}, .key_pem = {}}));
    CHECK(fixture.get("/"));
  }
  SECTION("a name that is not the certificate's") {
    Fixture fixture(true);
    for (const auto& [name, good] : {std::pair{"localhost", true}, {"other.example", false}, {"127.0.0.1", true}, {"127.0.0.2", false}}) {
      auto client =
          net::Client::open(fixture.background,
                            {.host = "127.0.0.1", .port = fixture.port(), .plain = false, .server_name = name, .http2 = true, .limits = {}},
                            {.roots_pem = fixture.ca.certificate_pem(), .certificate_pem = {}, .key_pem = {}});
      REQUIRE(client);
      const auto answer =
          await(fixture.background, [&] { return (*client)->call({.target = "/", .fields = {}, .body = {}}, Clock::now() + seconds(5)); });
      CHECK(answer.has_value() == good);
      if (!good) CHECK(answer.error().message().find("mismatch") != std::string::npos);
    }
  }
  SECTION("a client certificate") {
    Fixture fixture(true, true, {}, &ca);  // not signed by the server's client CA
    const auto refused = fixture.ask({.target = "/", .fields = {}, .body = {}}, seconds(5));
    CHECK(!refused);
    const Certificate us({.common_name = "us", .issuer = &fixture.ca});
    REQUIRE(fixture.client->trust(
        {.roots_pem = fixture.ca.certificate_pem(), .certificate_pem = us.certificate_pem(), .key_pem = us.key_pem()}));
    const auto answer = fixture.get("/");
    REQUIRE(answer);
    CHECK(answer->body.ends_with("client=CN=us"));
    fixture.background.post([&] { fixture.client->retire_connections(); });
    CHECK(fixture.get("/"));
    CHECK(becomes_true([&] { return fixture.server->stats().connections_open == 1; }));
  }
  SECTION("PEM that is none") {
    Fixture fixture(true);
    const auto message = [&](const net::ClientTls& tls) {
      const auto trusted = fixture.client->trust(tls);
      return trusted ? std::string() : trusted.error().what;
    };
    CHECK(message({.roots_pem = "no PEM", .certificate_pem = {}, .key_pem = {}}).starts_with("cannot read a certificate"));
    CHECK(message({.roots_pem = {}, .certificate_pem = ca.certificate_pem(), .key_pem = {}}) ==
          "want a certificate and its key, found one of the two");
    CHECK(message({.roots_pem = {}, .certificate_pem = ca.certificate_pem(), .key_pem = stranger.key_pem()})
              .starts_with("cannot be used with"));
    CHECK(message({.roots_pem = {}, .certificate_pem = ca.certificate_pem(), .key_pem = "no key"}).starts_with("cannot be used with"));
    CHECK(fixture.get("/"));  // what was before is still in use
  }
  SECTION("plain only to this machine") {
    net::Background background("client");
    CHECK(!net::Client::open(background, {.host = "192.0.2.1", .port = 80, .plain = true, .server_name = {}, .http2 = true, .limits = {}},
                             {}));
  }
}

TEST_CASE("client: compressed answers", "[net][client]") {
  net::ClientLimits limits;
  limits.answer_bytes_max = 5'000'000;
  for (const bool http2 : {true, false}) {
    DYNAMIC_SECTION((http2 ? "HTTP/2" : "HTTP/1.1")) {
      Fixture fixture(true, http2, limits);
      const auto answer = fixture.get("/gzip?4000000", true);
      REQUIRE(answer);
      CHECK(answer->body == std::string(4'000'000, 'y'));
      CHECK(answer->field("x-asked") == "gzip");
      const auto bomb = fixture.get("/gzip?50000000", true);
      REQUIRE(!bomb);
      CHECK(bomb.error().kind == ErrorKind::limit_exceeded);
      const auto large = fixture.get("/large?5000001");
      REQUIRE(!large);
      CHECK(large.error().kind == ErrorKind::limit_exceeded);
      const auto unasked = fixture.get("/gzip?10");
      REQUIRE(!unasked);
      CHECK(unasked.error().kind == ErrorKind::invalid);
      const auto torn = fixture.get("/torn?1000", true);
      REQUIRE(!torn);
      CHECK(torn.error().what == "the compressed answer was cut off");
      const auto fields = fixture.get("/fields?101");
      REQUIRE(!fields);
      CHECK(fields.error().kind == ErrorKind::limit_exceeded);
      CHECK(fixture.get("/"));
    }
  }
}

TEST_CASE("client: deadlines and leaving", "[net][client]") {
  for (const bool http2 : {true, false}) {
    DYNAMIC_SECTION((http2 ? "HTTP/2" : "HTTP/1.1")) {
      Fixture fixture(true, http2);
      REQUIRE(fixture.get("/"));
      const auto began = Clock::now();
      const auto late = fixture.ask({.target = "/silent", .fields = {}, .body = {}}, milliseconds(100));
      REQUIRE(!late);
      CHECK(late.error().kind == ErrorKind::deadline_passed);
      CHECK(Clock::now() - began < seconds(5));
      CHECK(fixture.get("/"));
      auto running = fixture.start({.target = "/silent", .fields = {}, .body = {}});
      CHECK(fixture.get("/"));
      fixture.client.reset();
      const auto ended = running.get();
      REQUIRE(!ended);
      CHECK(ended.error().kind == ErrorKind::unavailable);
      CHECK(becomes_true([&] { return fixture.server->stats().connections_open == 0; }));
    }
  }
}

TEST_CASE("client: nothing of a caller begins a line of its own", "[net][client]") {
  Fixture fixture(false);
  for (const net::ClientRequest& request : {
           net::ClientRequest{.target = "/a b", .fields = {}, .body = {}},
           net::ClientRequest{.target = "/a\r\nx: y", .fields = {}, .body = {}},
           net::ClientRequest{.target = "a", .fields = {}, .body = {}},
           net::ClientRequest{.method = "G\nET", .target = "/", .fields = {}, .body = {}},
           net::ClientRequest{.target = "/", .fields = {{"x\n", "y"}}, .body = {}},
           net::ClientRequest{.target = "/", .fields = {{"x", "y\r\nz: 1"}}, .body = {}},
       }) {
    const auto refused = fixture.ask(request);
    REQUIRE(!refused);
    CHECK(refused.error().kind == ErrorKind::invalid);
  }
  CHECK(fixture.client->stats().dials == 0);
}

TEST_CASE("client: a background that stops ends its calls", "[net][client]") {
  Fixture fixture(true);
  auto running = fixture.start({.target = "/silent", .fields = {}, .body = {}});
  REQUIRE(becomes_true([&] { return fixture.server->stats().requests_http2 == 1; }));
  CHECK(fixture.background.stop(Clock::now() + seconds(patience_seconds)));
  const bool answered = [&] {
    try {
      return running.get().has_value();
    } catch (const std::future_error&) {  // its task was unwound
      return false;
    }
  }();
  CHECK(!answered);
}

}  // namespace portcullis::test
