// Certificates that a server shows or a Secret holds, and webhook configurations as an API server answers them.
#include "net/certificate.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "webhook/certificate_plan.hpp"
#include "webhook/configuration.hpp"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Instant now{};
  if (const auto read = net::read_certificates(text, "fuzz")) {
    for (const net::CertificateFacts& each : *read) {
      // What is read is written as something that reads the same.
      const auto again = net::read_certificates(each.pem, "fuzz");
      fuzz::must(again && again->front().fingerprint == each.fingerprint, "what is read is written as something that reads the same");
    }
    (void)net::verify_chain(text, text, "portcullis-webhook.gate.svc", now);
    (void)net::check_key({text, text}, "fuzz");
  }
  if (const auto live = webhook::read_configuration(text, {"portcullis-webhook", "portcullis-system"}))
    (void)webhook::ca_bundle_patch(*live, "QQ==");
  const webhook::CertificateSet set = webhook::read_set({{"tls.crt", text}, {"tls.key", text}, {"bundle.crt", text}, {"retire-at", text}});
  (void)webhook::can_serve(set, {.names = {"portcullis-webhook.gate.svc"}}, now);
  (void)webhook::leaf_due(set);
  return 0;
}
