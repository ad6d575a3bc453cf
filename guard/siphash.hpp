// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), 64-bit: a stranger who does not know the
// key can neither choose colliding limiter keys nor guess what a value hashed to.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace portcullis::guard {

struct SipKey {
  std::uint64_t k0 = 0, k1 = 0;
  static SipKey random();  // from the kernel; one a start
};

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

inline std::uint64_t siphash(const SipKey& key, const void* data, std::size_t size) {
  std::uint64_t v0 = key.k0 ^ 0x736f6d6570736575ULL, v1 = key.k1 ^ 0x646f72616e646f6dULL;
  std::uint64_t v2 = key.k0 ^ 0x6c7967656e657261ULL, v3 = key.k1 ^ 0x7465646279746573ULL;
  const auto round = [&] {
    v0 += v1, v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1, v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  };
  const auto* bytes = static_cast<const unsigned char*>(data);
  const unsigned char* const words_end = bytes + (size & ~std::size_t{7});
  std::uint64_t word = 0;
  for (; bytes != words_end; bytes += 8) {
    std::memcpy(&word, bytes, 8);
    v3 ^= word;
    round(), round();
    v0 ^= word;
  }
  word = static_cast<std::uint64_t>(size) << 56;
  for (std::size_t i = 0; i < (size & 7); ++i) word |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  v3 ^= word;
  round(), round();
  v0 ^= word;
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

inline std::uint64_t siphash(const SipKey& key, std::string_view text) { return siphash(key, text.data(), text.size()); }

}  // namespace portcullis::guard
