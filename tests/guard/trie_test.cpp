#include "guard/trie.hpp"

#include <chrono>
#include <random>

#include "tests/guard/support.hpp"

using namespace portcullis::guard;
using testing::address;

namespace {

Trie::Entry entry(std::string_view cidr, std::uint16_t value) {
  const auto network = testing::network(cidr);
  return {network.address, network.prefix, value};
}

bool holds(const Trie::Entry& entry, const Address& address) {
  for (unsigned bit = 0; bit < entry.prefix; ++bit) {
    const unsigned mask = 0x80U >> (bit & 7);
    if ((entry.address[bit / 8] & mask) != (address[bit / 8] & mask)) return false;
  }
  return true;
}

// The slow, obvious way: look at all of them.
std::uint16_t oracle(const std::vector<Trie::Entry>& entries, const Address& address) {
  int longest = -1;
  std::uint16_t value = Trie::no_value;
  for (const Trie::Entry& entry : entries) {
    const bool v4 = entry.prefix >= 96 && is_ipv4(entry.address);
    if (v4 != is_ipv4(address) || !holds(entry, address) || entry.prefix < longest) continue;
    value = entry.prefix == longest ? std::min(value, entry.value) : entry.value;
    longest = entry.prefix;
  }
  return value;
}

}  // namespace

TEST_CASE("trie: the longest network decides", "[guard][trie]") {
  const Trie trie({entry("10.0.0.0/8", 1), entry("10.1.0.0/16", 2), entry("10.1.2.3/32", 3), entry("2001:db8::/32", 4),
                   entry("2001:db8:77::/48", 5), entry("192.0.2.0/25", 6)});
  CHECK(trie.find(address("10.200.0.1")) == 1);
  CHECK(trie.find(address("10.1.2.4")) == 2);
  CHECK(trie.find(address("10.1.2.3")) == 3);
  CHECK(trie.find(address("::ffff:10.1.2.3")) == 3);  // B17
  CHECK(trie.find(address("2001:db8:1::1")) == 4);
  CHECK(trie.find(address("2001:db8:77:1::1")) == 5);
  CHECK(trie.find(address("192.0.2.127")) == 6);
  CHECK(trie.find(address("192.0.2.128")) == Trie::no_value);
  CHECK(trie.find(address("11.0.0.1")) == Trie::no_value);
  CHECK(trie.find(address("::10.1.2.3")) == Trie::no_value);  // B18
  CHECK(Trie().find(address("10.1.2.3")) == Trie::no_value);
  CHECK(Trie(std::vector<Trie::Entry>{}).find(address("::1")) == Trie::no_value);
}

TEST_CASE("trie: the smaller value wins a tie (B21)", "[guard][trie]") {
  const Trie trie({entry("10.0.0.0/8", 1), entry("10.0.0.0/8", 0), entry("10.0.0.0/8", 1)});
  CHECK(trie.find(address("10.9.9.9")) == 0);
}

TEST_CASE("trie: everything of a family, and only of it", "[guard][trie]") {
  const Trie all4({entry("0.0.0.0/0", 1)}), all6({entry("::/0", 2)}),
      both({entry("0.0.0.0/0", 1), entry("::/0", 2), entry("10.0.0.0/8", 3)});
  CHECK(all4.find(address("203.0.113.1")) == 1);
  CHECK(all4.find(address("2001:db8::1")) == Trie::no_value);
  CHECK(all6.find(address("2001:db8::1")) == 2);
  CHECK(all6.find(address("203.0.113.1")) == Trie::no_value);
  CHECK(both.find(address("10.0.0.1")) == 3);
  CHECK(both.find(address("11.0.0.1")) == 1);
  CHECK(both.find(address("::1")) == 2);
}

TEST_CASE("trie: agrees with the slow way", "[guard][trie]") {
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U);
  std::mt19937 random(seed);
  // Few distinct bytes, so that networks nest and share long paths.
  const auto byte = [&] { return static_cast<std::uint8_t>(random() % 4 == 0 ? random() : (random() % 3) * 127); };
  const auto any_address = [&](bool v4) {
    Address made = v4 ? address("0.0.0.0") : Address{};
    for (std::size_t i = v4 ? 12 : 0; i < made.size(); ++i) made[i] = byte();
    return made;
  };
  std::vector<Trie::Entry> entries;
  for (int i = 0; i < 400; ++i) {
    const bool v4 = random() % 2 == 0;
    const auto prefix = static_cast<std::uint8_t>(v4 ? 96 + random() % 33 : random() % 129);
    Trie::Entry made{any_address(v4), prefix, static_cast<std::uint16_t>(random() % 50)};
    for (std::size_t bit = prefix; bit < 128; ++bit) made.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit & 7)));
    entries.push_back(made);
  }
  const Trie trie(entries);
  for (int i = 0; i < 4000; ++i) {
    // Half of them near a network's border.
    Address probe = any_address(i % 2 == 0);
    if (i % 4 < 2) {
      const Trie::Entry& near = entries[random() % entries.size()];
      probe = near.address;
      if (near.prefix < 128 && random() % 2 == 0) probe[near.prefix / 8] ^= static_cast<std::uint8_t>(0x80U >> (near.prefix & 7));
      if (random() % 2 == 0) probe[15] = byte();
    }
    REQUIRE(trie.find(probe) == oracle(entries, probe));
  }
}

TEST_CASE("trie: a hundred thousand networks load in a second and stay small (B21)", "[guard][trie]") {
  std::mt19937 random(11);
  std::vector<Trie::Entry> entries;
  for (int i = 0; i < 100'000; ++i) {
    Trie::Entry made;
    if (i % 2 == 0) {
      made.address = address("0.0.0.0");
      for (std::size_t at = 12; at < 16; ++at) made.address[at] = static_cast<std::uint8_t>(random());
      made.prefix = static_cast<std::uint8_t>(96 + 16 + random() % 17);
    } else {
      for (auto& part : made.address) part = static_cast<std::uint8_t>(random());
      made.prefix = static_cast<std::uint8_t>(32 + random() % 97);
    }
    made.value = 1;
    entries.push_back(made);
  }
  const auto begin = std::chrono::steady_clock::now();
  const Trie trie(entries);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  INFO("100000 networks: " << took.count() << " s, " << trie.memory_bytes() / 1024 << " KiB");
  // The bound of the product is a second of optimised code; a sanitizer or debug build may take some times that.
  CHECK(took.count() < 10.0);
  CHECK(trie.memory_bytes() < 40U * 1024 * 1024);
  CHECK(trie.find(entries[0].address) == 1);
}
