// Cookie and Authorization, the latter on the first line: crumbs say what one line says, and a scheme has no case.
#include "guard/credentials.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

bool same(const guard::Sessions& a, const guard::Sessions& b) {
  return a.count == b.count && std::equal(a.all().begin(), a.all().end(), b.all().begin());
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  constexpr guard::SipKey key{1, 2};
  const auto lines = fuzz::split(input, '\n');
  const std::string_view authorization = lines.front();
  std::string upper(authorization);
  for (char& c : upper) {
    if (c == ' ' || c == '\t') {
      if (&c == upper.data()) continue;
      break;
    }
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c & ~0x20);
  }
  constexpr std::size_t scheme_max = 32;
  if (authorization.find_first_of(" \t") != 0 && authorization.substr(0, authorization.find_first_of(" \t")).size() <= scheme_max)
    must(guard::find_api_key(authorization, key) == guard::find_api_key(upper, key), "a scheme has no case");

  const std::vector<std::string_view> cookies(lines.begin() + 1, lines.end());
  const guard::Sessions sessions = guard::find_sessions(cookies, key);
  must(sessions.count <= sessions.keys.size(), "there are two sessions at most");
  std::vector<std::string_view> crumbs;
  for (const std::string_view line : cookies)
    for (const std::string_view crumb : fuzz::split(line, ';')) crumbs.push_back(crumb);
  must(same(guard::find_sessions(crumbs, key), sessions), "crumbs say what one line says");
}
