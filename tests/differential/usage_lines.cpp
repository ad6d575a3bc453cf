// Our side of the comparison with Kubernetes' quota evaluators: the same lines in, the same lines out as quota/main.go.
#include <iostream>
#include <string>

#include "policy/object/usage.hpp"

using namespace portcullis;
using namespace portcullis::policy;

namespace {

std::string decimal(Quantity::Nanos nanos) {
  const bool minus = nanos < 0;
  std::string digits;
  do {
    const int digit = static_cast<int>(nanos % 10);
    digits.insert(digits.begin(), static_cast<char>('0' + (minus ? -digit : digit)));
    nanos /= 10;
  } while (nanos != 0);
  return minus ? "-" + digits : digits;
}

std::string answer(const std::string& line) {
  const Result<Tree> tree = Tree::parse_copy(line);
  if (!tree) return R"({"error": "no JSON"})";
  const Value root = tree->root();
  const Instant now{std::chrono::seconds(root["now"].integer().value_or(0))};
  const PodDefaults defaults = root["defaults"].is_true() ? PodDefaults::applied : PodDefaults::as_stored;
  const Usage usage = usage_of(root["object"], root["resource"].text(), root["group"].text(), now, defaults);
  std::string out = "{";
  for (const auto& [name, quantity] : usage) {
    if (out.size() > 1) out += ',';
    out += '"' + name + "\":\"" + decimal(quantity.nanos()) + '"';
  }
  return out + "}";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
  return std::cout.flush() ? 0 : 1;
}
