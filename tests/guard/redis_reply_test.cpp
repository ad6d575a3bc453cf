#include "guard/redis_reply.hpp"

#include <random>
#include <string>

#include "tests/catch.hpp"

using namespace portcullis::guard;

namespace {

std::string show(const RedisReply& reply) {
  switch (reply.kind) {
    case RedisReply::Kind::status:
      return "+" + reply.text;
    case RedisReply::Kind::error:
      return "-" + reply.text;
    case RedisReply::Kind::text:
      return "$" + reply.text;
    case RedisReply::Kind::integer:
      return ":" + std::to_string(reply.integer);
    case RedisReply::Kind::nil:
      return "nil";
    case RedisReply::Kind::array: {
      std::string out = "*";
      for (const auto item : reply.items) out += " " + std::to_string(item);
      return out;
    }
  }
  return {};
}

// Every reply, in words; "broken" or "more" at the end.
std::string read(std::string_view bytes, std::size_t piece) {
  RedisReader reader;
  RedisReply reply;
  std::string out;
  for (;;) {
    switch (reader.next(reply)) {
      case RedisReader::Next::reply:
        out += show(reply) + "|";
        break;
      case RedisReader::Next::broken:
        return out + "broken";
      case RedisReader::Next::more:
        if (bytes.empty()) return out + "more";
        reader.feed(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
        break;
    }
  }
}

}  // namespace

TEST_CASE("replies, however they arrive", "[guard][redis]") {
  const std::string large(redis_reply_bytes_max + 100, 'x');
  struct Case {
    std::string name, bytes, says;
  };
  const Case cases[] = {
      {"a status", "+OK\r\n", "+OK|more"},
      {"an error", "-NOSCRIPT No matching script.\r\n", "-NOSCRIPT No matching script.|more"},
      {"integers", ":0\r\n:-7\r\n:9223372036854775807\r\n", ":0|:-7|:9223372036854775807|more"},
      {"texts", "$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n", "$a\r\n|$|nil|more"},
      {"an array", "*4\r\n:1\r\n:0\r\n:-2\r\n:3\r\n", "* 1 0 -2 3|more"},
      {"an empty array", "*0\r\n", "*|more"},
      {"no array", "*-1\r\n", "nil|more"},
      {"many at once", "+a\r\n:1\r\n*1\r\n:2\r\n$1\r\nb\r\n", "+a|:1|* 2|$b|more"},
      {"half of one", "+OK\r\n*2\r\n:1\r\n", "+OK|more"},
      {"no type", "hello\r\n", "broken"},
      {"HTTP", "HTTP/1.1 200 OK\r\n\r\n", "broken"},
      {"zeros", std::string(100, '\0'), "broken"},
      {"an array in an array", "*1\r\n*1\r\n:1\r\n", "broken"},
      {"a text in an array", "*1\r\n$1\r\na\r\n", "broken"},
      {"nothing in an array", "*1\r\n$-1\r\n", "broken"},
      {"an array of too many", "*17\r\n", "broken"},
      {"an array of 2^31", "*2147483648\r\n", "broken"},
      {"an array of 2^62", "*4611686018427387904\r\n", "broken"},
      {"a negative array", "*-2\r\n", "broken"},
      {"a negative text", "$-2\r\n", "broken"},
      {"a length that is none", "$x\r\n", "broken"},
      {"a text without an end", "$100000\r\n" + large, "broken"},
      {"a line without an end", "+" + large, "broken"},
      {"a text of too many", "$" + std::to_string(large.size()) + "\r\n" + large + "\r\n", "broken"},
      {"deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "broken"},
      {"broken is for good", "+OK\r\n?\r\n+OK\r\n", "+OK|broken"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CHECK(read(c.bytes, 1) == c.says);
      CHECK(read(c.bytes, 7) == c.says);
      CHECK(read(c.bytes, c.bytes.size()) == c.says);
    }
  }
}

TEST_CASE("a text of 2^62 bytes takes no memory for them", "[guard][redis]") {
  CHECK(read("$4611686018427387904\r\nabc", 100) == "more");
  CHECK(read("$4611686018427387904\r\n" + std::string(redis_reply_bytes_max, 'x'), 1000) == "broken");
}

TEST_CASE("bytes of no meaning neither crash the reader nor depend on how they arrive", "[guard][redis]") {
  std::minstd_rand random(7);
  const std::string_view letters = "*$+-:\r\n0129a";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (unsigned size = random() % 40; size > 0; --size) bytes += letters[random() % letters.size()];
    CAPTURE(bytes);
    const std::string whole = read(bytes, bytes.size() + 1);
    REQUIRE(read(bytes, 1) == whole);
  }
}

TEST_CASE("an error's code", "[guard][redis]") {
  const auto code = [](std::string text) {
    RedisReply reply;
    reply.kind = RedisReply::Kind::error;
    reply.text = std::move(text);
    return std::string(reply.error_code());
  };
  CHECK(code("NOAUTH Authentication required.") == "NOAUTH");
  CHECK(code("OOM") == "OOM");
  CHECK(code("lower case") == "");
  CHECK(code("") == "");
  CHECK(code(std::string(100, 'A')) == "");
}
