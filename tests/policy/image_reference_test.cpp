#include "policy/object/image_reference.hpp"

#include <fstream>
#include <string>

#include "policy/object/glob.hpp"
#include "tests/catch.hpp"

using namespace portcullis::policy;

namespace {

std::string parts(std::string_view text) {
  const auto image = parse_image(text);
  if (!image) return "refused";
  std::string whole(image->host);
  whole += '\t';
  whole += image->path_prefix;
  whole += image->path;
  return whole + '\t' + std::string(image->tag) + '\t' + std::string(image->digest);
}

const std::string hex(64, 'a');

}  // namespace

TEST_CASE("image references are what the distribution grammar takes them for (threats 104, 105)", "[policy][image]") {
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/tests/data/images.tsv");
  REQUIRE(file);
  std::string line;
  int rows = 0;
  while (std::getline(file, line)) {
    if (line.starts_with("# ")) continue;
    const std::size_t tab = line.find('\t');
    REQUIRE(tab != std::string::npos);
    const std::string text = line.substr(0, tab);
    CAPTURE(text);
    CHECK(parts(text) == line.substr(tab + 1));
    ++rows;
  }
  CHECK(rows > 350);
}

TEST_CASE("image references that nobody may write", "[policy][image]") {
  const std::string cases[] = {"",
                               "Odoo",
                               "registry.corp./odoo",                                // 104: trailing dot
                               "r\xc3\xa9gistry.corp/odoo",                          // 104: not ASCII
                               "registry.corp/odoo@sha256:" + std::string(64, 'A'),  // 105: upper-case hex
                               "registry.corp/odoo@sha512:" + std::string(128, 'a'),
                               "registry.corp/odoo@sha256:" + std::string(63, 'a'),
                               hex,  // 105: 64 digits are an image's id, not a name
                               "a b",
                               "odoo\n",
                               "a@sha256:" + hex + "@sha256:" + hex,
                               std::string(256, 'a'),
                               std::string(5000, 'a')};
  for (const std::string& text : cases) {
    CAPTURE(text);
    CHECK_FALSE(parse_image(text));
  }
}

TEST_CASE("canonical repositories", "[policy][image]") {
  CHECK(parse_image("odoo")->repository() == "docker.io/library/odoo");
  CHECK(parse_image("corp/odoo:17")->repository() == "docker.io/corp/odoo");
  CHECK(parse_image("index.docker.io/odoo")->repository() == "docker.io/library/odoo");
  CHECK(parse_image("REGISTRY.corp:5000/odoo")->repository() == "registry.corp:5000/odoo");
}

TEST_CASE("images match patterns by host and component (threats 104)", "[policy][image]") {
  struct Case {
    const char *image, *pattern;
    bool matches;
  };
  const Case cases[] = {
      {"registry.corp/odoo/server:17", "registry.corp/odoo/**", true},
      {"REGISTRY.Corp/odoo/server", "registry.corp/odoo/**", true},
      {"registry.corp.evil.com/odoo/server", "registry.corp/odoo/**", false},
      {"registry.corp:443/odoo/server", "registry.corp/odoo/**", false},
      {"registry.corp/odoo-evil/server", "registry.corp/odoo/**", false},
      {"registry.corp/odoo", "registry.corp/odoo/**", false},
      {"registry.corp/odoo/a/b", "registry.corp/odoo/*", false},
      {"registry.corp/odoo/a", "registry.corp/odoo/*", true},
      {"registry.corp/odoo/a", "registry.corp/odoo", false},
      {"registry.corp/odoo", "registry.corp/odoo", true},
      {"odoo", "docker.io/library/odoo", true},
      {"odoo", "docker.io/library/*", true},
      {"odoo", "docker.io/odoo", false},
      {"corp/odoo", "docker.io/corp/**", true},
      {"registry.corp/a/team-x/b", "registry.corp/**/team-*/b", true},
      {"registry.corp/a/team-x/b", "registry.corp/*/team-*/b", true},
      {"registry.corp/a/c/team-x/b", "registry.corp/*/team-*/b", false},
      {"registry.corp/a", "registry.corp", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.image << " by " << c.pattern) {
      const auto image = parse_image(c.image);
      REQUIRE(image);
      CHECK(image_matches(*image, c.pattern) == c.matches);
    }
  }
}

namespace {

// Slow and obvious: what a star stands for is tried out.
bool oracle(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    const bool wide = pattern.size() > 1 && pattern[1] == '*';
    std::string_view rest = pattern;
    while (wide && rest.starts_with('*')) rest.remove_prefix(1);
    if (!wide) rest.remove_prefix(1);
    for (std::size_t taken = 0;; ++taken) {
      if (oracle(rest, text.substr(taken))) return true;
      if (taken == text.size() || (!wide && text[taken] == '/')) return false;
    }
  }
  return !text.empty() && text[0] == pattern[0] && oracle(pattern.substr(1), text.substr(1));
}

std::string nth(std::string_view alphabet, std::size_t length, std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i, n /= alphabet.size()) text += alphabet[n % alphabet.size()];
  return text;
}

}  // namespace

TEST_CASE("patterns agree with the obvious matcher on every short text", "[policy][glob]") {
  std::size_t differing = 0, matching = 0;
  for (std::size_t pattern_length = 0; pattern_length <= 5; ++pattern_length)
    for (std::size_t p = 0, patterns = 1u << (2 * pattern_length); p < patterns; ++p) {
      const std::string pattern = nth("a/b*", pattern_length, p);
      for (std::size_t length = 0; length <= 5; ++length)
        for (std::size_t t = 0, texts = length == 0   ? 1
                                        : length == 1 ? 3
                                        : length == 2 ? 9
                                        : length == 3 ? 27
                                        : length == 4 ? 81
                                                      : 243;
             t < texts; ++t) {
          const std::string text = nth("a/b", length, t);
          const bool wanted = oracle(pattern, text);
          matching += wanted;
          differing += glob_matches(pattern, text) != wanted;
        }
    }
  CHECK(differing == 0);
  CHECK(matching > 1000);
}
