// The pages of docs/ that show commands are run: each ```console block holds `$ portcullis ...` lines, what they print, and
// `$ echo $?` with the exit code. PORTCULLIS_REWRITE=1 writes what the program prints now into the pages, to be read in the
// diff. Paths are from the root of the repository.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The time it took is nobody's to promise.
std::string steady(const std::string& text) { return std::regex_replace(text, std::regex("; \\d+ ms"), "; 3 ms"); }

// One block as the program would print it now.
std::string run_block(const std::string& block) {
  std::string result;
  int code = 0;
  std::istringstream lines(block);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("$ ")) continue;  // what was printed before
    result += line + "\n";
    if (line == "$ echo $?") {
      result += std::to_string(code) + "\n";
      continue;
    }
    std::istringstream words(line.substr(2));
    std::vector<std::string> argv{std::istream_iterator<std::string>(words), {}};
    REQUIRE(argv.at(0) == "portcullis");
    argv.erase(argv.begin());
    const Answer answer = run_program(argv);
    code = answer.code;
    result += answer.out + answer.err;
  }
  return steady(result);
}

}  // namespace

TEST_CASE("docs show what the program prints", "[cli][docs]") {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(PORTCULLIS_SOURCE_DIR);
  constexpr std::string_view fence = "```console\n";
  std::size_t blocks = 0;
  for (const std::string& page : {std::string("docs/check.md"), std::string("docs/cli.md")}) {
    const std::string path = std::string(PORTCULLIS_SOURCE_DIR) + "/" + page;
    const std::string text = read_file(path);
    std::string now;
    std::size_t from = 0;
    for (std::size_t at; (at = text.find(fence, from)) != std::string::npos;) {
      const std::size_t begin = at + fence.size(), end = text.find("```\n", begin);
      REQUIRE(end != std::string::npos);
      now += text.substr(from, begin - from) + run_block(text.substr(begin, end - begin));
      from = end;
      ++blocks;
    }
    now += text.substr(from);
    if (std::getenv("PORTCULLIS_REWRITE"))
      std::ofstream(path, std::ios::binary) << now;
    else
      CHECK(now == text);
  }
  std::filesystem::current_path(before);
  CHECK(blocks >= 6);
}
