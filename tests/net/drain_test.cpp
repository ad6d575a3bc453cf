// A server that goes: nobody's request is lost, everybody is told, and it ends.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"
#include "tests/net/client.hpp"

namespace portcullis::test {

TEST_CASE("draining loses no request", "[net][drain]") {
  net::ServerOptions options;
  options.threads = 2;
  options.limits.drain_delay = std::chrono::seconds(1);
  const auto server = start_server(std::move(options));
  const auto port = port_of(*server);
  std::atomic<bool> go_on{true}, drained{false};
  std::atomic<int> answered{0}, lost{0}, told_to_close{0}, saw_draining{0};
  // Clients that keep their connection until they are told to leave it, as Go's do.
  std::vector<std::thread> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&] {
      auto client = std::make_unique<Client>(port);
      while (go_on) {
        const std::string answer = client->ask(post("/", "abc"));
        if (!answer.starts_with("HTTP/1.1 200 OK")) {
          ++lost;
          return;
        }
        ++answered;
        if (answer.ends_with(" draining")) ++saw_draining;
        if (answer.find("connection: close\r\n") != std::string::npos) {
          ++told_to_close;
          client = std::make_unique<Client>(port);
        } else if (drained) {
          ++lost;  // everyone must be told once the drain has begun
          return;
        }
      }
    });
  }
  REQUIRE(becomes_true([&] { return answered > 500; }));
  server->drain();
  REQUIRE(becomes_true([&] { return told_to_close > 100; }));  // new connections are taken, each for one request
  go_on = false;
  for (auto& client : clients) client.join();
  CHECK(lost == 0);
  CHECK(saw_draining >= 100);
  CHECK(server->wait_until_idle(Clock::now() + std::chrono::seconds(patience_seconds)));
  CHECK(!Client(port).is_connected());
}

TEST_CASE("draining ends idle connections late and stuck ones at last", "[net][drain]") {
  net::ServerOptions options;
  options.limits.drain_delay = std::chrono::seconds(1);
  options.limits.drain_time_max = std::chrono::seconds(2);
  const auto server = start_server(std::move(options));
  Client idle(port_of(*server)), stuck(port_of(*server)), late(port_of(*server));
  REQUIRE(!idle.ask(get("/")).empty());
  REQUIRE(!late.ask(get("/")).empty());
  REQUIRE(stuck.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  REQUIRE(stuck.receive_answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  const auto began = Clock::now();
  server->drain();
  CHECK(!server->wait_until_idle(Clock::now() + std::chrono::milliseconds(100)));
  // A client that was about to use its idle connection still may, and is told that it was the last time.
  const std::string answer = late.ask(get("/"));
  CHECK(answer.ends_with("GET / [] host=a draining"));
  CHECK(answer.find("connection: close\r\n") != std::string::npos);
  CHECK(idle.receive_all().empty());
  CHECK(Clock::now() - began >= std::chrono::milliseconds(900));
  CHECK(stuck.receive_all().empty());
  CHECK(server->wait_until_idle(Clock::now() + std::chrono::seconds(patience_seconds)));
  CHECK(Clock::now() - began < std::chrono::seconds(5));
}

TEST_CASE("draining without a delay ends idle connections at once", "[net][drain]") {
  const auto server = start_server({});  // its limits would have it go on for 15 s
  Client idle(port_of(*server));
  REQUIRE(!idle.ask(get("/")).empty());
  const auto began = Clock::now();
  server->drain(std::chrono::seconds(0));
  CHECK(idle.receive_all().empty());
  CHECK(server->wait_until_idle(Clock::now() + std::chrono::seconds(patience_seconds)));
  CHECK(Clock::now() - began < std::chrono::seconds(5));
}

TEST_CASE("an old connection is ended at an answer", "[net][drain]") {
  net::ServerOptions options;
  options.limits.connection_age_max = std::chrono::seconds(1);
  const auto server = start_server(std::move(options));
  Client client(port_of(*server));
  std::string answer;
  REQUIRE(becomes_true([&] {
    answer = client.ask(get("/"));
    return answer.find("connection: close\r\n") != std::string::npos || answer.empty();
  }));
  CHECK(answer.ends_with("GET / [] host=a"));
  CHECK(client.receive_all().empty());
}

TEST_CASE("a server that is destroyed ends every connection", "[net][drain]") {
  auto server = start_server({});
  Client client(port_of(*server));
  REQUIRE(!client.ask(get("/")).empty());
  server.reset();
  CHECK(client.receive_all().empty());
}

}  // namespace portcullis::test
