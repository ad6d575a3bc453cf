// A server at a unix socket: for its owner alone, in the place of one that was left behind, gone with the server; and addresses
// that only this machine reaches.
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>

#include "net/client.hpp"
#include "tests/catch.hpp"
#include "tests/net/await.hpp"
#include "tests/net/client.hpp"
#include "tests/temp_dir.hpp"

namespace portcullis::test {
namespace {

class Echo final : public net::Handler {
 public:
  void answer(const net::Request& request, net::Response& response) override {
    response.body = request.peer.text() + " " + std::string(net::field_value(request, "host")) + " " + std::string(request.body);
  }
};

Result<std::unique_ptr<net::Server>> serve_at(const std::string& path, unsigned threads = 1) {
  net::ServerOptions options;
  options.door = "test";
  options.listen.push_back(*net::parse_local_address(path));
  options.threads = threads;
  return net::Server::start(std::move(options), [](unsigned) { return std::make_unique<Echo>(); });
}

std::string ask(const std::string& path) {
  net::Background background("client");
  net::ClientOptions options;
  options.socket = path;
  const auto client = net::Client::open(background, options, {});
  REQUIRE(client);
  const auto answer = await(background, [&] {
    net::ClientRequest request;
    request.method = "POST";
    request.target = "/";
    request.body = "hello";
    return (*client)->call(std::move(request), Clock::now() + std::chrono::seconds(patience_seconds));
  });
  return answer ? answer->body : answer.error().message();
}

std::string refusal(const std::string& path, unsigned threads = 1) {
  const auto started = serve_at(path, threads);
  REQUIRE_FALSE(started);
  return started.error().message();
}

}  // namespace

TEST_CASE("a server at a unix socket", "[net][socket]") {
  const tests::TempDir dir;
  const std::string path = (dir.path() / "admin.sock").string();
  auto server = serve_at(path);
  REQUIRE(server);
  struct stat facts {};
  REQUIRE(::lstat(path.c_str(), &facts) == 0);
  CHECK(S_ISSOCK(facts.st_mode));
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK((*server)->addresses().front().path == path);
  CHECK(ask(path) == "uid " + std::to_string(::getuid()) + " localhost hello");

  SECTION("nobody takes it from who listens") {
    CHECK(refusal(path) == path + ": somebody listens there already");
    CHECK(ask(path).ends_with("hello"));
  }
  SECTION("it goes with the server") {
    server->reset();
    CHECK(::lstat(path.c_str(), &facts) != 0);
    CHECK(ask(path) == path + ": not connected: No such file or directory");
  }
  SECTION("another's of the same name stays") {
    std::filesystem::remove(path);
    std::ofstream(path) << "not a socket";
    server->reset();
    CHECK(std::filesystem::exists(path));
  }
}

TEST_CASE("a unix socket: what was left behind makes way, what is no socket does not", "[net][socket]") {
  const tests::TempDir dir;
  const std::string path = (dir.path() / "admin.sock").string();
  SECTION("a socket that nobody listens at") {
    const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    ::close(left);
    CHECK(serve_at(path));
  }
  SECTION("a file") {
    std::ofstream(path) << "precious";
    CHECK(refusal(path) == path + ": there is a file of this name that is no socket");
    CHECK(std::filesystem::file_size(path) == 8);
  }
  SECTION("no folder") { CHECK(refusal(path + "/x/y").find("cannot bind") != std::string::npos); }
  SECTION("more than one loop") { CHECK(refusal(path, 2) == path + ": a socket is served by one loop"); }
}

TEST_CASE("addresses that only this machine reaches", "[net][socket]") {
  const auto refused = [](std::string_view text) {
    const auto parsed = net::parse_local_address(text);
    return parsed ? std::string() : parsed.error().message();
  };
  CHECK(refused("127.0.0.1:9901").empty());
  CHECK(refused("127.1.2.3:0").empty());
  CHECK(refused("[::1]:9901").empty());
  CHECK(refused("/run/portcullis/admin.sock").empty());
  CHECK(refused("0.0.0.0:9901") ==
        "local address: found `0.0.0.0:9901`, want a loopback address, such as 127.0.0.1:9901, or the path of a socket");
  CHECK_FALSE(refused("[::]:9901").empty());
  CHECK_FALSE(refused("10.0.0.7:9901").empty());
  CHECK_FALSE(refused("[::ffff:127.0.0.1]:9901").empty());
  CHECK_FALSE(refused("localhost:9901").empty());
  CHECK_FALSE(refused("admin.sock").empty());
  CHECK_FALSE(refused("/" + std::string(107, 'a')).empty());
  CHECK(refused("/" + std::string(106, 'a')).empty());
}

}  // namespace portcullis::test
