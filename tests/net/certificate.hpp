// Throw-away certificates for tests, made by OpenSSL in the test: a CA, leaves under it, and a directory that goes away.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace portcullis::test {

// A new directory below the system's for temporary files; removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "portcullis-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// An ECDSA P-256 key and its certificate.
class Certificate {
 public:
  struct Options {
    std::string common_name = "localhost";
    const Certificate* issuer = nullptr;  // null: signed by itself
    bool is_ca = false;
    long valid_from_seconds = -3600;  // relative to now
    long valid_to_seconds = 3600L * 24;
  };

  explicit Certificate(const Options& options) : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    static long serial = 0;
    X509* c = certificate_.get();
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c), options.valid_from_seconds);
    X509_gmtime_adj(X509_getm_notAfter(c), options.valid_to_seconds);
    X509_set_pubkey(c, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1, -1, 0);
    const Certificate& issuer = options.issuer ? *options.issuer : *this;
    X509_set_issuer_name(c, X509_get_subject_name(issuer.certificate_.get()));
    extension(NID_basic_constraints, options.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!options.is_ca) extension(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    if (X509_sign(c, issuer.key_.get(), EVP_sha256()) == 0) throw std::runtime_error("cannot sign a certificate");
  }

  [[nodiscard]] X509* certificate() const { return certificate_.get(); }
  [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
  [[nodiscard]] std::string certificate_pem() const {
    return pem([this](BIO* out) { PEM_write_bio_X509(out, certificate_.get()); });
  }
  [[nodiscard]] std::string key_pem() const {
    return pem([this](BIO* out) { PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }

 private:
  void extension(int nid, const char* value) {
    X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(certificate_.get(), made, -1);
    X509_EXTENSION_free(made);
  }
  template <class Write>
  static std::string pem(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
    write(out.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

inline void write_file(const std::filesystem::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

}  // namespace portcullis::test
