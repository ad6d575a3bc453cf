#include "observe/escape.hpp"

#include <string>

#include "tests/catch.hpp"

namespace portcullis::observe {
namespace {

std::string escape(std::string_view text, std::size_t room = 4096, Marks marks = Marks::keep) {
  std::string out(room, '~');
  out.resize(escape_json(out.data(), room, text, marks));
  return out;
}

TEST_CASE("escape_json", "[observe]") {
  struct Case {
    const char* name;
    std::string_view text;
    const char* escaped;
  };
  using namespace std::string_view_literals;
  const Case cases[] = {
      {"empty", "", ""},
      {"plain", "odoo-17.0/web", "odoo-17.0/web"},
      {"quote and backslash", R"(a"b\c)", R"(a\"b\\c)"},
      {"short escapes", "\b\f\n\r\t", R"(\b\f\n\r\t)"},
      {"nul", "a\0b"sv, R"(a\u0000b)"},
      {"escape character", "\x1b[31m", R"(\u001b[31m)"},
      {"DEL", "a\x7f", R"(a\u007f)"},
      {"bad byte behind eight clean ones", "12345678\"12345678", R"(12345678\"12345678)"},
      {"each place of eight", "\"1234567 1\"234567 12\"34567 123\"4567", R"(\"1234567 1\"234567 12\"34567 123\"4567)"},
      {"two, three and four bytes", "é€😀", "é€😀"},
      {"alone continuation", "a\x80z", "a\xef\xbf\xbdz"},
      {"overlong slash", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"overlong of three", "\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"above U+10FFFF", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"cut off at the end", "a\xe2\x82", "a\xef\xbf\xbd"},
      {"cut off before a letter", "\xf0\x9f\x98z", "\xef\xbf\xbdz"},
      {"not a lead byte", "\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"bidi kept", "a\u202eb", "a\u202eb"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(escape(c.text) == c.escaped); }
  }
}

TEST_CASE("escape_json escapes what a terminal acts on", "[observe]") {
  CHECK(escape("a\u202eb\u2066c\u200fd", 4096, Marks::escape) == R"(a\u202eb\u2066c\u200fd)");
  CHECK(escape("\u2028\u2029\u009b", 4096, Marks::escape) == R"(\u2028\u2029\u009b)");
  CHECK(escape("é€😀", 4096, Marks::escape) == "é€😀");
}

TEST_CASE("escape_json cuts between characters", "[observe]") {
  CHECK(escape("12345678", 8) == "12345678");
  CHECK(escape("123456789", 8) == "12345...");
  CHECK(escape("1234567890123456789012345678", 24) == "123456789012345678901...");
  CHECK(escape("abcd😀😀", 11) == "abcd😀...");
  CHECK(escape("abcde😀😀", 11) == "abcde...");
  CHECK(escape("abc\n\n\n", 8) == R"(abc\n...)");
  CHECK(escape("abc\x01\x01", 14) == R"(abc\u0001...)");
  CHECK(escape("abcd", 3) == "...");
  CHECK(escape("abcd", 2).empty());
}

// At every room no more is written than there is, and what was not cut is whole.
TEST_CASE("escape_json keeps to its room", "[observe]") {
  const std::string text = "plain text first \"quoted\" \x01 é€😀 \xff \\ and some more of the plain kind";
  const std::string whole = escape(text);
  for (std::size_t room = 3; room < whole.size() + 4; ++room) {
    CAPTURE(room);
    std::string out(room + 8, '~');
    const std::size_t written = escape_json(out.data(), room, text);
    REQUIRE(written <= room);
    REQUIRE(out.substr(room) == "~~~~~~~~");
    out.resize(written);
    if (room >= whole.size()) {
      REQUIRE(out == whole);
    } else {
      REQUIRE(out.substr(written - 3) == "...");
      REQUIRE(whole.substr(0, written - 3) == out.substr(0, written - 3));
    }
  }
}

}  // namespace
}  // namespace portcullis::observe
