// Every rule has a page for people, and what the page shows is what the rule does: its examples are judged here.
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.hpp"
#include "tests/policy/judge.hpp"

using namespace portcullis::policy;
using namespace portcullis::policy::testing;

namespace {

std::string page_of(std::string_view id) {
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/docs/rules/" + std::string(id) + ".md");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Markdown wraps lines where it likes.
std::string unwrapped(std::string_view text) {
  std::string words;
  for (const char c : text) {
    const char shown = c == '\n' ? ' ' : c;
    if (shown != ' ' || words.empty() || words.back() != ' ') words += shown;
  }
  return words;
}

}  // namespace

TEST_CASE("every rule has a page that says what it does", "[policy][rule][docs]") {
  REQUIRE_FALSE(all_rules().empty());
  for (const RuleInfo* info : all_rules()) {
    DYNAMIC_SECTION(info->id) {
      const std::string page = page_of(info->id);
      const std::string words = unwrapped(page);
      REQUIRE_FALSE(page.empty());
      CHECK(page.starts_with("# " + std::string(info->id) + "\n"));
      CHECK(words.find(info->summary) != std::string::npos);
      CHECK(words.find(info->why) != std::string::npos);
      for (const ParamInfo& param : info->params) {
        CAPTURE(param.name);
        CHECK(page.find("| `" + std::string(param.name) + "` |") != std::string::npos);
        CHECK_FALSE(param.meaning.empty());
        CHECK(words.find(param.meaning) != std::string::npos);
      }
      for (const std::string_view subresource : info->subresources)
        CHECK(page.find("`" + std::string(subresource) + "`") != std::string::npos);
      CHECK(page.find("```yaml\n" + std::string(info->example.allowed) + "```") != std::string::npos);
      CHECK(page.find("```yaml\n" + std::string(info->example.denied) + "```") != std::string::npos);
      CHECK(page.find("`" + std::string(info->example.with) + "`") != std::string::npos);
      CHECK(page.find("Since " + std::string(info->since)) != std::string::npos);
      for (const char* section : {"## Why", "## Binds to", "## Parameters", "## Examples", "## Message", "## Fix", "## Exceptions"}) {
        CAPTURE(section);
        CHECK(page.find(section) != std::string::npos);
      }
    }
  }
}

TEST_CASE("the examples of every rule judge as they say, and the page shows the message", "[policy][rule][docs]") {
  for (const RuleInfo* info : all_rules()) {
    DYNAMIC_SECTION(info->id) {
      const RulePtr rule = compile(info->id, info->example.with);
      CHECK(judge(*rule, info->example.allowed) == "");
      const auto told = findings(*rule, info->example.denied);
      REQUIRE_FALSE(told.empty());
      const std::string page = page_of(info->id);
      const std::string message = std::string(info->id) + ": " + told[0].what + " at " + told[0].where + ": found " + told[0].found +
                                  ", want " + told[0].wanted + "; " + told[0].fix;
      CAPTURE(message);
      CHECK(page.find(message) != std::string::npos);
    }
  }
}
