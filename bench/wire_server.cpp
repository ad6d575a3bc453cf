// The bare connection: net/ with a handler that does nothing, to be measured beside nginx giving the same answer.
//
//   wire_server ADDRESS [CERTIFICATE KEY]     GET: empty 200; POST: 200 with 200 bytes of JSON; until end of input
//
// docs/limits.md and the README's figures were taken with: taskset -c 0 wire_server 127.0.0.1:8080 and
// taskset -c 1 wrk -t1 -c32 -d5s http://127.0.0.1:8080/, nginx (one worker, keep-alive) in the same minute.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "net/server.hpp"

namespace {

using namespace portcullis;

class FixedAnswer final : public net::Handler {
 public:
  void answer(const net::Request& request, net::Response& response) override {
    if (request.method != "POST") return;
    response.content_type = "application/json";
    response.body = body_;
  }

 private:
  static constexpr std::size_t answer_bytes = 200;
  const std::string body_ = "{\"padding\":\"" + std::string(answer_bytes - 14, 'x') + "\"}";
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::fprintf(stderr, "usage: wire_server ADDRESS [CERTIFICATE KEY]\n");
    return 2;
  }
  const auto address = net::parse_listen_address(argv[1]);
  if (!address) {
    std::fprintf(stderr, "%s\n", address.error().message().c_str());
    return 2;
  }
  net::ServerOptions options{.door = "bench", .listen = {*address}, .tls = std::nullopt, .threads = 1, .limits = {}};
  if (argc == 4) options.tls = net::TlsFiles{.certificate = argv[2], .key = argv[3], .client_ca = std::nullopt};
  const auto server = net::Server::start(std::move(options), [](unsigned) { return std::make_unique<FixedAnswer>(); });
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message().c_str());
    return 1;
  }
  std::printf("listening on %s:%u\n", (*server)->addresses().front().host.c_str(), (*server)->addresses().front().port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
