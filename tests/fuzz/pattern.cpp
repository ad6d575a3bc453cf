// Patterns of rules, one line each: the pattern, the image or name it is asked of, the tenant. A tenant's name is never a
// wildcard, and filling a placeholder never reaches past its bound.
#include "policy/rule/pattern.hpp"

#include <algorithm>

#include "policy/object/glob.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

// `*` any bytes but '/', `**` any bytes: by dynamic programming, row by row.
bool slow_glob(std::string_view pattern, std::string_view text) {
  std::vector<bool> row(text.size() + 1, false);
  row[0] = true;
  for (std::size_t p = 0; p < pattern.size();) {
    std::vector<bool> next(text.size() + 1, false);
    const bool deep = pattern.substr(p).starts_with("**");
    if (pattern[p] == '*') {
      for (std::size_t t = 0; t <= text.size(); ++t) next[t] = row[t] || (t > 0 && next[t - 1] && (deep || text[t - 1] != '/'));
    } else {
      for (std::size_t t = 1; t <= text.size(); ++t) next[t] = row[t - 1] && text[t - 1] == pattern[p];
    }
    row = std::move(next);
    p += deep ? 2 : 1;
  }
  return row[text.size()];
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  auto lines = fuzz::split(input, '\n');
  lines.resize(std::max<std::size_t>(lines.size(), 3));
  if (lines[0].size() * lines[1].size() <= 1 << 16)
    must(policy::glob_matches(lines[0], lines[1]) == slow_glob(lines[0], lines[1]), "a glob is what its definition says");
  policy::Facts facts{};
  facts.tenant = facts.environment = lines[2];
  if (const auto names = policy::NamePattern::parse(lines[0])) {
    const bool matches = names->matches(lines[1], facts, lines[2]);
    if (lines[2].empty() && names->text().find('{') != std::string_view::npos) must(!matches, "an empty placeholder matches nothing");
  }
  const auto images = policy::ImagePattern::parse(lines[0]);
  const auto image = policy::parse_image(lines[1]);
  if (images && image) static_cast<void>(images->matches(*image, facts, lines[2]));
}
