// An authority of one's own, and what certificates say.
#include "net/certificate.hpp"

#include <csignal>

#include "net/certificate_authority.hpp"
#include "net/peer_certificate.hpp"
#include "net/server.hpp"
#include "tests/catch.hpp"
#include "tests/net/certificate.hpp"

using namespace portcullis;
using namespace std::chrono_literals;

namespace {

Instant now() { return std::chrono::floor<std::chrono::seconds>(WallClock::now()); }

net::PemPair authority(const std::string& name = "Portcullis CA", std::chrono::seconds lifetime = 24h * 365) {
  return net::make_authority(name, {now() - 5min, now() + lifetime}).value();
}

net::PemPair leaf(const net::PemPair& issuer, std::chrono::seconds lifetime = 24h) {
  return net::issue_leaf(issuer, {.common_name = "portcullis-webhook",
                                  .dns_names = net::service_names("portcullis-webhook", "gate"),
                                  .addresses = {"127.0.0.1", "::1"},
                                  .validity = {now() - 5min, now() + lifetime}})
      .value();
}

class Silent final : public net::Handler {
  void answer(const net::Request&, net::Response& response) override { response.status = 204; }
};

}  // namespace

TEST_CASE("a leaf says what was asked for", "[net][certificate]") {
  const net::PemPair root = authority(), pair = leaf(root);
  const auto facts = net::read_certificates(pair.certificate, "tls.crt").value();
  REQUIRE(facts.size() == 1);
  CHECK(facts[0].subject == "CN=portcullis-webhook");
  CHECK(facts[0].issuer == "CN=Portcullis CA");
  CHECK(facts[0].key_type == "ECDSA P-256");
  CHECK(facts[0].dns_names ==
        std::vector<std::string>{"portcullis-webhook.gate.svc", "portcullis-webhook.gate.svc.cluster.local", "portcullis-webhook.gate"});
  CHECK(facts[0].addresses == std::vector<std::string>{"127.0.0.1", "::1"});
  CHECK_FALSE(facts[0].is_authority);
  CHECK(facts[0].serial.size() == 32);
  CHECK(facts[0].not_after - facts[0].not_before == 24h + 5min);
  CHECK(facts[0].pem == pair.certificate);
  CHECK(net::certificate_fingerprint(pair.certificate) == facts[0].fingerprint);
  CHECK(net::read_certificates(root.certificate, "ca.crt").value()[0].is_authority);
  CHECK(net::check_key(pair, "tls.key").has_value());
}

TEST_CASE("who trusts whom", "[net][certificate]") {
  const net::PemPair root = authority(), other = authority(), pair = leaf(root, 1h);  // two roots of one name
  struct Case {
    const char* name;
    std::string roots, host;
    std::chrono::seconds later;
    const char* error;  // "" when trusted
  };
  const Case cases[] = {
      {"its root", root.certificate, "portcullis-webhook.gate.svc", 0s, ""},
      {"any name", root.certificate, "", 0s, ""},
      {"an address", root.certificate, "127.0.0.1", 0s, ""},
      {"its root beside another of the same name", other.certificate + root.certificate, "portcullis-webhook.gate.svc", 0s, ""},
      {"another root of the same name", other.certificate, "", 0s, "unable to get local issuer certificate"},
      {"another host", root.certificate, "portcullis-guard.gate.svc", 0s, "hostname mismatch"},
      {"another address", root.certificate, "127.0.0.2", 0s, "IP address mismatch"},
      {"the common name is no name", root.certificate, "portcullis-webhook", 0s, "hostname mismatch"},
      {"too late", root.certificate, "", 2h, "certificate has expired"},
      {"too early", root.certificate, "", -1h, "certificate is not yet valid"},
      {"no roots", "", "", 0s, "unable to get local issuer certificate"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto trusted = net::verify_chain(pair.certificate, c.roots, c.host, now() + c.later);
      CHECK((trusted ? "" : trusted.error().what) == c.error);
    }
  }
}

TEST_CASE("a leaf never outlives its authority", "[net][certificate]") {
  const net::PemPair root = authority("short", 1h), pair = leaf(root, 24h);
  CHECK(net::read_certificates(pair.certificate, "").value()[0].not_after ==
        net::read_certificates(root.certificate, "").value()[0].not_after);
}

TEST_CASE("what cannot be read is said", "[net][certificate]") {
  const net::PemPair root = authority(), pair = leaf(root);
  struct Case {
    const char* name;
    std::string pem;
    const char* error;
  };
  const Case cases[] = {
      {"nothing", "", "f: found no certificate, want PEM"},
      {"only words", "hello", "f: found no certificate, want PEM"},
      {"a key alone", pair.key, "f: found no certificate, want PEM"},
      {"not base64", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", "f: cannot read a certificate: bad base64 decode"},
      {"cut off", pair.certificate.substr(0, 200), "f: cannot read a certificate: bad end line"},
      {"too large", std::string(net::certificate_pem_bytes_max + 1, ' '), "f: larger than 256 KiB"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto read = net::read_certificates(c.pem, "f");
      REQUIRE_FALSE(read.has_value());
      CHECK(read.error().message() == c.error);
    }
  }
  CHECK(net::read_certificates("words\n" + pair.certificate + pair.key + root.certificate, "f").value().size() == 2);
  std::string many;
  for (std::size_t at = 0; at <= net::certificates_max; ++at) many += root.certificate;
  CHECK(net::read_certificates(many, "f").error().message() == "f: more than 256 certificates");
}

TEST_CASE("a key that is not the certificate's is refused", "[net][certificate]") {
  const net::PemPair root = authority(), pair = leaf(root), other = leaf(root);
  CHECK(net::check_key({pair.certificate, other.key}, "f").error().message() == "f: the key does not belong to the certificate");
  CHECK_FALSE(net::check_key({pair.certificate, "no key"}, "f").has_value());
  CHECK_FALSE(net::check_key({"no certificate", pair.key}, "f").has_value());
  CHECK(net::issue_leaf({root.certificate, pair.key},
                        {.common_name = "x", .dns_names = {"x"}, .addresses = {}, .validity = {now(), now() + 1h}})
            .error()
            .message() == "certificate authority: its certificate or its key cannot be used");
}

TEST_CASE("a name that would be two is refused", "[net][certificate]") {
  for (const char* name : {"a,DNS:b", "", "a b", "a\n"}) {
    CAPTURE(name);
    CHECK_FALSE(net::issue_leaf(authority(), {.common_name = "x", .dns_names = {name}, .addresses = {}, .validity = {now(), now() + 1h}})
                    .has_value());
  }
}

TEST_CASE("a server's certificates are fetched untrusted", "[net][certificate]") {
  const test::TemporaryDirectory directory;
  const net::PemPair root = authority(), pair = leaf(root);
  test::write_file(directory.path() / "tls.crt", pair.certificate + root.certificate);
  test::write_file(directory.path() / "tls.key", pair.key);
  net::ServerOptions options;
  options.door = "webhook";
  options.listen = {{"127.0.0.1", 0}};
  options.tls = net::TlsFiles{directory.path() / "tls.crt", directory.path() / "tls.key", std::nullopt, net::ClientAuth::off};
  options.threads = 1;
  const auto server = net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Silent>(); }).value();
  const std::string endpoint = "127.0.0.1:" + std::to_string(server->addresses().front().port);
  CHECK(net::fetch_certificates(endpoint, "", Clock::now() + 30s).value() == pair.certificate + root.certificate);
  CHECK(net::fetch_certificates(endpoint, "portcullis-webhook.gate.svc", Clock::now() + 30s).has_value());
  CHECK_FALSE(net::fetch_certificates("127.0.0.1:1", "", Clock::now() + 30s).has_value());
}

TEST_CASE("what reads as an endpoint", "[net][certificate]") {
  for (const char* text : {"127.0.0.1:8443", "[::1]:8443", "localhost:1", "a.svc:443"}) CHECK(net::is_endpoint(text));
  for (const char* text : {"tls.crt", "tls.crt:", ":8443", "dir/tls:8443", "a:b", "a:123456", ""}) CHECK_FALSE(net::is_endpoint(text));
}

TEST_CASE("a door opens with a pair from memory, and none before", "[net][certificate]") {
  std::signal(SIGPIPE, SIG_IGN);  // as the program does
  net::ServerOptions options;
  options.door = "webhook";
  options.listen = {{"127.0.0.1", 0}};
  options.tls = net::TlsFiles{};
  options.threads = 1;
  const auto server = net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Silent>(); }).value();
  const std::string endpoint = "127.0.0.1:" + std::to_string(server->addresses().front().port);
  CHECK_FALSE(net::fetch_certificates(endpoint, "", Clock::now() + 30s).has_value());
  CHECK(server->stats().certificate_not_after == 0);
  CHECK(server->reload_certificate().has_value());

  const net::PemPair root = authority(), pair = leaf(root), other = leaf(root), stale = leaf(root, -1s);
  CHECK(server->use_certificate({pair.certificate, other.key}).error().message() == "key: cannot be used: key values mismatch");
  CHECK(server->use_certificate(stale).error().message().find("certificate: the certificate expired at ") == 0);
  CHECK_FALSE(net::fetch_certificates(endpoint, "", Clock::now() + 30s).has_value());

  REQUIRE(server->use_certificate({pair.certificate + root.certificate, pair.key}).has_value());
  CHECK(net::fetch_certificates(endpoint, "", Clock::now() + 30s).value() == pair.certificate + root.certificate);
  REQUIRE(server->use_certificate(other).has_value());
  CHECK(net::fetch_certificates(endpoint, "", Clock::now() + 30s).value() == other.certificate);
  CHECK_FALSE(server->use_certificate(stale).has_value());
  CHECK(net::fetch_certificates(endpoint, "", Clock::now() + 30s).value() == other.certificate);
  CHECK(server->stats().certificate_reloads == 2);
  CHECK(server->stats().certificate_reload_failures == 3);
}
