// The doors as processes: they start, say that they are ready, reload, drain and end as docs/cli.md says.
#include "tests/cli/process.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/catch.hpp"
#include "tests/cli/certificate.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;

namespace {

constexpr std::string_view guard_policy = R"(---
apiVersion: portcullis.dev/v1
kind: GuardPolicy
metadata: {name: default}
spec:
  trustedProxies: {cidrs: [127.0.0.0/8], hops: 1}
  unknownHost: deny
)";

struct World {
  TempDir dir;
  std::string config = dir.path().string() + "/documents";
  std::string certificate, key;
  World() {
    (void)dir.write("documents/all.yaml", std::string(documents) + std::string(guard_policy));
    renew_certificate("first");
  }
  void renew_certificate(const std::string& name) {
    const CertificatePair pair = make_certificate(name);
    key = dir.write("tls.key", pair.key);
    certificate = dir.write("tls.crt", pair.certificate);
  }
  [[nodiscard]] std::vector<std::string> guard(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"guard", "--config", config, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--threads", "1",
                               "--drain-delay", "0"});
    return more;
  }
  [[nodiscard]] std::vector<std::string> webhook(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"webhook", "--config", config, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--threads",
                               "1", "--drain-delay", "0", "--tls-cert", certificate, "--tls-key", key});
    return more;
  }
};

// The subject of the certificate that a server shows; "" when there is no handshake.
std::string shown_certificate(std::uint16_t port) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  BIO* bio = BIO_new_ssl_connect(context.get());
  std::string name;
  BIO_set_conn_hostname(bio, ("127.0.0.1:" + std::to_string(port)).c_str());
  if (BIO_do_handshake(bio) == 1) {
    SSL* ssl = nullptr;
    BIO_get_ssl(bio, &ssl);
    char text[256] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName, text, sizeof text);
    name = text;
  }
  BIO_free_all(bio);
  return name;
}

std::string metrics(std::uint16_t port) { return body_of(http(port, "/metrics")); }

}  // namespace

TEST_CASE("the guard starts, answers, drains and ends", "[cli][process]") {
  const World world;
  Process process(world.guard());
  const std::uint16_t door = port_of(process.wait_for_line("ready guard http://127.0.0.1:"));
  const std::uint16_t probes = port_of(process.wait_for_line("ready metrics http://127.0.0.1:"));
  CHECK(status_of(http(door, "/healthz")) == 200);
  CHECK(status_of(http(door, "/readyz")) == 200);
  CHECK(status_of(http(door, "/metrics")) == 404);
  CHECK(status_of(http(probes, "/healthz")) == 200);
  const std::string ready = http(probes, "/readyz");
  CHECK(status_of(ready) == 200);
  CHECK(ready.find("documents sha256:") != std::string::npos);
  CHECK(status_of(http(probes, "/other")) == 404);
  CHECK(status_of(http(
            door, "/auth",
            "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: nobody.example\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\n")) == 403);
  process.signal(SIGTERM);
  CHECK(process.wait_for_end() == 0);
  CHECK(process.out().find("\"kind\":\"guard\"") != std::string::npos);  // the decision log goes to standard output
}

TEST_CASE("the webhook starts over TLS and takes a new certificate", "[cli][process]") {
  World world;
  Process process(world.webhook({"--audit-log", world.dir.path().string() + "/decisions.jsonl"}));
  const std::uint16_t door = port_of(process.wait_for_line("ready webhook https://127.0.0.1:"));
  const std::uint16_t probes = port_of(process.wait_for_line("ready metrics http://127.0.0.1:"));
  CHECK(shown_certificate(door) == "first");
  SECTION("when the files change") {
    world.renew_certificate("second");
    CHECK(eventually([&] { return shown_certificate(door) == "second"; }));
  }
  SECTION("a broken pair is refused, the old one stays") {
    (void)world.dir.write("tls.crt", "not a certificate");
    process.signal(SIGHUP);
    CHECK(eventually([&] {
      return metrics(probes).find("portcullis_net_certificate_reloads_total{door=\"webhook\",result=\"refused\"} 0") == std::string::npos;
    }));
    CHECK(shown_certificate(door) == "first");
  }
  process.signal(SIGINT);
  CHECK(process.wait_for_end() == 0);
  CHECK(process.out().empty());
  CHECK(std::filesystem::file_size(world.dir.path() / "decisions.jsonl") > 0);
}

TEST_CASE("documents are read again, whole or not at all", "[cli][process]") {
  const World world;
  Process process(world.guard());
  const std::uint16_t probes = port_of(process.wait_for_line("ready metrics http://127.0.0.1:"));
  const std::string before = body_of(http(probes, "/readyz"));
  SECTION("at SIGHUP") {
    (void)world.dir.write("documents/all.yaml", std::string(documents) + std::string(guard_policy) + "# more\n");
    process.signal(SIGHUP);
    CHECK(eventually([&] { return body_of(http(probes, "/readyz")) != before; }));
  }
  SECTION("when a file changes") {
    (void)world.dir.write(
        "documents/more.yaml",
        "apiVersion: portcullis.dev/v1\nkind: Policy\nmetadata: {name: more}\nspec: {rules: [{id: replica-floor, with: {min: 2}}]}\n");
    CHECK(eventually([&] { return body_of(http(probes, "/readyz")) != before; }));
  }
  SECTION("a broken set is refused and said") {
    (void)world.dir.write("documents/more.yaml", "apiVersion: portcullis.dev/v1\nkind: Polcy\nmetadata: {name: more}\n");
    process.signal(SIGHUP);
    CHECK(eventually([&] { return body_of(http(probes, "/readyz")).find("the last set was refused: ") != std::string::npos; }));
    CHECK(status_of(http(probes, "/readyz")) == 200);
    CHECK(body_of(http(probes, "/readyz")).starts_with(before));
    CHECK(metrics(probes).find("portcullis_config_reloads_total{result=\"refused\"} 0") == std::string::npos);
  }
  process.signal(SIGTERM);
  CHECK(process.wait_for_end() == 0);
}

TEST_CASE("while it drains it still answers, and is not ready; a second signal ends it", "[cli][process]") {
  const World world;
  std::vector<std::string> words = world.guard();
  words.back() = "20";  // --drain-delay
  Process process(words);
  const std::uint16_t door = port_of(process.wait_for_line("ready guard http://127.0.0.1:"));
  const std::uint16_t probes = port_of(process.wait_for_line("ready metrics http://127.0.0.1:"));
  process.signal(SIGTERM);
  CHECK(eventually([&] { return status_of(http(probes, "/readyz")) == 503; }));
  CHECK(eventually([&] { return status_of(http(door, "/readyz")) == 503; }));
  CHECK(status_of(http(door, "/healthz")) == 200);
  const auto begin = std::chrono::steady_clock::now();
  process.signal(SIGTERM);
  CHECK(process.wait_for_end() == 0);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("what cannot start says why and exits 2", "[cli][process]") {
  const World world;
  const TempDir empty;
  struct Case {
    const char* name;
    std::vector<std::string> words;
    const char* error;
  };
  std::vector<std::string> wrong_documents = world.guard();
  wrong_documents[2] = empty.path().string();
  std::vector<std::string> wrong_pair = world.webhook();
  *(std::find(wrong_pair.begin(), wrong_pair.end(), "--tls-cert") + 1) =
      world.dir.write("other.crt", make_certificate("other").certificate);
  const std::string short_key = world.dir.write("short.key", "fifteen bytes..");
  const Case cases[] = {
      {"no documents", wrong_documents, "error: "},
      {"a certificate without its key", world.guard({"--tls-cert", world.certificate}), "--tls-cert without --tls-key"},
      {"a key without its certificate", world.guard({"--tls-key", world.key}), "--tls-key without --tls-cert"},
      {"client certificates without TLS", world.guard({"--client-ca", world.certificate}), "--client-ca without --tls-cert"},
      {"client authentication without a bundle", world.webhook({"--client-auth", "require"}), "--client-auth without --client-ca"},
      {"a pair that does not fit", wrong_pair, "error: "},
      {"an address that is none", world.guard({"--listen", "localhost"}), "--listen"},
      {"a short hash key", world.guard({"--hash-key", short_key}), "found 15 bytes, want 16 or more"},
      {"no hash key", world.guard({"--hash-key", "/nowhere"}), "cannot be read"},
      {"a log that cannot be written", world.guard({"--audit-log", "/nowhere/log"}), "error: "},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Process process(c.words);
      CHECK(process.wait_for_end() == 2);
      CAPTURE(process.err());
      CHECK(process.err().find(c.error) != std::string::npos);
      CHECK(process.err().find("ready ") == std::string::npos);
    }
  }
}

TEST_CASE("docs/metrics.md has a row for every metric of a live scrape, and no other", "[cli][process]") {
  const World world;
  std::set<std::string> live;
  for (const auto& words : {world.guard({"--access-log", world.dir.path().string() + "/access.log"}), world.webhook()}) {
    Process process(words);
    const std::uint16_t probes = port_of(process.wait_for_line("ready metrics http://127.0.0.1:"));
    std::istringstream lines(metrics(probes));
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("# TYPE ")) live.insert(line.substr(7, line.find(' ', 7) - 7));
    process.signal(SIGINT);
    CHECK(process.wait_for_end() == 0);
  }
  REQUIRE(live.size() > 20);
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/docs/metrics.md");
  std::set<std::string> documented;
  const std::regex row("^\\| `([a-z_]+)` \\|.*");
  std::smatch match;
  // This program has no cluster: what it tells of one is looked at where it is made.
  for (std::string line; std::getline(file, line) && line != "## In a cluster";)
    if (std::regex_match(line, match, row)) documented.insert(match[1]);
  for (const std::string& name : live) {
    CAPTURE(name);
    CHECK(documented.count(name) == 1);
  }
  for (const std::string& name : documented) {
    CAPTURE(name);
    CHECK(live.count(name) == 1);
  }
}

TEST_CASE("a closed standard output keeps the exit code", "[cli][process]") {
  const World world;
  const std::string file = world.dir.write("web.yaml", deployment("web", "1"));
  // `set -o pipefail`'s view, without a shell: the reader has gone before the first byte.
  int pipes[2];
  REQUIRE(pipe2(pipes, O_CLOEXEC) == 0);
  close(pipes[0]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
  const char* argv[] = {PORTCULLIS_PROGRAM, "check", "--config", world.config.c_str(), "-n", "acme-prod", file.c_str(), nullptr};
  pid_t pid = -1;
  REQUIRE(posix_spawn(&pid, PORTCULLIS_PROGRAM, &actions, nullptr, const_cast<char**>(argv), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(pipes[1]);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}
