// Where the API server is: a pod's files, kubeconfig files and how they are merged, and what is refused.
#include "kube/config.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "kube/credentials.hpp"
#include "tests/catch.hpp"
#include "tests/net/certificate.hpp"

namespace portcullis::test {
namespace {

using Json = nlohmann::json;

Json kubeconfig() {
  return Json::parse(R"({
    "apiVersion": "v1", "kind": "Config", "current-context": "dev",
    "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority": "pki/ca.crt"}}],
    "users": [{"name": "u", "user": {"token": "t0"}}],
    "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
                 {"name": "other", "context": {"cluster": "c", "user": ""}}]
  })");
}

Result<kube::Config> read(const Json& json, std::string_view context = {}) {
  return kube::read_kubeconfig({{.path = "/home/a/config", .json = json.dump()}}, context);
}

std::string error_of(const Json& json) {
  const auto config = read(json);
  return config ? "" : config.error().message();
}

}  // namespace

TEST_CASE("kubeconfig: what is read", "[kube][config]") {
  const auto config = read(kubeconfig());
  REQUIRE(config);
  CHECK(config->host == "10.0.0.1");
  CHECK(config->port == 6443);
  CHECK(!config->plain);
  CHECK(config->base_path.empty());
  CHECK(config->roots.file == "/home/a/pki/ca.crt");
  CHECK(config->token.bytes == "t0");
  CHECK(config->name_space == "team");
  CHECK(config->source == "/home/a/config context `dev`");
  const auto other = read(kubeconfig(), "other");
  REQUIRE(other);
  CHECK(!other->token.is_given());
  CHECK(other->name_space.empty());

  Json full = kubeconfig();
  full["clusters"][0]["cluster"] = {{"server", "https://[2001:db8::1]/k8s/c-1/"}, {"certificate-authority-data", "YWJj"},
                                    {"certificate-authority", "unused"},          {"tls-server-name", "kubernetes"},
                                    {"insecure-skip-tls-verify", false},          {"proxy-url", ""}};
  full["users"][0]["user"] = {
      {"client-certificate-data", "Y2VydA=="}, {"client-key", "/abs/key"}, {"tokenFile", "tokens/t"}, {"token", "t1"}};
  const auto all = read(full);
  REQUIRE(all);
  CHECK(all->host == "2001:db8::1");
  CHECK(all->port == 443);
  CHECK(all->base_path == "/k8s/c-1");
  CHECK(all->server_name == "kubernetes");
  CHECK(all->roots.bytes == "abc");
  CHECK(all->roots.file.empty());
  CHECK(all->certificate.bytes == "cert");
  CHECK(all->key.file == "/abs/key");
  CHECK(all->token.file == "/home/a/tokens/t");
  CHECK(all->token.bytes.empty());
}

TEST_CASE("kubeconfig: several files, the first wins", "[kube][config]") {
  const Json first = Json::parse(R"({"users": [{"name": "u", "user": {"tokenFile": "t"}}], "clusters": null, "contexts": []})");
  Json second = kubeconfig();
  second["users"].push_back({{"name", "v"}, {"user", {{"token", "t2"}}}});
  const Json third = Json::parse(R"({"current-context": "last", "contexts": [{"name": "last", "context": {"cluster": "c", "user": "v"}},
                                    {"name": "dev", "context": {"cluster": "nowhere"}}]})");
  const auto merged = [&](std::string_view context) {
    return kube::read_kubeconfig(
        {{"/1/config", first.dump()}, {"/2/config", second.dump()}, {"/3/config", third.dump()}, {"/4/config", "null"}}, context);
  };
  const auto current = merged("");
  REQUIRE(current);
  CHECK(current->token.file == "/1/t");
  CHECK(current->roots.file == "/2/pki/ca.crt");
  const auto last = merged("last");
  REQUIRE(last);
  CHECK(last->token.bytes == "t2");
}

TEST_CASE("kubeconfig: what is refused", "[kube][config]") {
  struct Case {
    const char* name;
    std::function<void(Json&)> change;
    const char* error;
  };
  const auto cluster = [](Json& json) -> Json& { return json["clusters"][0]["cluster"]; };
  const auto user = [](Json& json) -> Json& { return json["users"][0]["user"]; };
  const Case cases[] = {
      {"a program",
       [&](Json& j) {
         user(j)["exec"] = {{"command", "aws"}};
       },
       "/home/a/config user `u` exec: is not supported: want token, tokenFile or client-certificate; no program is run for credentials"},
      {"a provider",
       [&](Json& j) {
         user(j)["auth-provider"] = {{"name", "gcp"}};
       },
       "/home/a/config user `u` auth-provider: is not supported: want token, tokenFile or client-certificate"},
      {"a password", [&](Json& j) { user(j)["username"] = "admin"; },
       "/home/a/config user `u` username: is not supported: want token, tokenFile or client-certificate"},
      {"acting as another", [&](Json& j) { user(j)["as"] = "root"; },
       "/home/a/config user `u` as: is not supported: want credentials of one's own"},
      {"trusting anybody", [&](Json& j) { cluster(j)["insecure-skip-tls-verify"] = true; },
       "/home/a/config cluster `c` insecure-skip-tls-verify: is not supported: want certificate-authority or certificate-authority-data, "
       "so that the server is known"},
      {"a proxy", [&](Json& j) { cluster(j)["proxy-url"] = "http://proxy:3128"; },
       "/home/a/config cluster `c` proxy-url: is not supported: want a server that is reached directly"},
      {"half a certificate", [&](Json& j) { user(j)["client-key"] = "k"; },
       "/home/a/config user `u`: want client-certificate and client-key, found one of the two"},
      {"not base64", [&](Json& j) { cluster(j)["certificate-authority-data"] = "a b="; },
       "/home/a/config cluster `c` certificate-authority-data: want base64"},
      {"not a string", [&](Json& j) { user(j)["token"] = 7; }, "/home/a/config user `u` token: want a string"},
      {"no server", [&](Json& j) { cluster(j).erase("server"); },
       "/home/a/config cluster `c` server: found ``, want a URL such as https://10.0.0.1:6443"},
      {"another scheme", [&](Json& j) { cluster(j)["server"] = "ftp://a"; },
       "/home/a/config cluster `c` server: found `ftp://a`, want a URL such as https://10.0.0.1:6443"},
      {"a user in the URL", [&](Json& j) { cluster(j)["server"] = "https://u:p@a"; },
       "/home/a/config cluster `c` server: found `https://u:p@a`, want a URL without a user, a query or a fragment"},
      {"a port beyond", [&](Json& j) { cluster(j)["server"] = "https://a:65536"; },
       "/home/a/config cluster `c` server: found the port `65536`, want 1 to 65535"},
      {"a bracket that stays open", [&](Json& j) { cluster(j)["server"] = "https://[::1"; },
       "/home/a/config cluster `c` server: found `https://[::1`, want an IPv6 address in brackets"},
      {"no such context", [&](Json& j) { j["current-context"] = "x"; }, "kubeconfig: found no context `x`"},
      {"no such cluster", [&](Json& j) { j["contexts"][0]["context"]["cluster"] = "x"; }, "kubeconfig: found no cluster `x`"},
      {"no such user", [&](Json& j) { j["contexts"][0]["context"]["user"] = "x"; }, "kubeconfig: found no user `x`"},
      {"no current context", [&](Json& j) { j.erase("current-context"); }, "kubeconfig: no current-context, and no context was named"},
      {"a cluster without fields", [&](Json& j) { j["clusters"][0]["cluster"] = nullptr; }, "/home/a/config cluster `c`: has no fields"},
      {"names that are none",
       [&](Json& j) {
         j["clusters"] = Json::array({1, {{"name", 2}}, nullptr});
       },
       "kubeconfig: found no cluster `c`"},
      {"no kubeconfig", [&](Json& j) { j = Json::array(); }, "/home/a/config: want a kubeconfig"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Json json = kubeconfig();
      c.change(json);
      CHECK(error_of(json) == c.error);
    }
  }
  CHECK(!kube::read_kubeconfig({}, ""));
  CHECK(!kube::read_kubeconfig({{"/x", "{"}}, ""));
}

TEST_CASE("in a cluster: the pod's ServiceAccount", "[kube][config]") {
  const TemporaryDirectory directory;
  const auto read_here = [&](std::string_view host, std::string_view port) {
    return kube::in_cluster_config(host, port, directory.path());
  };
  CHECK(read_here("10.96.0.1", "443").error().what == "cannot be read: No such file or directory");
  write_file(directory.path() / "namespace", "portcullis-system\n");
  const auto config = read_here("10.96.0.1", "443");
  REQUIRE(config);
  CHECK(config->host == "10.96.0.1");
  CHECK(config->port == 443);
  CHECK(config->name_space == "portcullis-system");
  CHECK(config->token.file == directory.path() / "token");
  CHECK(config->roots.file == directory.path() / "ca.crt");
  CHECK(read_here("fd00::1", "6443").value().host == "fd00::1");
  CHECK(read_here("", "443").error().message() == "KUBERNETES_SERVICE_HOST: is not set: this is no pod of a cluster");
  CHECK(read_here("10.96.0.1", "tcp").error().message() == "KUBERNETES_SERVICE_PORT: found the port `tcp`, want 1 to 65535");
}

TEST_CASE("credentials: files are read again when they are old", "[kube][config]") {
  using std::chrono::seconds;
  const TemporaryDirectory directory;
  kube::Config config;
  config.token.file = directory.path() / "token";
  config.roots.file = directory.path() / "ca";
  config.certificate.file = directory.path() / "c";
  config.key.file = directory.path() / "k";
  const auto start = Clock::now();
  CHECK(!kube::Credentials::load(config, {}, start));
  for (const char* file : {"token", "ca", "c", "k"}) write_file(directory.path() / file, std::string(file) + "-1\n");
  auto credentials = kube::Credentials::load(config, {}, start);
  REQUIRE(credentials);
  CHECK(credentials->token(start) == "token-1");
  CHECK(credentials->tls().roots_pem == "ca-1");
  for (const char* file : {"token", "ca", "c", "k"}) write_file(directory.path() / file, std::string(file) + "-2\n");
  CHECK(credentials->token(start + seconds(59)) == "token-1");
  CHECK(credentials->token(start + seconds(60)) == "token-2");
  CHECK(credentials->renew_tls(start + seconds(59)) == kube::Credentials::Changed::nothing);
  CHECK(credentials->renew_tls(start + seconds(60)) == kube::Credentials::Changed::roots);
  CHECK(credentials->tls().roots_pem == "ca-2");
  CHECK(credentials->tls().certificate_pem == "c-1");
  CHECK(credentials->renew_tls(start + seconds(300)) == kube::Credentials::Changed::identity);
  CHECK(credentials->tls().key_pem == "k-2");
  CHECK(credentials->renew_tls(start + seconds(300)) == kube::Credentials::Changed::nothing);
  // What cannot be read leaves the former in use.
  write_file(directory.path() / "token", " \n");
  std::filesystem::remove(directory.path() / "ca");
  CHECK(credentials->renew_token(start + seconds(301)));
  CHECK(credentials->token(start + seconds(302)) == "token-2");
  CHECK(credentials->renew_tls(start + seconds(400)) == kube::Credentials::Changed::nothing);
  CHECK(credentials->tls().roots_pem == "ca-2");
  write_file(directory.path() / "token", std::string(kube::credential_bytes_max + 1, 'x'));
  CHECK(kube::read_credential(directory.path() / "token").error().kind == ErrorKind::limit_exceeded);
  kube::Config fixed;
  fixed.token.bytes = "t";
  auto steady = kube::Credentials::load(fixed, {}, start);
  REQUIRE(steady);
  CHECK(!steady->renew_token(start));
  CHECK(steady->token(start + seconds(1000)) == "t");
}

}  // namespace portcullis::test
