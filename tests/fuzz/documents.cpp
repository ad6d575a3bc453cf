// Documents as an operator writes them: taken whole or refused with places, and what is taken compiles for both doors or is
// refused by a rule with its place.
#include "guard/snapshot.hpp"
#include "policy/document/load.hpp"
#include "policy/engine.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

namespace {

void check(const Error& error) {
  must(!error.what.empty(), "an error says what is wrong");
  for (const char c : error.message()) must(static_cast<unsigned char>(c) >= ' ', "an error is one line of text", error.message());
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  const bool needs_guard_policy = !input.empty() && input.back() == '\n';
  auto set = policy::load_documents({{"a.yaml", std::string(input)}}, needs_guard_policy);
  if (!set) {
    must(!set.error().empty(), "a refusal has its errors");
    for (const Error& error : set.error()) check(error);
    return;
  }
  must(guard::GuardSnapshot::compile(*set) != nullptr, "what is taken serves the guard");
  const auto compiled = policy::PolicySnapshot::compile(*std::move(set));
  if (compiled) return;
  must(!compiled.error().empty(), "a rule's refusal has its errors");
  for (const Error& error : compiled.error()) {
    check(error);
    must(error.where.starts_with("a.yaml:"), "a rule's refusal has its place", error.message());
  }
}
