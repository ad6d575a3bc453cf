// HTTP/1.1 over raw sockets: what is answered, what is refused, and that no byte behind a refused request is ever answered.
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"
#include "tests/net/client.hpp"

namespace portcullis::test {
namespace {

const std::string second = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("requests are answered in order on one connection", "[net][http1]") {
  const auto server = start_server({});
  Client client(port_of(*server));
  const std::string first = client.ask(get("/a?b=c"));
  CHECK(status_of(first) == "HTTP/1.1 200 OK");
  CHECK(first.ends_with("\r\n\r\nGET /a?b=c [] host=a"));
  CHECK(first.find("\r\ndate: ") != std::string::npos);
  CHECK(first.find("\r\nx-answered: yes\r\n") != std::string::npos);
  CHECK(first.find("connection:") == std::string::npos);

  REQUIRE(client.send(get("/1") + post("/2", "two") + get("/3")));
  CHECK(client.receive_answer().ends_with("GET /1 [] host=a"));
  CHECK(client.receive_answer().ends_with("POST /2 [two] host=a"));
  CHECK(client.receive_answer().ends_with("GET /3 [] host=a"));
  CHECK(server->stats().requests_http1 == 4);
  CHECK(server->stats().connections_open == 1);
}

TEST_CASE("what HTTP/1.1 allows", "[net][http1]") {
  const auto server = start_server({});
  struct Case {
    const char* name;
    std::string request, ending;
  };
  const Case cases[] = {
      {"HEAD has no body", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nx-answered: yes\r\ncontent-length: 16\r\n\r\n"},
      {"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
       "POST / [abcde] host=a"},
      {"chunked in capitals", "POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "POST / [a] host=a"},
      {"trailers are dropped", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nHost: b\r\n\r\n",
       "POST / [a] host=a"},
      {"an unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "BREW /pot [] host=a"},
      {"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / [] host="},
      {"h2c is not taken up",
       "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
       "GET / [] host=a"},
      {"leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\n\r\nabc", "POST / [abc] host=a"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Client client(port_of(*server));
      REQUIRE(client.send(c.request));
      std::string answer;
      if (c.request.starts_with("HEAD")) {
        while (answer.find("\r\n\r\n") == std::string::npos) {
          const std::string part = client.receive();
          REQUIRE(!part.empty());
          answer += part;
        }
      } else {
        answer = client.receive_answer();
      }
      CHECK(status_of(answer) == "HTTP/1.1 200 OK");
      CHECK(answer.substr(answer.size() - std::min(answer.size(), c.ending.size())) == c.ending);
      CHECK(client.ask(second).ends_with("GET /second [] host=a"));
    }
  }
}

TEST_CASE("who ends the connection", "[net][http1]") {
  const auto server = start_server({});
  struct Case {
    const char* name;
    std::string request;
    bool closes, says_keep_alive;
  };
  const Case cases[] = {
      {"1.1 stays", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, false},
      {"1.1 asked to close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true, false},
      {"1.0 closes, and may lack Host", "GET / HTTP/1.0\r\n\r\n", true, false},
      {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, true},
      {"the handler threw", "GET /throw HTTP/1.1\r\nHost: a\r\n\r\n", true, false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Client client(port_of(*server));
      REQUIRE(client.send(c.request + second));
      const std::string answer = client.receive_answer();
      CHECK((answer.find("connection: close\r\n") != std::string::npos) == c.closes);
      CHECK((answer.find("connection: keep-alive\r\n") != std::string::npos) == c.says_keep_alive);
      if (c.closes) {
        CHECK(client.receive_all().empty());
      } else {
        CHECK(client.receive_answer().ends_with("GET /second [] host=a"));
      }
    }
  }
  Client client(port_of(*server));
  CHECK(status_of(client.ask(get("/throw"))) == "HTTP/1.1 500 Internal Server Error");
  CHECK(server->stats().requests_failed >= 1);
}

// Every row comes with a second request behind it, which must never be answered.
TEST_CASE("what two parsers could read differently is refused", "[net][http1][smuggling]") {
  const auto server = start_server({});
  const std::string begin = "POST / HTTP/1.1\r\nHost: a\r\n";
  struct Case {
    const char* name;
    std::string request;
    int status;
  };
  const Case cases[] = {
      {"CL and TE", begin + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"TE and CL", begin + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
      {"TE xchunked", begin + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"TE chunked, identity", begin + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
      {"TE identity", begin + "Transfer-Encoding: identity\r\n\r\n", 501},
      {"TE gzip, chunked", begin + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"TE empty", begin + "Transfer-Encoding:\r\n\r\n", 501},
      {"TE twice", begin + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"TE xchunked and CL", begin + "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 501},
      {"TE with a space before the colon", begin + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"TE with a tab in it", begin + "Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n", 501},
      {"TE on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"CL twice", begin + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400},
      {"CL twice, different", begin + "Content-Length: 0\r\nContent-Length: 33\r\n\r\n", 400},
      {"CL as a list", begin + "Content-Length: 0, 0\r\n\r\n", 400},
      {"CL with a plus", begin + "Content-Length: +0\r\n\r\n", 400},
      {"CL with a minus", begin + "Content-Length: -1\r\n\r\n", 400},
      {"CL in hex", begin + "Content-Length: 0x0\r\n\r\n", 400},
      {"CL empty", begin + "Content-Length:\r\n\r\n", 400},
      {"CL with a blank in it", begin + "Content-Length: 1 0\r\n\r\n", 400},
      {"CL beyond 64 bits", begin + "Content-Length: 18446744073709551617\r\n\r\n", 400},
      {"CL with a space before the colon", begin + "Content-Length : 0\r\n\r\n", 400},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"two Hosts, different", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: b\r\n\r\n", 400},
      {"no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
      {"a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400},
      {"a folded line with a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tTransfer-Encoding: chunked\r\n\r\n", 400},
      {"a folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"bare LF at the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare LF at a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", 400},
      {"NUL in a value", begin + std::string("X: y\0z\r\n\r\n", 11), 400},
      {"NUL in the target", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29), 400},
      {"a field without a name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
      {"a field without a colon", "GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n", 400},
      {"a space in a field's name", "GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", 400},
      {"a target beyond ASCII", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505},
      {"absolute form", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"a method that is no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a long method", std::string(40, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"Expect of something else", begin + "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n", 417},
      {"a chunk size with a plus", begin + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", 400},
      {"a chunk size in 0x", begin + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400},
      {"no chunk size", begin + "Transfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n", 400},
      {"a chunk size with a bare LF", begin + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400},
      {"a bare LF in a chunk extension", begin + "Transfer-Encoding: chunked\r\n\r\n1;x\na\r\n0\r\n\r\n", 400},
      {"a bare CR in a chunk extension", begin + "Transfer-Encoding: chunked\r\n\r\n1;x\ry\r\na\r\n0\r\n\r\n", 400},
      {"a chunk longer than its size", begin + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400},
      {"a chunk that ends with a bare LF", begin + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", 400},
      {"a folded trailer", begin + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n", 400},
      {"a trailer with a bare LF", begin + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", 400},
      {"a chunk size beyond 64 bits", begin + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n", 413},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Client client(port_of(*server));
      REQUIRE(client.send(c.request + second + second));
      const std::string answers = client.receive_all();
      CHECK(answers.substr(0, 13) == "HTTP/1.1 " + std::to_string(c.status) + " ");
      CHECK(count_of(answers, "HTTP/1.1 ") == 1);
      CHECK(answers.find("/second") == std::string::npos);
      CHECK(answers.find("x-answered") == std::string::npos);
      CHECK(count_of(answers, "\r\nconnection: close\r\n") == 1);
    }
  }
  CHECK(server->stats().requests_malformed >= 1);
  Client other(port_of(*server));
  CHECK(status_of(other.ask(get("/"))) == "HTTP/1.1 200 OK");
}

TEST_CASE("a request's bounds", "[net][http1][limits]") {
  const auto server = start_server({});
  const std::string begin = "POST / HTTP/1.1\r\nHost: a\r\n";
  std::string fields;
  for (int i = 0; i < 5000; ++i) fields += "X" + std::to_string(i) + ": y\r\n";
  std::string hundred;
  for (int i = 0; i < 99; ++i) hundred += "X" + std::to_string(i) + ": y\r\n";
  struct Case {
    const char* name;
    std::string request, status;
  };
  const Case cases[] = {
      {"1 MiB of header", begin + "X: " + std::string(1024 * 1024, 'x') + "\r\n\r\n", "431"},
      {"5,000 fields", begin + fields + "\r\n", "431"},
      {"100 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + hundred + "\r\n", "200"},
      {"101 fields", "GET / HTTP/1.1\r\nHost: a\r\nY: z\r\n" + hundred + "\r\n", "431"},
      {"64 KiB of target", "GET /" + std::string(64 * 1024, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
      {"16 KiB of target", "GET /large?" + std::string(16 * 1024 - 7, '0') + " HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
      {"a target one too long", "GET /" + std::string(16 * 1024, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
      {"a request line without end", std::string(1024 * 1024, 'G'), "414"},
      {"a body that says it is too large", begin + "Content-Length: 8388609\r\n\r\n", "413"},
      {"chunks that say so", begin + "Transfer-Encoding: chunked\r\n\r\n800001\r\n", "413"},
      {"8 MiB of body", post("/length", std::string(8 * 1024 * 1024, 'b')), "200"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Client client(port_of(*server));
      client.send(c.request);  // the server may close before all of it has left
      const std::string answer = client.receive_answer();
      CHECK(answer.substr(0, 12) == "HTTP/1.1 " + c.status);
      if (c.name == std::string("8 MiB of body")) CHECK(answer.ends_with("POST /length 8388608 whole host=a"));
    }
  }
}

TEST_CASE("bodies arrive whole however they are cut", "[net][http1]") {
  const auto server = start_server({});
  SECTION("at every byte") {
    for (const std::string& request :
         {post("/x", "0123456789"),
          std::string(
              "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;e=f\r\n0123\r\n6\r\n456789\r\n0\r\nT: u\r\n\r\n")}) {
      Client client(port_of(*server));
      for (std::size_t cut = 1; cut < request.size(); ++cut) {
        REQUIRE(client.send(request.substr(0, cut)));
        REQUIRE(client.send(request.substr(cut)));
        REQUIRE(client.receive_answer().ends_with("POST /x [0123456789] host=a"));
      }
      for (const char c : request) REQUIRE(client.send(std::string(1, c)));
      CHECK(client.receive_answer().ends_with("POST /x [0123456789] host=a"));
    }
  }
  SECTION("in thousands of chunks, with a request behind") {
    std::string request = "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 3000; ++i) request += "64\r\n" + std::string(100, 'b') + "\r\n";
    request += "0\r\n\r\n" + second;
    Client client(port_of(*server));
    REQUIRE(client.send(request));
    CHECK(client.receive_answer().ends_with("POST /length 300000 whole host=a"));
    CHECK(client.receive_answer().ends_with("GET /second [] host=a"));
  }
  SECTION("pipelined behind a large one") {
    std::string requests;
    for (int i = 0; i < 20; ++i) requests += post("/length", std::string(50'000, 'b')) + get("/between");
    Client client(port_of(*server));
    std::thread sender([&] { client.send(requests); });
    for (int i = 0; i < 20; ++i) {
      CHECK(client.receive_answer().ends_with("POST /length 50000 whole host=a"));
      CHECK(client.receive_answer().ends_with("GET /between [] host=a"));
    }
    sender.join();
  }
}

TEST_CASE("Expect: 100-continue is answered before the body comes", "[net][http1]") {
  const auto server = start_server({});
  Client client(port_of(*server));
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.receive_answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("ab"));
  CHECK(client.receive_answer().ends_with("POST / [ab] host=a"));
  // A body too large is refused instead.
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.receive_answer().substr(0, 12) == "HTTP/1.1 413");
}

TEST_CASE("a slow peer is given up", "[net][http1][limits]") {
  net::ServerOptions options;
  options.limits.header_time_max = options.limits.body_time_max = options.limits.idle_time_max = options.limits.write_time_max =
      std::chrono::seconds(1);
  const auto server = start_server(std::move(options));
  // Bytes keep coming: only a deadline for the whole can end it.
  const auto drip = [&](const std::string& begin, const std::string& drop) {
    Client client(port_of(*server));
    client.send(begin);
    const timeval moment{0, 50'000};
    ::setsockopt(client.socket(), SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    const auto deadline = Clock::now() + std::chrono::seconds(patience_seconds);
    std::string answer;
    while (answer.empty() && Clock::now() < deadline) {
      client.send(drop);
      answer = client.receive();
    }
    return answer.substr(0, 12);
  };
  CHECK(drip("GET / HTTP/1.1\r\n", "X: y\r\n") == "HTTP/1.1 408");
  CHECK(drip("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", "x") == "HTTP/1.1 408");
  CHECK(drip("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n") == "HTTP/1.1 408");

  Client idle(port_of(*server));
  CHECK(idle.receive_all().empty());  // ended by the server
  Client reads_nothing(port_of(*server));
  REQUIRE(reads_nothing.send(get("/large?50000000")));
  CHECK(becomes_true([&] { return server->stats().connections_open == 0; }));
}

TEST_CASE("overload: idle connections make room, bodies have a bound", "[net][limits]") {
  net::ServerOptions options;
  options.limits.connections_max = 4;
  options.limits.pending_bytes_max = 256 * 1024;
  const auto server = start_server(std::move(options));
  SECTION("the oldest idle connection goes") {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<Client>(port_of(*server)));
      CHECK(!clients.back()->ask(get("/")).empty());
    }
    CHECK(!clients[0]->ask(get("/")).empty());  // so that the second is the oldest
    Client fifth(port_of(*server));
    CHECK(status_of(fifth.ask(get("/"))) == "HTTP/1.1 200 OK");
    CHECK(clients[1]->receive_all().empty());
    CHECK(status_of(clients[0]->ask(get("/"))) == "HTTP/1.1 200 OK");
    CHECK(server->stats().connections_open == 4);
  }
  SECTION("busy ones do not") {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<Client>(port_of(*server)));
      REQUIRE(clients.back()->ask(get("/")) != "");
      REQUIRE(clients.back()->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
      REQUIRE(clients.back()->receive_answer() == "HTTP/1.1 100 Continue\r\n\r\n");
    }
    Client fifth(port_of(*server));
    CHECK(fifth.receive_all().empty());
    CHECK(server->stats().connections_refused == 1);
    REQUIRE(clients[0]->send("ab"));
    CHECK(clients[0]->receive_answer().ends_with("POST / [ab] host=a"));
  }
  SECTION("bodies above the bound are shed") {
    Client client(port_of(*server));
    client.send(post("/", std::string(2 * 1024 * 1024, 'b')));
    const std::string answer = client.receive_answer();
    CHECK(status_of(answer) == "HTTP/1.1 503 Service Unavailable");
    CHECK(answer.find("\r\nretry-after: 1\r\n") != std::string::npos);
    CHECK(server->stats().requests_shed == 1);
    Client other(port_of(*server));
    CHECK(other.ask(post("/length", std::string(200'000, 'b'))).ends_with(" whole host=a"));
  }
}

}  // namespace portcullis::test
