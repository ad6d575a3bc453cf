#include "webhook/ledger_lease.hpp"

#include <sys/random.h>

#include <array>
#include <cstdlib>

namespace portcullis::webhook {
namespace {

constexpr std::string_view lease_prefix = "portcullis-ledger-";
constexpr std::string_view lease_label = "portcullis.dev/lease", lease_kind = "ledger";
constexpr std::size_t replica_name_max = 40;

std::string nonce() {
  std::array<unsigned char, 4> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();  // a kernel without it is none of ours
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

}  // namespace

std::string new_ledger_key(std::string_view replica) {
  std::string key;
  for (const char c : replica.substr(0, replica_name_max)) key += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
  return (key.empty() ? std::string("replica") : key) + "-" + nonce();
}

std::string ledger_lease_name(std::string_view key) { return std::string(lease_prefix) + std::string(key); }

kube::LeaseOptions ledger_lease(const std::string& key, const std::string& name_space, std::chrono::seconds duration) {
  kube::LeaseOptions lease;
  lease.name_space = name_space;
  lease.name = ledger_lease_name(key);
  lease.identity = key;
  lease.duration = duration;
  lease.labels = {{std::string(lease_label), std::string(lease_kind)}};
  return lease;
}

std::string ledger_lease_selector() { return std::string(lease_label) + "=" + std::string(lease_kind); }

}  // namespace portcullis::webhook
