// Longest prefix match over addresses: networks with small values in, for an address the value of the longest network that
// holds it. Immutable once built, so loops share it without a lock.
//
// A multibit trie with strides of eight bits after the poptrie idea (Asai, Ohara, SIGCOMM 2015): a node has a bitmap of
// its children and one of its runs of equal values, and both are found by counting bits. Values are pushed down to the
// leaves, so a lookup never goes back; a byte that nothing branches on has no node, so there are at most two nodes a network.
// Of two equal networks the smaller value wins: give refusals the smallest.
// IPv4 (::ffff:a.b.c.d) and IPv6 are apart: `::/0` is every IPv6 address and no IPv4 one.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "guard/address.hpp"

namespace portcullis::guard {

class Trie {
 public:
  static constexpr std::uint16_t no_value = 0xffff;
  struct Entry {
    Address address{};
    std::uint8_t prefix = 0;  // 0..128; bits beyond it are ignored
    std::uint16_t value = 0;  // below no_value
  };

  Trie() = default;
  explicit Trie(std::vector<Entry> entries);

  [[nodiscard]] std::uint16_t find(const Address& address) const;
  [[nodiscard]] bool empty() const { return nodes_.empty(); }
  [[nodiscard]] std::size_t memory_bytes() const { return nodes_.capacity() * sizeof(Node) + values_.capacity() * sizeof(std::uint16_t); }

 private:
  struct Node {
    std::array<std::uint64_t, 4> children{};  // bit b: byte value b has a child
    std::array<std::uint64_t, 4> runs{};      // bit b: a run of equal values begins at byte value b; bit 0 always set
    Address path{};                           // the bytes before `depth` that lead here
    std::uint32_t first_child = 0, first_value = 0;
    std::uint16_t outside = no_value;  // for addresses that leave `path`
    std::uint8_t depth = 0;            // the byte of the address this node looks at
  };
  struct Family {
    bool any = false;
    std::uint32_t root = 0;
    std::uint8_t depth = 0;  // bytes that are the same for the whole family
  };

  Family build_family(std::span<const Entry> entries, std::uint8_t depth);
  void fill(std::uint32_t index, std::span<const Entry> entries, std::uint8_t depth, std::uint16_t inherited);

  std::vector<Node> nodes_;
  std::vector<std::uint16_t> values_;
  Family ipv4_, ipv6_;
};

}  // namespace portcullis::guard
