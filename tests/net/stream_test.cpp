// A byte stream: TCP, a Unix socket and TLS, and what ends them.
#include "net/stream.hpp"

#include <sys/un.h>

#include <string>
#include <thread>

#include "tests/catch.hpp"
#include "tests/net/await.hpp"
#include "tests/net/scripted_server.hpp"
#include "tests/temp_dir.hpp"

namespace portcullis::test {
namespace {

using namespace std::chrono_literals;
using Peer = ScriptedServer::Peer;

net::StreamOptions to(const ScriptedServer& server) {
  net::StreamOptions options;
  options.host = "127.0.0.1";
  options.port = server.port();
  options.peer = "the peer";
  return options;
}
net::StreamOptions to(const ScriptedServer& server, const Certificate& ca, std::string name) {
  net::StreamOptions options = to(server);
  options.tls.emplace().roots_pem = ca.certificate_pem();
  options.server_name = std::move(name);
  return options;
}

// Says `bytes`, and gives what came until the peer closed and why it ended; or why there was no connection.
net::Task<std::string> converse(net::StreamOptions options, std::string bytes, Deadline deadline) {
  auto dialled = co_await net::Stream::dial(std::move(options), deadline);
  if (!dialled) co_return dialled.error().message();
  const auto stream = *dialled;
  const auto written = co_await stream->write_all(bytes);
  if (!written) co_return written.error().message();
  std::string got;
  for (;;) {
    char room[7];
    const auto count = co_await stream->read_some(room);
    if (!count) co_return got + "|" + count.error().message();
    got.append(room, *count);
  }
}

void echo(Peer& peer, int) {
  peer.receive("end");
  peer.send("said: " + peer.got);
}

}  // namespace

TEST_CASE("a stream says and hears", "[net][stream]") {
  net::Background background("stream");
  const auto hear = [&](const net::StreamOptions& options, const std::string& bytes) {
    return await(background, [options, bytes] { return converse(options, bytes, Clock::now() + 30s); });
  };
  const std::string heard = "|the peer: the peer closed the connection";
  SECTION("TCP") {
    ScriptedServer server(echo);
    CHECK(hear(to(server), "hello, end") == "said: hello, end" + heard);
    const std::string large(3'000'000, 'x');
    CHECK(hear(to(server), large + "end") == "said: " + large + "end" + heard);
  }
  SECTION("TLS, with the name and the chain verified") {
    const Certificate ca({.common_name = "ca", .is_ca = true}), other({.common_name = "other", .is_ca = true});
    const Certificate leaf({.issuer = &ca});
    ScriptedServer server(echo, &leaf);
    CHECK(hear(to(server, ca, ""), "hello, end").starts_with("said: hello, end|"));
    CHECK(hear(to(server, ca, "localhost"), "hello, end").starts_with("said: hello, end|"));
    CHECK(hear(to(server, ca, "redis.example"), "end").find("the certificate of the peer is not trusted") != std::string::npos);
    CHECK(hear(to(server, other, ""), "end").find("the certificate of the peer is not trusted") != std::string::npos);
    net::StreamOptions broken = to(server, ca, "");
    broken.tls->roots_pem = "no certificate";
    CHECK(hear(broken, "end").find("CA certificates") != std::string::npos);
  }
  SECTION("a Unix socket") {
    const tests::TempDir directory;
    net::StreamOptions options;
    options.path = (directory.path() / "socket").string();
    options.peer = "the peer";
    CHECK(hear(options, "end").find("not connected: No such file") != std::string::npos);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, options.path.c_str(), sizeof at.sun_path - 1);
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    std::thread server([&] {
      const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      Peer peer(socket, nullptr);
      echo(peer, 0);
      ::close(socket);
    });
    CHECK(hear(options, "hello, end") == "said: hello, end" + heard);
    server.join();
    ::close(listener);
    options.path = std::string(108, 'a');
    CHECK(hear(options, "end").find("longer than 107 bytes") != std::string::npos);
  }
  SECTION("nobody there") {
    std::uint16_t port = 0;
    {
      ScriptedServer server(echo);
      port = server.port();
    }
    net::StreamOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    CHECK(hear(options, "end").find("not connected") != std::string::npos);
  }
}

TEST_CASE("a stream that is not connected in time, and one that is closed", "[net][stream]") {
  net::Background background("stream");
  const Certificate ca({.common_name = "ca", .is_ca = true});
  ScriptedServer silent([](Peer& peer, int) { peer.wait_for_end(); });  // accepts, and answers no handshake
  const auto timed = await(background, [&] { return converse(to(silent, ca, ""), "x", Clock::now() + 50ms); });
  CHECK(timed == "the peer: not connected in time");
  const auto closed = await(background, [&]() -> net::Task<std::string> {
    return [](net::StreamOptions options) -> net::Task<std::string> {
      auto dialled = co_await net::Stream::dial(std::move(options), Clock::now() + 30s);
      if (!dialled) co_return dialled.error().message();
      const auto stream = *dialled;
      stream->close();
      stream->close();
      char room[1];
      const auto count = co_await stream->read_some(room);
      const auto written = co_await stream->write_all("x");
      co_return count || written ? "open" : "closed";
    }(to(silent));
  });
  CHECK(closed == "closed");
}

}  // namespace portcullis::test
