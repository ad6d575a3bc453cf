// Where Redis is, as its own tools write it: redis://[user@]host[:port][/db], rediss:// for TLS, unix:///path.sock[?db=n].
// A password has no place in it: URLs are shown by process lists and logs, so one is refused, unshown; it belongs into a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace portcullis::guard {

inline constexpr std::size_t redis_url_bytes_max = 1024;
inline constexpr unsigned redis_database_max = 65'535;

struct RedisUrl {
  std::string host;  // a name or an IP literal without brackets; empty: `path`
  std::uint16_t port = 6379;
  std::string path;  // of a Unix socket, absolute
  bool tls = false;
  std::string user;  // empty: Redis' default user
  unsigned database = 0;
};

Result<RedisUrl> parse_redis_url(std::string_view text);
// "10.0.0.7:6379", "[::1]:6379" or the socket's path: for logs and errors.
std::string peer_text(const RedisUrl& url);

}  // namespace portcullis::guard
