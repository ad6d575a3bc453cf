// Token, roots and client certificate as they are now. The kubelet swaps a whole directory by a symlink, so files are opened
// by their path each time and nothing is watched. What cannot be read later leaves the former in use.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "kube/config.hpp"
#include "net/client.hpp"

namespace portcullis::kube {

inline constexpr std::size_t credential_bytes_max = 1024 * 1024;  // a bundle of roots is a quarter of it

// The file's text without white space around it. Errors name the file and show nothing of it.
Result<std::string> read_credential(const std::filesystem::path& file);

class Credentials {
 public:
  // client-go's: a token that the kubelet rotated is known within a minute, a certificate within five.
  struct Ages {
    std::chrono::seconds token_max{60};
    std::chrono::seconds roots_max{60};
    std::chrono::seconds identity_max{300};
  };

  static Result<Credentials> load(const Config& config, Ages ages, Clock::time_point now);

  // "" without one. Read again when it is older than Ages say.
  const std::string& token(Clock::time_point now);
  // Reads it again at once; false when it comes from no file.
  bool renew_token(Clock::time_point now);

  enum class Changed { nothing, roots, identity };
  // Reads what is old enough.
  Changed renew_tls(Clock::time_point now);
  [[nodiscard]] const net::ClientTls& tls() const { return tls_; }
  // The peer was not trusted: the roots are read again with the next look.
  void doubt_roots() { roots_read_at_ = {}; }

 private:
  Credentials(const Config& config, Ages ages);
  static bool renew(const Material& material, std::string& text);

  Material token_source_, roots_source_, certificate_source_, key_source_;
  Ages ages_;
  std::string token_;
  net::ClientTls tls_;
  Clock::time_point token_read_at_, roots_read_at_, identity_read_at_;
};

}  // namespace portcullis::kube
