#include "net/certificate.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>

#include <array>
#include <ctime>
#include <utility>

#include "net/openssl_handles.hpp"
#include "net/tls_context.hpp"

namespace portcullis::net {
namespace {

using OctetString = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;

std::string hex(const unsigned char* bytes, std::size_t size) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t at = 0; at < size; ++at) {
    text += digits[bytes[at] >> 4U];
    text += digits[bytes[at] & 15U];
  }
  return text;
}

std::string name_text(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) return {};
  return text_of(out.get());
}

Instant instant_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Instant{};
  return Instant(std::chrono::seconds(timegm(&parts)));
}

std::string key_type_of(X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (!key) return "unknown";
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: {
      std::array<char, 64> group{};
      std::size_t size = 0;
      if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return "ECDSA";
      const std::string_view name(group.data(), size);
      return "ECDSA " + std::string(name == "prime256v1" ? "P-256" : name == "secp384r1" ? "P-384" : name == "secp521r1" ? "P-521" : name);
    }
    case EVP_PKEY_RSA:
      return "RSA " + std::to_string(EVP_PKEY_get_bits(key));
    case EVP_PKEY_ED25519:
      return "Ed25519";
    default:
      return "unknown";
  }
}

std::string_view octets(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

void read_alternative_names(X509* certificate, CertificateFacts& facts) {
  const OctetString names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int at = 0; names && at < sk_GENERAL_NAME_num(names.get()); ++at) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), at);
    if (name->type == GEN_DNS) {
      facts.dns_names.emplace_back(octets(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      const std::string_view address = octets(name->d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = address.size() == 4 ? AF_INET : AF_INET6;
      if ((address.size() == 4 || address.size() == 16) && inet_ntop(family, address.data(), text.data(), text.size()))
        facts.addresses.emplace_back(text.data());
    }
  }
}

std::string fingerprint_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  return hex(digest.data(), size);
}

CertificateFacts facts_of(X509* certificate) {
  CertificateFacts facts;
  facts.subject = name_text(X509_get_subject_name(certificate));
  facts.issuer = name_text(X509_get_issuer_name(certificate));
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  facts.serial = hex(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial)));
  facts.fingerprint = fingerprint_of(certificate);
  facts.key_type = key_type_of(certificate);
  facts.not_before = instant_of(X509_get0_notBefore(certificate));
  facts.not_after = instant_of(X509_get0_notAfter(certificate));
  facts.is_authority = X509_check_ca(certificate) > 0;
  facts.is_self_issued = X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
  read_alternative_names(certificate, facts);
  const Bio out(BIO_new(BIO_s_mem()));
  if (out && PEM_write_bio_X509(out.get(), certificate) == 1) facts.pem = text_of(out.get());
  return facts;
}

// True when what ended the reading was the end of the text.
bool is_end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  return code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
}

}  // namespace

Result<std::vector<CertificateFacts>> read_certificates(std::string_view pem, std::string_view where) {
  if (pem.size() > certificate_pem_bytes_max)
    return fail(ErrorKind::limit_exceeded, where, "larger than " + std::to_string(certificate_pem_bytes_max / 1024) + " KiB");
  ERR_clear_error();
  const Bio in = reader_of(pem);
  std::vector<CertificateFacts> found;
  while (in) {
    const X509Handle certificate = read_certificate(in.get());
    if (!certificate) {
      if (!is_end_of_pem()) return fail(ErrorKind::invalid, where, "cannot read a certificate: " + openssl_errors());
      break;
    }
    if (found.size() == certificates_max)
      return fail(ErrorKind::limit_exceeded, where, "more than " + std::to_string(certificates_max) + " certificates");
    found.push_back(facts_of(certificate.get()));
  }
  ERR_clear_error();
  if (found.empty()) return fail(ErrorKind::invalid, where, "found no certificate, want PEM");
  return found;
}

Result<void> check_key(const PemPair& pair, std::string_view where) {
  ERR_clear_error();
  const Bio in = reader_of(pair.certificate);
  const X509Handle certificate = in ? read_certificate(in.get()) : nullptr;
  if (!certificate) return fail(ErrorKind::invalid, where, "cannot read a certificate: " + openssl_errors());
  const KeyHandle key = read_key(pair.key);
  if (!key) return fail(ErrorKind::invalid, where, "cannot read the key: " + openssl_errors());
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorKind::invalid, where, "the key does not belong to the certificate");
  }
  return {};
}

Result<void> verify_chain(std::string_view chain, std::string_view roots, const std::string& host, Instant now) {
  const std::string where = host.empty() ? "certificate" : host;
  ERR_clear_error();
  const X509StoreHandle store(X509_STORE_new());
  const X509StoreContext context(X509_STORE_CTX_new());
  const std::unique_ptr<STACK_OF(X509), FreeBy<[](STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }>> others(
      sk_X509_new_null());
  if (!store || !context || !others) return fail(ErrorKind::unavailable, where, "no memory for OpenSSL");
  const Bio root_text = reader_of(roots), chain_text = reader_of(chain);
  while (const X509Handle root = read_certificate(root_text.get())) X509_STORE_add_cert(store.get(), root.get());
  X509Handle leaf = read_certificate(chain_text.get());
  if (!leaf) return fail(ErrorKind::invalid, where, "cannot read a certificate: " + openssl_errors());
  while (X509Handle other = read_certificate(chain_text.get())) sk_X509_push(others.get(), other.release());
  ERR_clear_error();
  if (X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), others.get()) != 1)
    return fail(ErrorKind::unavailable, where, "cannot verify: " + openssl_errors());
  X509_VERIFY_PARAM* wanted = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(wanted, static_cast<std::time_t>(now.time_since_epoch().count()));
  X509_VERIFY_PARAM_set_purpose(wanted, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_flags(wanted, X509_V_FLAG_PARTIAL_CHAIN);  // as Go does: whatever is in the bundle is trusted
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (!host.empty()) {
    std::array<unsigned char, 16> address{};
    const bool is_address = inet_pton(AF_INET, host.c_str(), address.data()) == 1 || inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
    if (is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1
                   : X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) != 1)
      return fail(ErrorKind::invalid, where, "is no name to verify");
  }
  if (X509_verify_cert(context.get()) == 1) return {};
  const int code = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return fail(ErrorKind::invalid, where, X509_verify_cert_error_string(code));
}

std::string certificate_fingerprint(std::string_view pem) {
  const Bio in = reader_of(pem);
  const X509Handle certificate = in ? read_certificate(in.get()) : nullptr;
  ERR_clear_error();
  return certificate ? fingerprint_of(certificate.get()) : std::string();
}

}  // namespace portcullis::net
