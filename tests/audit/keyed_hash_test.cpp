#include "audit/keyed_hash.hpp"

#include <string>

#include "tests/catch.hpp"

namespace portcullis::audit {
namespace {

TEST_CASE("keyed_hash is HMAC-SHA-256", "[audit]") {
  // RFC 4231, test cases 1 and 3.
  KeyedHash first = KeyedHash::create(std::string(20, '\x0b')).value();
  KeyedHash third = KeyedHash::create(std::string(20, '\xaa')).value();
  for (int again = 0; again < 2; ++again) {
    std::string one, three;
    first.append(one, "Hi There", 64);
    third.append(three, std::string(50, '\xdd'), 32);
    CHECK(one == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(three == "773ea91e36800e46854db8ebd09181a7");
  }
}

TEST_CASE("a key that could be tried out is refused", "[audit]") {
  const auto hash = KeyedHash::create("too short");
  REQUIRE_FALSE(hash);
  CHECK(hash.error().message() == "hash key: found 9 bytes, want at least 16");
}

}  // namespace
}  // namespace portcullis::audit
