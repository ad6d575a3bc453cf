// Documents as text, and what is said of them, for the tests that read them.
#pragma once

#include <string>

#include "base/result.hpp"
#include "policy/document/load.hpp"
#include "tests/catch.hpp"

namespace portcullis::policy::testing {

inline std::string document(const std::string& kind, const std::string& name, const std::string& spec) {
  return "apiVersion: portcullis.dev/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n";
}

// Each error, a line, without the file, line and column, which other tests look at; "" where there is none.
template <class Loaded>
std::string told_of(const Loaded& set) {
  if (set) return "";
  std::string out;
  for (const Error& error : set.error()) {
    const std::string message = error.message();
    out += (out.empty() ? "" : "\n") + message.substr(message.find(' ') + 1);
  }
  return out;
}

template <class Loaded>
DocumentSet taken_from(Loaded set) {
  if (!set) FAIL(told_of(set));
  return *std::move(set);
}

}  // namespace portcullis::policy::testing
