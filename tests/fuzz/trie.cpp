// Longest prefix match against a linear search: entries of 4 bytes each (family, spread, prefix, value), looked up at the edges
// of their networks.
#include "guard/trie.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;
using guard::Address;
using guard::Trie;

namespace {

bool holds(const Trie::Entry& entry, const Address& address) {
  for (unsigned bit = 0; bit < entry.prefix; ++bit) {
    const unsigned shift = 7 - bit % 8;
    if (((entry.address[bit / 8] ^ address[bit / 8]) >> shift & 1U) != 0) return false;
  }
  return true;
}

// IPv4 and IPv6 are apart, so a network of one never holds an address of the other.
std::uint16_t linear(const std::vector<Trie::Entry>& entries, const Address& address) {
  int longest = -1;
  std::uint16_t value = Trie::no_value;
  for (const Trie::Entry& entry : entries) {
    const bool family = entry.prefix >= 96 && guard::is_ipv4(entry.address);
    if (family != guard::is_ipv4(address) || !holds(entry, address)) continue;
    if (entry.prefix > longest || (entry.prefix == longest && entry.value < value)) {
      longest = entry.prefix;
      value = entry.value;
    }
  }
  return value;
}

}  // namespace

PORTCULLIS_FUZZ_TARGET(input) {
  std::vector<Trie::Entry> entries;
  std::vector<Address> asked;
  while (input.size() >= 4 && entries.size() < 256) {
    const std::uint8_t family = fuzz::take(input), spread = fuzz::take(input), prefix = fuzz::take(input), value = fuzz::take(input);
    Trie::Entry entry;
    if ((family & 1) != 0) {
      entry.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, spread, static_cast<std::uint8_t>(spread ^ family), family};
      entry.prefix = static_cast<std::uint8_t>(96 + prefix % 33);
    } else {
      entry.address = {0x20, 0x01, 0x0d, 0xb8, spread, family, 0, static_cast<std::uint8_t>(spread & family), 1, 0, 0, 0, 0, 0, 0, value};
      entry.prefix = static_cast<std::uint8_t>(prefix % 129);
    }
    entry.value = value;
    entries.push_back(entry);
    Address low = entry.address, high = entry.address, beside = entry.address;
    for (unsigned bit = entry.prefix; bit < 128; ++bit) {
      low[bit / 8] = static_cast<std::uint8_t>(low[bit / 8] & ~(0x80U >> bit % 8));
      high[bit / 8] = static_cast<std::uint8_t>(high[bit / 8] | 0x80U >> bit % 8);
    }
    if (entry.prefix > 0) {
      const unsigned bit = entry.prefix - 1U;
      beside[bit / 8] = static_cast<std::uint8_t>(beside[bit / 8] ^ 0x80U >> bit % 8);
    }
    asked.insert(asked.end(), {entry.address, low, high, beside});
  }
  const Trie trie(entries);
  for (const Address& address : asked) must(trie.find(address) == linear(entries, address), "the trie finds what a linear search finds");
}
