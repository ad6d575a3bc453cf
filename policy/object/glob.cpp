#include "policy/object/glob.hpp"

#include <cstddef>

namespace portcullis::policy {

// Greedy with two places to return to: the last `*`, which may take one more byte of its part, and the last `**`, which may
// take one more of anything. A later star makes an earlier one of its kind needless: what stood between them has matched at
// the first place possible, and any other place leaves less text for the rest.
bool glob_matches(std::string_view pattern, std::string_view text) {
  constexpr std::size_t none = std::string_view::npos;
  std::size_t p = 0, t = 0;
  std::size_t star_p = none, star_t = 0, wide_p = none, wide_t = 0;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      if (p + 1 < pattern.size() && pattern[p + 1] == '*') {
        while (p < pattern.size() && pattern[p] == '*') ++p;
        wide_p = p, wide_t = t, star_p = none;
      } else {
        star_p = ++p, star_t = t;
      }
      if (p == pattern.size() && wide_p == p) return true;  // a trailing `**` takes the rest
      continue;
    }
    if (t == text.size() && p == pattern.size()) return true;
    if (t < text.size() && p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
      continue;
    }
    if (star_p != none && star_t < text.size() && text[star_t] != '/') {
      t = ++star_t, p = star_p;
    } else if (wide_p != none && wide_t < text.size()) {
      t = ++wide_t, p = wide_p, star_p = none;
    } else {
      return false;
    }
  }
}

}  // namespace portcullis::policy
