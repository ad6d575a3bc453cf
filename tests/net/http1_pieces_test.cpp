// HTTP/1.1 without a socket: what is asked does not depend on how the bytes arrive.
#include <algorithm>
#include <cstring>
#include <string>

#include "net/http1.hpp"
#include "tests/catch.hpp"

namespace portcullis::net {
namespace {

class Remembering final : public Handler {
 public:
  std::string asked;
  void answer(const Request& request, Response& response) override {
    asked.append(request.method).append(" ").append(request.target).append(" ").append(request.body).append("\n");
    response.clear();
  }
};

// What was asked; "..., then it ended" when the session wanted no more.
std::string asked(std::string_view input, std::size_t piece) {
  Remembering handler;
  LoopState loop;
  loop.door = "test";
  loop.handler = &handler;
  loop.now = Clock::now();
  const ConnectionFacts facts;
  Http1 session(loop, facts);
  Buffer in = loop.buffers.take();
  std::string out;
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    const std::string_view part = input.substr(0, piece);
    std::memcpy(in.room(), part.data(), part.size());
    in.added(part.size());
    if (session.advance(in, out) == Step::finish) return handler.asked + "then it ended";
  }
  return handler.asked;
}

}  // namespace

TEST_CASE("an empty line between two requests may come in halves", "[net][http1]") {
  const std::string post = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
  const std::string get = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
    CAPTURE(piece);
    CHECK(asked(post + "\r\n" + get, piece) == "POST /a hi\nGET /b \n");
    CHECK(asked(post + get, piece) == "POST /a hi\nGET /b \n");
    CHECK(asked("\r\n" + get, piece) == "then it ended");  // none before the first
    CHECK(asked(get + "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", piece) == "GET /b \nthen it ended");
  }
}

}  // namespace portcullis::net
