// OpenSSL's objects owned by the scope that holds them, and PEM in and out of memory. For net/'s own sources.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace portcullis::net {

template <auto Free>
struct FreeBy {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using X509Handle = std::unique_ptr<X509, FreeBy<X509_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using X509StoreHandle = std::unique_ptr<X509_STORE, FreeBy<X509_STORE_free>>;
using X509StoreContext = std::unique_ptr<X509_STORE_CTX, FreeBy<X509_STORE_CTX_free>>;

// A view: `text` outlives it.
inline Bio reader_of(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

inline std::string text_of(BIO* memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

// A key with a passphrase would stop the program to ask on a terminal.
inline int no_passphrase(char*, int, int, void*) { return -1; }

inline KeyHandle read_key(std::string_view pem) {
  const Bio in = reader_of(pem);
  return KeyHandle(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr) : nullptr);
}

inline X509Handle read_certificate(BIO* in) { return X509Handle(PEM_read_bio_X509(in, nullptr, no_passphrase, nullptr)); }

}  // namespace portcullis::net
