#include "guard/trie.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace portcullis::guard {
namespace {

constexpr unsigned ipv4_prefix_bits = mapped_prefix_bytes * 8;

Address masked(Address address, std::uint8_t prefix) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    const int kept = std::clamp(static_cast<int>(prefix) - static_cast<int>(i) * 8, 0, 8);
    address[i] = static_cast<std::uint8_t>(address[i] & (0xff00U >> kept));
  }
  return address;
}

bool bit(const std::array<std::uint64_t, 4>& bits, std::uint8_t at) { return ((bits[at >> 6] >> (at & 63)) & 1) != 0; }
void set_bit(std::array<std::uint64_t, 4>& bits, std::uint8_t at) { bits[at >> 6] |= std::uint64_t{1} << (at & 63); }

// Set bits below `at`.
unsigned count_before(const std::array<std::uint64_t, 4>& bits, std::uint8_t at) {
  unsigned count = 0;
  const unsigned word = at >> 6;
  for (unsigned i = 0; i < word; ++i) count += static_cast<unsigned>(std::popcount(bits[i]));
  return count + static_cast<unsigned>(std::popcount(bits[word] & ((std::uint64_t{1} << (at & 63)) - 1)));
}

// How many bytes from `depth` on all `entries` share and none ends in: nothing branches there. Entries are sorted, so the
// first and the last tell; a shorter prefix sorts first among its like, yet may stand anywhere.
std::uint8_t branch_depth(std::span<const Trie::Entry> entries, std::uint8_t depth) {
  std::uint8_t shortest = 128;
  for (const Trie::Entry& entry : entries) shortest = std::min(shortest, entry.prefix);
  const Address &first = entries.front().address, &last = entries.back().address;
  while (depth < 15 && shortest > (depth + 1) * 8 && first[depth] == last[depth]) ++depth;
  return depth;
}

}  // namespace

Trie::Trie(std::vector<Entry> entries) {
  for (Entry& entry : entries) entry.address = masked(entry.address, entry.prefix);
  const auto is_v4 = [](const Entry& entry) { return entry.prefix >= ipv4_prefix_bits && is_ipv4(entry.address); };
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    const bool a4 = is_v4(a), b4 = is_v4(b);
    if (a4 != b4) return a4;
    if (a.address != b.address) return a.address < b.address;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return a.value < b.value;
  });
  const auto same = [](const Entry& a, const Entry& b) { return a.prefix == b.prefix && a.address == b.address; };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  const auto border = std::find_if_not(entries.begin(), entries.end(), is_v4);
  ipv4_ = build_family({entries.begin(), border}, mapped_prefix_bytes);
  ipv6_ = build_family({border, entries.end()}, 0);
  nodes_.shrink_to_fit();
  values_.shrink_to_fit();
}

Trie::Family Trie::build_family(std::span<const Entry> entries, std::uint8_t depth) {
  if (entries.empty()) return {};
  const auto root = static_cast<std::uint32_t>(nodes_.size());
  nodes_.emplace_back();
  // A network of the whole family has no byte to end in: it is what all others inherit.
  std::uint16_t inherited = no_value;
  if (entries.front().prefix == depth * 8) {
    inherited = entries.front().value;
    entries = entries.subspan(1);
  }
  fill(root, entries, depth, inherited);
  return {true, root, depth};
}

// Depth of recursion is at most the address's bytes.
void Trie::fill(std::uint32_t index, std::span<const Entry> entries, std::uint8_t depth, std::uint16_t inherited) {
  Node node;
  node.outside = inherited;
  std::array<std::uint16_t, 256> slots;
  slots.fill(inherited);
  std::vector<std::pair<std::uint8_t, std::span<const Entry>>> children;
  if (!entries.empty()) {
    depth = branch_depth(entries, depth);
    node.path = entries.front().address;
    const unsigned ends_here_max = (depth + 1U) * 8;
    for (unsigned length = depth * 8 + 1; length <= ends_here_max; ++length) {  // short ones first, so that longer ones overwrite
      for (const Entry& entry : entries) {
        if (entry.prefix != length) continue;
        const unsigned first = entry.address[depth], count = 1U << (ends_here_max - length);
        std::fill_n(slots.begin() + first, count, entry.value);
      }
    }
    for (auto begin = entries.begin(); begin != entries.end();) {
      const std::uint8_t byte = begin->address[depth];
      auto end = std::find_if(begin, entries.end(), [&](const Entry& entry) { return entry.address[depth] != byte; });
      // Within one byte the ones that end here sort before the longer ones, except that a longer one with zeros sorts as low.
      const auto longer = std::find_if(begin, end, [&](const Entry& entry) { return entry.prefix > ends_here_max; });
      if (longer != end) children.emplace_back(byte, std::span<const Entry>(longer, end));
      begin = end;
    }
  }
  node.depth = depth;
  node.first_value = static_cast<std::uint32_t>(values_.size());
  for (unsigned byte = 0; byte < slots.size(); ++byte) {
    if (byte > 0 && slots[byte] == slots[byte - 1]) continue;
    set_bit(node.runs, static_cast<std::uint8_t>(byte));
    values_.push_back(slots[byte]);
  }
  node.first_child = static_cast<std::uint32_t>(nodes_.size());
  for (const auto& [byte, below] : children) set_bit(node.children, byte);
  nodes_[index] = node;
  nodes_.resize(nodes_.size() + children.size());
  for (std::size_t i = 0; i < children.size(); ++i) {
    const auto& [byte, below] = children[i];
    fill(node.first_child + static_cast<std::uint32_t>(i), below, static_cast<std::uint8_t>(depth + 1), slots[byte]);
  }
}

std::uint16_t Trie::find(const Address& address) const {
  const Family& family = is_ipv4(address) ? ipv4_ : ipv6_;
  if (!family.any) return no_value;
  std::uint8_t compared = family.depth;
  for (const Node* node = &nodes_[family.root];;) {
    if (node->depth > compared && std::memcmp(node->path.data() + compared, address.data() + compared, node->depth - compared) != 0)
      return node->outside;
    const std::uint8_t byte = address[node->depth];
    if (!bit(node->children, byte)) {
      return values_[node->first_value + count_before(node->runs, byte) - (bit(node->runs, byte) ? 0U : 1U)];
    }
    compared = static_cast<std::uint8_t>(node->depth + 1);
    node = &nodes_[node->first_child + count_before(node->children, byte)];
  }
}

}  // namespace portcullis::guard
