#include "guard/redis_url.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::guard;

TEST_CASE("where Redis is", "[guard][redis]") {
  struct Case {
    const char *text, *peer, *user;
    bool tls;
    unsigned database;
  };
  const Case cases[] = {
      {"redis://cache", "cache:6379", "", false, 0},
      {"redis://cache/", "cache:6379", "", false, 0},
      {"redis://10.0.0.7:6380/3", "10.0.0.7:6380", "", false, 3},
      {"redis://guard@cache.svc:7000", "cache.svc:7000", "guard", false, 0},
      {"rediss://guard@cache", "cache:6379", "guard", true, 0},
      {"redis://[::1]", "[::1]:6379", "", false, 0},
      {"redis://[fd00::7]:6380/65535", "[fd00::7]:6380", "", false, 65'535},
      {"unix:///run/redis.sock", "/run/redis.sock", "", false, 0},
      {"unix:///run/redis.sock?db=9", "/run/redis.sock", "", false, 9},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      const auto url = parse_redis_url(c.text);
      REQUIRE(url);
      CHECK(peer_text(*url) == c.peer);
      CHECK(url->user == c.user);
      CHECK(url->tls == c.tls);
      CHECK(url->database == c.database);
    }
  }
}

TEST_CASE("what is no place of Redis, and no password is shown", "[guard][redis]") {
  const std::string long_path = "unix:///" + std::string(107, 'a'), long_url = "redis://" + std::string(2000, 'a');
  const std::string texts[] = {
      "",
      "cache:6379",
      "http://cache",
      "redis:cache",
      "redis://",
      "redis:///3",
      "redis://:6379",
      "redis://cache:",
      "redis://cache:0",
      "redis://cache:65536",
      "redis://cache:6379x",
      "redis://cache:-1",
      "redis://cache/x",
      "redis://cache/-1",
      "redis://cache/65536",
      "redis://cache/1/2",
      "redis://cache?db=1",
      "redis://ca che",
      "redis://cache\r\nFLUSHALL",
      "redis://@cache",
      "redis://us er@cache",
      "redis://[::1",
      "redis://[cache]",
      "redis://[::1]6379",
      "unix://relative.sock",
      "unix:///",
      "unix:///run/redis.sock?db=x",
      "unix:///run/redis.sock?password=hunter2",
      "redis://:hunter2@cache",
      "redis://guard:hunter2@cache",
      "redis://guard:hunter2/3@cache",
      "redis://guard:hunt@hunter2@cache",
      "rediss://cache/hunter2@x",
      "guard:hunter2@cache",
      long_path,
      long_url,
  };
  for (const std::string& text : texts) {
    DYNAMIC_SECTION(text.substr(0, 60)) {
      const auto url = parse_redis_url(text);
      REQUIRE_FALSE(url);
      CHECK(url.error().message().find("hunter2") == std::string::npos);
      CHECK(url.error().message().size() < 300);
    }
  }
}
