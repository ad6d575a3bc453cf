// HMAC-SHA-256 of what the log must not hold but must be able to compare: whoever has the key can show that two records
// speak of the same input or client, nobody without it can guess either. Deleting the key erases the meaning.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

using EVP_MAC_CTX = struct evp_mac_ctx_st;

namespace portcullis::audit {

inline constexpr std::size_t key_bytes_min = 16;  // a shorter key could be tried out

// Not thread-safe.
class KeyedHash {
 public:
  static Result<KeyedHash> create(std::string_view key);
  // Another one under the same key, for another thread. This one must not be in use meanwhile.
  [[nodiscard]] KeyedHash copy() const;
  // Appends `hex_digits` (at most 64) of the hash.
  void append(std::string& out, std::string_view bytes, std::size_t hex_digits);

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const;
  };
  explicit KeyedHash(EVP_MAC_CTX* context) : context_(context) {}
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

std::string random_bytes(std::size_t count);  // throws where the system has none
void append_hex(std::string& out, std::string_view bytes);

}  // namespace portcullis::audit
