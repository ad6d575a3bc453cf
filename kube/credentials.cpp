#include "kube/credentials.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "observe/log.hpp"

namespace portcullis::kube {

Result<std::string> read_credential(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::unavailable, file.string(), std::string("cannot be read: ") + std::strerror(errno != 0 ? errno : EIO));
  std::string text(credential_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return fail(ErrorKind::unavailable, file.string(), "cannot be read");
  if (text.size() > credential_bytes_max) {
    return fail(ErrorKind::limit_exceeded, file.string(), "is larger than " + std::to_string(credential_bytes_max) + " bytes");
  }
  constexpr const char* white = " \t\r\n";
  const auto first = text.find_first_not_of(white);
  if (first == std::string::npos) return fail(ErrorKind::invalid, file.string(), "is empty");
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

Credentials::Credentials(const Config& config, Ages ages)
    : token_source_(config.token),
      roots_source_(config.roots),
      certificate_source_(config.certificate),
      key_source_(config.key),
      ages_(ages) {}

Result<Credentials> Credentials::load(const Config& config, Ages ages, Clock::time_point now) {
  Credentials made(config, ages);
  const auto take = [](const Material& source, std::string& text) -> Result<void> {
    text = source.bytes;
    if (source.file.empty()) return {};
    auto read = read_credential(source.file);
    if (!read) return tl::unexpected(read.error());
    text = *std::move(read);
    return {};
  };
  for (const auto& [source, text] :
       {std::pair{&made.token_source_, &made.token_}, std::pair{&made.roots_source_, &made.tls_.roots_pem},
        std::pair{&made.certificate_source_, &made.tls_.certificate_pem}, std::pair{&made.key_source_, &made.tls_.key_pem}}) {
    if (auto taken = take(*source, *text); !taken) return tl::unexpected(taken.error());
  }
  made.token_read_at_ = made.roots_read_at_ = made.identity_read_at_ = now;
  return made;
}

// True when it is another than before.
bool Credentials::renew(const Material& material, std::string& text) {
  if (material.file.empty()) return false;
  auto read = read_credential(material.file);
  if (!read) {
    observe::log_limited(observe::Level::warn, "credential_not_renewed", {{"error", read.error().message()}}, 1);
    return false;
  }
  if (*read == text) return false;
  text = *std::move(read);
  return true;
}

const std::string& Credentials::token(Clock::time_point now) {
  if (!token_source_.file.empty() && now - token_read_at_ >= ages_.token_max) renew_token(now);
  return token_;
}

bool Credentials::renew_token(Clock::time_point now) {
  if (token_source_.file.empty()) return false;
  renew(token_source_, token_);
  token_read_at_ = now;
  return true;
}

Credentials::Changed Credentials::renew_tls(Clock::time_point now) {
  Changed changed = Changed::nothing;
  if (now - roots_read_at_ >= ages_.roots_max) {
    roots_read_at_ = now;
    if (renew(roots_source_, tls_.roots_pem)) changed = Changed::roots;
  }
  if (now - identity_read_at_ >= ages_.identity_max) {
    identity_read_at_ = now;
    const bool certificate = renew(certificate_source_, tls_.certificate_pem);
    const bool key = renew(key_source_, tls_.key_pem);
    if (certificate || key) changed = Changed::identity;
  }
  return changed;
}

}  // namespace portcullis::kube
