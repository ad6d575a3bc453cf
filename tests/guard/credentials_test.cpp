#include "guard/credentials.hpp"

#include <string>
#include <vector>

#include "tests/guard/support.hpp"

using namespace portcullis::guard;
using testing::session;

namespace {
const SipKey key = SipKey::random();
Sessions of(std::vector<std::string_view> lines) { return find_sessions(lines, key); }
}  // namespace

TEST_CASE("credentials: the session is the first 42 characters of a well-formed id", "[guard][credentials]") {
  const std::string a = session('a'), rotated = std::string(42, 'a') + std::string(42, 'b');
  REQUIRE(of({"session_id=" + a}).count == 1);
  CHECK(of({"session_id=" + a}).keys[0] == of({"frontend_lang=fr_FR; session_id=" + rotated + "; tz=UTC"}).keys[0]);
  CHECK(of({"session_id=" + a}).keys[0] != of({"session_id=" + session('b')}).keys[0]);
  CHECK(of({"a=1", "session_id=" + a}).count == 1);  // crumbs
  CHECK(of({"session_id=" + std::string(86, 'a')}).count == 1);
}

TEST_CASE("credentials: two sessions are two keys, three are none (B10)", "[guard][credentials]") {
  const std::string a = "session_id=" + session('a'), b = "session_id=" + session('b'), c = "session_id=" + session('c');
  CHECK(of({a + "; " + b}).count == 2);
  CHECK(of({a, b}).count == 2);
  CHECK(of({a + "; " + a}).count == 1);
  CHECK(of({a, b, c}).count == 0);
}

TEST_CASE("credentials: what Odoo would not write is no session (B11)", "[guard][credentials]") {
  const std::string a = session('a');
  const std::string crowd = [] {
    std::string all;
    for (int i = 0; i < 1000; ++i) all += "c" + std::to_string(i) + "=x; ";
    return all;
  }();
  struct Case {
    const char* name;
    std::string line;
    std::size_t count;
  };
  const Case cases[] = {
      {"quoted", "session_id=\"" + a + "\"", 0},
      {"octal", "session_id=\"\\141" + a + "\"", 0},
      {"short", "session_id=abc", 0},
      {"83 characters", "session_id=" + a.substr(1), 0},
      {"129 characters", "session_id=" + std::string(129, 'a'), 0},
      {"other alphabet", "session_id=" + a.substr(1) + "!", 0},
      {"empty", "session_id=", 0},
      {"no value", "session_id", 0},
      {"another cookie's name", "xsession_id=" + a, 0},
      {"longer name", "session_id2=" + a, 0},
      {"other case", "Session_Id=" + a, 0},
      {"spaces around", " session_id = " + a + " ", 1},
      {"after a thousand cookies", crowd + "session_id=" + a, 1},
      {"64 KiB of one cookie", "x=" + std::string(65'536, 'y') + "; session_id=" + a, 1},
      {"within another value", "x=session_id=" + a, 0},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(of({c.line}).count == c.count); }
  }
}

TEST_CASE("credentials: one API key however it is spelled (B15)", "[guard][credentials]") {
  const auto canonical = find_api_key("Bearer abc123", key);
  REQUIRE(canonical);
  for (const char* same : {"bearer abc123", "BEARER abc123", "Bearer  abc123", "Bearer\tabc123", " Bearer abc123 "}) {
    CHECK(find_api_key(same, key) == canonical);
  }
  for (const char* other : {"Bearer abc124", "Bearer ABC123", "Basic abc123", "Bearerabc123", "abc123"})
    CHECK(find_api_key(other, key) != canonical);
  CHECK_FALSE(find_api_key("", key));
  CHECK_FALSE(find_api_key("  ", key));
  CHECK(find_api_key(std::string(100, 'x') + " y", key) != find_api_key(std::string(100, 'x') + " z", key));
}
