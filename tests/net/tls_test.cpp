// TLS: versions, resumption, client certificates, and certificates that change while connections live.
#include <openssl/ssl.h>

#include <filesystem>
#include <string>

#include "tests/catch.hpp"
#include "tests/net/client.hpp"

namespace portcullis::test {
namespace {

namespace fs = std::filesystem;

struct Files {
  TemporaryDirectory directory;
  net::TlsFiles tls{.certificate = directory.path() / "tls.crt", .key = directory.path() / "tls.key", .client_ca = std::nullopt};

  void write(const Certificate& certificate) const { write(certificate.certificate_pem(), certificate.key_pem()); }
  void write(const std::string& certificate, const std::string& key) const {
    write_file(tls.certificate, certificate);
    write_file(tls.key, key);
  }
};

std::string served_name(std::uint16_t port) {
  Client client(port, {});
  if (!client.is_connected()) return {};
  char name[64] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client.ssl())), NID_commonName, name, sizeof name);
  return name;
}

}  // namespace

TEST_CASE("TLS versions, ciphers and protocols", "[net][tls]") {
  Files files;
  files.write(Certificate({}));
  net::ServerOptions options;
  options.tls = files.tls;
  const auto server = start_server(std::move(options));
  const auto port = port_of(*server);

  Client modern(port, {.protocol = "http/1.1"});
  REQUIRE(modern.is_connected());
  CHECK(std::string(SSL_get_version(modern.ssl())) == "TLSv1.3");
  CHECK(modern.ask(post("/", "abc")).ends_with("POST / [abc] host=a"));
  CHECK(modern.ask(post("/length", std::string(300'000, 'b'))).ends_with("POST /length 300000 whole host=a"));
  CHECK(modern.ask(get("/large?3000000")).size() > 3'000'000);

  Client older(port, {.version_max = TLS1_2_VERSION});
  REQUIRE(older.is_connected());
  CHECK(std::string(SSL_get_version(older.ssl())) == "TLSv1.2");
  CHECK(std::string(SSL_get_cipher_name(older.ssl())).starts_with("ECDHE-ECDSA-AES"));
  CHECK(SSL_get_secure_renegotiation_support(older.ssl()) == 1);
  CHECK(older.ask(get("/")).ends_with("GET / [] host=a"));
  SSL_renegotiate(older.ssl());
  CHECK(SSL_do_handshake(older.ssl()) != 1);  // refused

  CHECK(!Client(port, {.version_max = TLS1_1_VERSION}).is_connected());
  CHECK(!Client(port, {.version_max = TLS1_VERSION}).is_connected());
  CHECK(!Client(port, {.protocol = "spdy/3"}).is_connected());
  Client plain(port);
  REQUIRE(plain.send(get("/")));
  plain.receive_all();  // an alert at most, and the end
  CHECK(becomes_true([&] { return server->stats().handshakes_failed >= 3; }));
}

TEST_CASE("a pipelined request in the same record is not forgotten", "[net][tls]") {
  Files files;
  files.write(Certificate({}));
  net::ServerOptions options;
  options.tls = files.tls;
  const auto server = start_server(std::move(options));
  Client client(port_of(*server), {});
  REQUIRE(client.send(get("/1") + get("/2")));
  CHECK(client.receive_answer().ends_with("GET /1 [] host=a"));
  CHECK(client.receive_answer().ends_with("GET /2 [] host=a"));
  // One byte a record, several records a packet.
  const std::string request = post("/3", "abc");
  for (const char c : request) REQUIRE(client.send(std::string(1, c)));
  CHECK(client.receive_answer().ends_with("POST /3 [abc] host=a"));
}

TEST_CASE("a flood of key updates ends the connection", "[net][tls]") {
  Files files;
  files.write(Certificate({}));
  net::ServerOptions options;
  options.tls = files.tls;
  const auto server = start_server(std::move(options));
  Client client(port_of(*server), {});
  REQUIRE(client.is_connected());
  for (int i = 0; i < 200; ++i) {
    if (SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(client.ssl()) != 1) break;
  }
  client.send(get("/"));
  CHECK(client.receive_all().find("x-answered") == std::string::npos);
  CHECK(becomes_true([&] { return server->stats().connections_open == 0; }));
}

TEST_CASE("sessions are resumed until the certificate changes", "[net][tls]") {
  Files files;
  files.write(Certificate({}));
  net::ServerOptions options;
  options.tls = files.tls;
  options.threads = 2;  // a ticket is good on every loop
  const auto server = start_server(std::move(options));
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  CAPTURE(version);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_SESSION* session = nullptr;
  {
    Client first(port_of(*server), {.version_max = version, .context = context.get()});
    REQUIRE(first.is_connected());
    REQUIRE(!first.ask(get("/")).empty());  // the tickets of TLS 1.3 come with it
    session = SSL_get1_session(first.ssl());
  }
  REQUIRE(SSL_SESSION_is_resumable(session) == 1);
  for (int i = 0; i < 4; ++i) {
    Client again(port_of(*server), {.version_max = version, .session = session, .context = context.get()});
    REQUIRE(again.is_connected());
    CHECK(SSL_session_reused(again.ssl()) == 1);
    CHECK(again.ask(get("/")).ends_with("GET / [] host=a"));
  }
  CHECK(server->stats().handshakes_resumed == 4);
  REQUIRE(server->reload_certificate());
  Client after(port_of(*server), {.version_max = version, .session = session, .context = context.get()});
  REQUIRE(after.is_connected());
  CHECK(SSL_session_reused(after.ssl()) == 0);
  CHECK(after.ask(get("/")).ends_with("GET / [] host=a"));
  SSL_SESSION_free(session);
}

TEST_CASE("client certificates", "[net][tls]") {
  Files files;
  files.write(Certificate({}));
  const Certificate ca({.common_name = "clients", .is_ca = true}), other_ca({.common_name = "clients", .is_ca = true});
  const Certificate known({.common_name = "kube-apiserver", .issuer = &ca}),
      stranger({.common_name = "kube-apiserver", .issuer = &other_ca});
  const Certificate expired({.common_name = "kube-apiserver", .issuer = &ca, .valid_from_seconds = -7200, .valid_to_seconds = -3600});
  const auto ca_file = files.directory.path() / "ca.crt";
  write_file(ca_file, ca.certificate_pem());
  net::ServerOptions options;
  options.tls = files.tls;
  options.tls->client_ca = ca_file;
  // What a client with `identity` hears: with TLS 1.3 a refusal comes only after its own side is done.
  const auto hears = [](std::uint16_t port, const Certificate* identity) {
    Client client(port, {.identity = identity});
    return client.ask(get("/"));
  };
  SECTION("required") {
    options.tls->client_auth = net::ClientAuth::require;
    const auto server = start_server(std::move(options));
    CHECK(hears(port_of(*server), &known).ends_with("GET / [] client=CN=kube-apiserver host=a"));
    CHECK(hears(port_of(*server), nullptr).empty());
    CHECK(hears(port_of(*server), &stranger).empty());
    CHECK(hears(port_of(*server), &expired).empty());
  }
  SECTION("optional") {
    options.tls->client_auth = net::ClientAuth::optional;
    const auto server = start_server(std::move(options));
    CHECK(hears(port_of(*server), &known).ends_with("client=CN=kube-apiserver host=a"));
    CHECK(hears(port_of(*server), nullptr).ends_with("GET / [] host=a"));
    CHECK(hears(port_of(*server), &stranger).empty());
  }
  SECTION("asked for without a CA") {
    options.tls->client_auth = net::ClientAuth::require;
    options.tls->client_ca = std::nullopt;
    options.listen = {{"127.0.0.1", 0}};
    const auto server = net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Mirror>(); });
    REQUIRE(!server);
    CHECK(server.error().message() == "client CA: client certificates are asked for, but no CA file is named");
  }
}

TEST_CASE("a certificate is renewed without dropping a connection", "[net][tls]") {
  Files files;
  files.write(Certificate({.common_name = "one"}));
  net::ServerOptions options;
  options.tls = files.tls;
  const auto server = start_server(std::move(options));
  const auto port = port_of(*server);
  Client living(port, {});
  REQUIRE(living.ask(get("/")).ends_with("host=a"));
  CHECK(served_name(port) == "one");
  const Certificate two({.common_name = "two", .valid_to_seconds = 3600L * 48});
  const auto not_after = server->stats().certificate_not_after;

  SECTION("a good pair is taken") {
    files.write(two);
    REQUIRE(server->reload_certificate());
    CHECK(served_name(port) == "two");
    CHECK(living.ask(get("/")).ends_with("host=a"));
    CHECK(server->stats().certificate_reloads == 1);
    CHECK(server->stats().certificate_not_after > not_after);
  }
  SECTION("a bad one is refused, and the old one stays") {
    const Certificate three({.common_name = "three"});
    struct Case {
      const char* name;
      std::string certificate, key, error;
    };
    const Certificate expired({.valid_from_seconds = -7200, .valid_to_seconds = -60}), early({.valid_from_seconds = 3600});
    const Case cases[] = {
        {"another's key", two.certificate_pem(), three.key_pem(), "tls.key: cannot use the key for"},
        {"half a certificate", two.certificate_pem().substr(0, 200), two.key_pem(), "tls.crt: cannot read a certificate"},
        {"half a key", two.certificate_pem(), two.key_pem().substr(0, 100), "tls.key: cannot use the key for"},
        {"empty", "", "", "tls.crt: cannot read a certificate"},
        {"expired", expired.certificate_pem(), expired.key_pem(), "tls.crt: the certificate expired at 20"},
        {"not valid yet", early.certificate_pem(), early.key_pem(), "tls.crt: the certificate is not valid before 20"},
    };
    std::uint64_t failures = 0;
    for (const Case& c : cases) {
      CAPTURE(c.name);
      files.write(c.certificate, c.key);
      const auto reloaded = server->reload_certificate();
      REQUIRE(!reloaded);
      CAPTURE(reloaded.error().message());
      CHECK(reloaded.error().message().find(c.error) != std::string::npos);
      CHECK(server->stats().certificate_reload_failures == ++failures);
    }
    fs::remove(files.tls.key);
    CHECK(!server->reload_certificate());
    CHECK(served_name(port) == "one");
    CHECK(living.ask(get("/")).ends_with("host=a"));
    CHECK(server->stats().certificate_not_after == not_after);
    files.write(two);
    CHECK(server->reload_certificate());
    CHECK(served_name(port) == "two");
  }
}

TEST_CASE("a certificate behind Kubernetes' ..data link", "[net][tls]") {
  TemporaryDirectory directory;
  const auto put = [&](const std::string& version, const Certificate& certificate) {
    const auto folder = directory.path() / version;
    fs::create_directory(folder);
    write_file(folder / "tls.crt", certificate.certificate_pem());
    write_file(folder / "tls.key", certificate.key_pem());
    fs::create_directory_symlink(version, directory.path() / "..data_tmp");
    fs::rename(directory.path() / "..data_tmp", directory.path() / "..data");
  };
  put("..1", Certificate({.common_name = "one"}));
  fs::create_symlink("..data/tls.crt", directory.path() / "tls.crt");
  fs::create_symlink("..data/tls.key", directory.path() / "tls.key");
  net::ServerOptions options;
  options.tls = net::TlsFiles{.certificate = directory.path() / "tls.crt", .key = directory.path() / "tls.key", .client_ca = std::nullopt};
  const auto server = start_server(std::move(options));
  CHECK(served_name(port_of(*server)) == "one");
  put("..2", Certificate({.common_name = "two"}));
  REQUIRE(server->reload_certificate());
  CHECK(served_name(port_of(*server)) == "two");
}

TEST_CASE("what a start refuses", "[net]") {
  const auto start = [](net::ServerOptions options) {
    options.door = "test";
    options.threads = 1;
    return net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Mirror>(); });
  };
  net::ServerOptions options;
  CHECK(start(options).error().message() == "test: no address to listen on");
  options.listen = {{"localhost", 0}};
  CHECK(start(options).error().message() == "localhost:0: want an IP address to listen on, such as 127.0.0.1 or ::");
  const auto running = start_server({});
  options.listen = {{"127.0.0.1", port_of(*running)}};
  CHECK(start(options).error().message() == "127.0.0.1:" + std::to_string(port_of(*running)) + ": cannot bind: Address already in use");
  options.listen = {{"127.0.0.1", 0}};
  options.tls = net::TlsFiles{.certificate = "/nonexistent.crt", .key = "/nonexistent.key", .client_ca = std::nullopt};
  CHECK(start(options).error().where == "/nonexistent.crt");
}

}  // namespace portcullis::test
