#include "guard/siphash.hpp"

#include <array>

#include "tests/catch.hpp"

using portcullis::guard::siphash;
using portcullis::guard::SipKey;

TEST_CASE("siphash: the paper's test vectors", "[guard][siphash]") {
  const SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  std::array<unsigned char, 15> input{};
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<unsigned char>(i);
  CHECK(siphash(key, input.data(), 15) == 0xa129ca6149be45e5ULL);
  CHECK(siphash(key, input.data(), 0) == 0x726fdb47dd0e0e31ULL);
  CHECK(siphash(key, input.data(), 8) == 0x93f5f5799a932462ULL);
}

TEST_CASE("siphash: another start, another key (B36)", "[guard][siphash]") {
  const SipKey one = SipKey::random(), two = SipKey::random();
  CHECK((one.k0 != two.k0 || one.k1 != two.k1));
  CHECK(siphash(one, "203.0.113.9") != siphash(two, "203.0.113.9"));
}
