#include "cli/source.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace portcullis::cli;
using portcullis::policy::Span;

TEST_CASE("excerpts underline code points, whatever the bytes", "[cli][source]") {
  struct Case {
    const char *name, *bytes;
    Span span;
    const char *text, *carets;
  };
  const Case cases[] = {
      {"plain", "image: odoo\n", {1, 8, 1, 12}, "image: odoo", "       ^^^^"},
      {"second line of CRLF", "a: 1\r\nb: 22\r\n", {2, 4, 2, 6}, "b: 22", "   ^^"},
      {"a BOM counts for nothing", "\xEF\xBB\xBFimage: x", {1, 8, 1, 9}, "image: x", "       ^"},
      {"two bytes, one column", "n: \xC3\xA9\xC3\xA9x", {1, 5, 1, 6}, "n: \xC3\xA9\xC3\xA9x", "    ^"},
      {"an emoji takes two columns", "n: \xF0\x9F\x98\x80x", {1, 5, 1, 6}, "n: \xF0\x9F\x98\x80x", "     ^"},
      {"a tab is shown as one space", "a:\tb", {1, 4, 1, 5}, "a: b", "   ^"},
      {"an escape is shown, not obeyed", "a: \x1b[31m", {1, 4, 1, 8}, "a: \\x1B[31m", "   ^^^^^^^"},
      {"a bidi mark is shown", "a: x\xE2\x80\xAEy", {1, 6, 1, 7}, "a: x\\u{202E}y", "            ^"},
      {"a block of lines: the first one", "a:\n  b: 1\n  c: 2\n", {2, 3, 4, 1}, "  b: 1", "  ^^^^"},
      {"an empty value at the end", "a:\n", {1, 3, 1, 3}, "a:", "  ^"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Source source("f.yaml", c.bytes);
      const Excerpt shown = excerpt(source, c.span, {}, 100);
      CHECK(shown.text == c.text);
      CHECK(shown.carets == c.carets);
    }
  }
}

TEST_CASE("what is secret is masked in every excerpt of its line", "[cli][source]") {
  const Source source("f.yaml", "env: [{name: A, value: hunter2}, {name: B}]\nkey: |\n  first\n  second\n");
  CHECK(excerpt(source, {1, 34, 1, 41}, {{1, 24, 1, 31}}, 100).text == "env: [{name: A, value: *******}, {name: B}]");
  CHECK(excerpt(source, {3, 3, 3, 8}, {{2, 6, 5, 1}}, 100).text == "*******");
}

TEST_CASE("long lines are cut around the fault", "[cli][source]") {
  const Source source("f.yaml", std::string(500, 'a') + "FAULT" + std::string(500, 'b'));
  const Excerpt shown = excerpt(source, {1, 501, 1, 506}, {}, 60);
  CHECK(shown.text.starts_with("\u2026a"));
  CHECK(shown.text.ends_with("b\u2026"));
  CHECK(shown.text.find("FAULT") != std::string::npos);
  CHECK(shown.carets == std::string(21, ' ') + "^^^^^");
}
