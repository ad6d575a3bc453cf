#include "net/certificate_authority.hpp"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/text.hpp"
#include "net/openssl_handles.hpp"
#include "net/tls_context.hpp"

namespace portcullis::net {
namespace {

constexpr std::size_t serial_bytes = 16;

auto refuse(const std::string& name) { return fail(ErrorKind::unavailable, "certificate " + name, "cannot be made: " + openssl_errors()); }

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreeBy<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, serial_bytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes.front() = static_cast<unsigned char>((bytes.front() & 0x7FU) | 0x40U);  // positive, and always 16 octets
  return ASN1_STRING_set(X509_get_serialNumber(certificate), bytes.data(), static_cast<int>(bytes.size())) == 1;
}

// All but the signature and the extensions; the issuer is the certificate itself when there is none.
X509Handle begin(const std::string& name, EVP_PKEY* key, Validity validity, X509* issuer) {
  X509Handle certificate(X509_new());
  X509* c = certificate.get();
  if (!c || X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c)) return nullptr;
  X509_NAME* subject = X509_get_subject_name(c);
  const auto seconds = [](Instant at) { return static_cast<std::time_t>(at.time_since_epoch().count()); };
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.data()),
                                 static_cast<int>(name.size()), -1, 0) != 1 ||
      X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer) : subject) != 1 || X509_set_pubkey(c, key) != 1 ||
      !ASN1_TIME_set(X509_getm_notBefore(c), seconds(validity.from)) || !ASN1_TIME_set(X509_getm_notAfter(c), seconds(validity.until)))
    return nullptr;
  return certificate;
}

Result<PemPair> written(X509* certificate, EVP_PKEY* key, const std::string& name) {
  const Bio certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_secmem()));
  if (!certificate_text || !key_text || PEM_write_bio_X509(certificate_text.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return refuse(name);
  return PemPair{text_of(certificate_text.get()), text_of(key_text.get())};
}

// The text goes through OpenSSL's own little language, where a comma begins another name.
bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '*' || c == ':';
  });
}

std::string alternative_names(const LeafWanted& wanted) {
  std::string text;
  const auto add = [&](std::string_view kind, const std::string& name) {
    if (!text.empty()) text += ',';
    text.append(kind).append(name);
  };
  for (const std::string& name : wanted.dns_names) add("DNS:", name);
  for (const std::string& address : wanted.addresses) add("IP:", address);
  return text;
}

}  // namespace

Result<PemPair> make_authority(const std::string& common_name, Validity validity) {
  ERR_clear_error();
  const KeyHandle key(EVP_EC_gen("P-256"));
  if (!key) return refuse(common_name);
  const X509Handle certificate = begin(common_name, key.get(), validity, nullptr);
  X509* c = certificate.get();
  if (!c || !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(c, c, NID_key_usage, "critical,keyCertSign") || !add_extension(c, c, NID_subject_key_identifier, "hash") ||
      !add_extension(c, c, NID_authority_key_identifier, "keyid:always") || X509_sign(c, key.get(), EVP_sha256()) == 0)
    return refuse(common_name);
  return written(c, key.get(), common_name);
}

Result<PemPair> issue_leaf(const PemPair& authority, const LeafWanted& wanted) {
  ERR_clear_error();
  if (wanted.dns_names.empty() && wanted.addresses.empty())
    return fail(ErrorKind::invalid, "certificate " + wanted.common_name, "found no name to certify");
  for (const auto* names : {&wanted.dns_names, &wanted.addresses})
    for (const std::string& name : *names)
      if (!is_name(name))
        return fail(ErrorKind::invalid, "certificate " + wanted.common_name,
                    "found " + portcullis::quoted(name) + ", want a DNS name or an address");
  const Bio authority_text = reader_of(authority.certificate);
  const X509Handle issuer = authority_text ? read_certificate(authority_text.get()) : nullptr;
  const KeyHandle issuer_key = read_key(authority.key);
  if (!issuer || !issuer_key || X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorKind::invalid, "certificate authority", "its certificate or its key cannot be used");
  }
  const auto facts = read_certificates(authority.certificate, "certificate authority");
  if (!facts) return tl::unexpected(facts.error());
  Validity validity = wanted.validity;
  validity.until = std::min(validity.until, facts->front().not_after);
  const KeyHandle key(EVP_EC_gen("P-256"));
  if (!key) return refuse(wanted.common_name);
  const X509Handle certificate = begin(wanted.common_name, key.get(), validity, issuer.get());
  X509* c = certificate.get();
  if (!c || !add_extension(c, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(c, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(c, issuer.get(), NID_ext_key_usage, "serverAuth") ||
      !add_extension(c, issuer.get(), NID_subject_key_identifier, "hash") ||
      !add_extension(c, issuer.get(), NID_authority_key_identifier, "keyid:always") ||
      !add_extension(c, issuer.get(), NID_subject_alt_name, alternative_names(wanted)) || X509_sign(c, issuer_key.get(), EVP_sha256()) == 0)
    return refuse(wanted.common_name);
  return written(c, key.get(), wanted.common_name);
}

std::vector<std::string> service_names(const std::string& service, const std::string& name_space) {
  const std::string name = service + "." + name_space;
  return {name + ".svc", name + ".svc.cluster.local", name};
}

}  // namespace portcullis::net
