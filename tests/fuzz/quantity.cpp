// Quantities: the text of one is itself one, of the same amount; sums and products do not wrap.
#include "policy/object/quantity.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using policy::Quantity;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t middle = input.find(' ');
  const auto first = Quantity::parse(input.substr(0, middle));
  if (!first) return;
  const auto again = Quantity::parse(first->text());
  must(again && *again == *first, "a quantity's text reads back", first->text());
  must(first->negative() == (*first < Quantity{}) && first->zero() == (*first == Quantity{}), "signs agree with the order");
  must(*first * 1 == *first && *first + Quantity{} == *first, "one and nothing change nothing");
  if (middle == std::string_view::npos) return;
  const auto second = Quantity::parse(input.substr(middle + 1));
  if (!second) return;
  must(*first + *second == *second + *first, "sums have no order");
  if (!second->negative()) must(*first + *second >= *first, "adding does not wrap");
  if (!first->negative()) must(*first * 1'000'000'007 >= *first, "multiplying does not wrap");
}
