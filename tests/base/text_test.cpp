#include "base/text.hpp"

#include <array>

#include "tests/catch.hpp"

using portcullis::did_you_mean;
using portcullis::is_utf8;
using portcullis::nearest;
using portcullis::printable;
using portcullis::quoted;

TEST_CASE("the nearest word is offered, a far one is not", "[base][text]") {
  constexpr std::array<std::string_view, 4> rules{"anti-affinity", "image-digest", "replica-floor", "tier"};
  struct Case {
    const char *name, *word, *wanted;
  };
  const Case cases[] = {
      {"one letter off", "anti-afinity", "anti-affinity"},
      {"two letters swapped", "image-digets", "image-digest"},
      {"case does not count", "Replica-Floor", "replica-floor"},
      {"short word, one edit", "teir", "tier"},
      {"short word, two edits", "tree", ""},
      {"nothing near", "signed-image", ""},
      {"empty", "", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(nearest(c.word, rules) == c.wanted); }
  }
  CHECK(did_you_mean("teir", rules) == " (did you mean `tier`?)");
  CHECK(did_you_mean("xxxxxxxx", rules).empty());
  CHECK(nearest(std::string(1'000'000, 'a'), rules).empty());
}

TEST_CASE("values of strangers cannot spoof a terminal or a log", "[base][text]") {
  struct Case {
    const char *name, *value, *shown;
  };
  const Case cases[] = {
      {"plain", "odoo:17", "odoo:17"},
      {"multi-byte text stays", "Zürich", "Zürich"},
      {"A39 newline", "a\nb", "a\\nb"},
      {"A39 escape sequence", "\x1b[2J", "\\x1B[2J"},
      {"A39 right-to-left override",
       "a\xE2\x80\xAE"
       "b",
       "a\\u{202E}b"},
      {"A38 invalid UTF-8", "a\xFF", "a\\xFF"},
      {"A38 overlong form", "\xC0\xAF", "\\xC0\\xAF"},
      {"zero width",
       "a\xE2\x80\x8B"
       "b",
       "a\\u{200B}b"},
      {"C1 control", "\xC2\x9B", "\\u{009B}"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(printable(c.value) == c.shown); }
  }
  CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(printable(std::string(500, 'x'), 10) == "xxxxxxxxxx...");
  CHECK(quoted("x") == "`x`");
}

TEST_CASE("UTF-8 by RFC 3629", "[base][text]") {
  CHECK(is_utf8("é€😀"));
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));      // a surrogate
  CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(is_utf8("\xE2\x82"));          // cut short
}
