#include "audit/keyed_hash.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <new>
#include <stdexcept>

namespace portcullis::audit {
namespace {
constexpr std::size_t hash_bytes = 32;
}

void KeyedHash::Free::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

Result<KeyedHash> KeyedHash::create(std::string_view key) {
  if (key.size() < key_bytes_min) {
    return fail(ErrorKind::invalid, "hash key",
                "found " + std::to_string(key.size()) + " bytes, want at least " + std::to_string(key_bytes_min));
  }
  EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  KeyedHash hash(mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  if (!hash.context_ || EVP_MAC_init(hash.context_.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), params) != 1) {
    return fail(ErrorKind::unavailable, "hash key", "OpenSSL has no HMAC-SHA-256");
  }
  return hash;
}

KeyedHash KeyedHash::copy() const {
  KeyedHash copied(EVP_MAC_CTX_dup(context_.get()));
  if (!copied.context_) throw std::bad_alloc();
  return copied;
}

void KeyedHash::append(std::string& out, std::string_view bytes, std::size_t hex_digits) {
  unsigned char digest[hash_bytes];
  std::size_t digest_bytes = 0;
  // A null key begins anew with the former one.
  if (EVP_MAC_init(context_.get(), nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1 ||
      EVP_MAC_final(context_.get(), digest, &digest_bytes, sizeof digest) != 1) {
    throw std::runtime_error("HMAC-SHA-256 failed");
  }
  append_hex(out, {reinterpret_cast<const char*>(digest), hex_digits / 2});
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) throw std::runtime_error("no random bytes");
  return bytes;
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

}  // namespace portcullis::audit
