// Which files and variables say where the API server is, and which of them wins.
#include "cli/cluster_config.hpp"

#include <map>
#include <string>

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

namespace portcullis::cli::test {
namespace {

std::string kubeconfig(const std::string& host) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: dev\nclusters:\n- name: c\n  cluster:\n    server: https://" + host +
         ":6443\ncontexts:\n- name: dev\n  context: {cluster: c, user: ''}\n- name: other\n  context: {cluster: c, user: u}\n"
         "users:\n- name: u\n  user:\n    tokenFile: t\n";
}

struct World {
  TempDir dir;
  std::map<std::string, std::string> variables;
  Environment environment = [this](const char* name) { return variables.count(name) != 0 ? variables[name] : std::string(); };

  [[nodiscard]] std::filesystem::path account() const { return dir.path() / "account"; }
  void make_pod() {
    for (const char* file : {"account/token", "account/ca.crt", "account/namespace"}) static_cast<void>(dir.write(file, "x"));
    variables["KUBERNETES_SERVICE_HOST"] = "10.96.0.1";
    variables["KUBERNETES_SERVICE_PORT"] = "443";
  }
  std::string user(const std::string& flag = {}, const std::string& context = {}) {
    const auto config = cluster_of_user(flag, context, environment, account());
    return config ? config->host : config.error().message();
  }
  std::string door(const std::string& flag = {}) {
    const auto config = cluster_of_door(flag, environment, account());
    if (!config) return config.error().message();
    return *config ? (*config)->host : "no cluster";
  }
};

}  // namespace

TEST_CASE("a door's cluster: what it is given, else its pod's, else none", "[cli][cluster]") {
  World world;
  CHECK(world.door() == "no cluster");
  world.variables["KUBECONFIG"] = world.dir.write("a", kubeconfig("a"));  // a person's, not a door's
  CHECK(world.door() == "no cluster");
  world.variables["KUBERNETES_SERVICE_HOST"] = "10.96.0.1";  // a pod without a token: automountServiceAccountToken: false
  CHECK(world.door() == "no cluster");
  world.make_pod();
  CHECK(world.door() == "10.96.0.1");
  CHECK(world.door(world.dir.write("b", kubeconfig("b"))) == "b");
  CHECK(world.door("/absent") == "/absent: cannot be read: No such file or directory");
}

TEST_CASE("a person's cluster: the flag, KUBECONFIG, the home, the pod", "[cli][cluster]") {
  World world;
  CHECK(world.user() == "kubeconfig: no cluster: want --kubeconfig, KUBECONFIG or ~/.kube/config");
  world.make_pod();
  CHECK(world.user() == "10.96.0.1");
  world.variables["HOME"] = world.dir.path().string();
  static_cast<void>(world.dir.write(".kube/config", kubeconfig("home")));
  CHECK(world.user() == "home");
  const std::string a = world.dir.write("a", "clusters:\n- name: c\n  cluster: {server: 'https://a'}\n"),
                    b = world.dir.write("b", kubeconfig("b"));
  world.variables["KUBECONFIG"] = "/absent:" + a + "::" + b;
  CHECK(world.user() == "a");
  CHECK(world.user(b) == "b");
  CHECK(world.user(b, "nothing") == "kubeconfig: found no context `nothing`");
  const auto other = cluster_of_user(b, "other", world.environment, world.account());
  REQUIRE(other);
  CHECK(other->token.file == world.dir.path() / "t");
  world.variables["KUBECONFIG"] = "/absent";
  CHECK(world.user() == "KUBECONFIG: names no file that is there");
}

TEST_CASE("a kubeconfig that is none", "[cli][cluster]") {
  World world;
  CHECK(world.user(world.dir.write("two", "a: 1\n---\nb: 2\n")).ends_with("/two: want one YAML document"));
  CHECK(world.user(world.dir.write("broken", "a: [\n")).find("broken:") != std::string::npos);
  CHECK(world.user(world.dir.write("empty", "\n")).ends_with("/empty: is empty"));
}

}  // namespace portcullis::cli::test
