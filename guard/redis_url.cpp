#include "guard/redis_url.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace portcullis::guard {
namespace {

constexpr std::string_view where = "redis URL";
constexpr std::size_t socket_path_bytes_max = 107;  // sockaddr_un, without its NUL

tl::unexpected<Error> refuse(std::string what) { return fail(ErrorKind::invalid, where, std::move(what)); }

template <class Number>
bool read_number(std::string_view text, Number min, Number max, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= min && number <= max;
}

bool is_name(std::string_view text, std::string_view also) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos;
  });
}

Result<void> read_database(std::string_view text, RedisUrl& url) {
  if (read_number(text, 0U, redis_database_max, url.database)) return {};
  return refuse("found database " + quoted(text) + ", want a number of 0 to " + std::to_string(redis_database_max));
}

Result<RedisUrl> parse_socket(std::string_view rest) {
  RedisUrl url;
  const std::size_t query = rest.find('?');
  url.path = rest.substr(0, query);
  if (!url.path.starts_with('/') || url.path.size() < 2 || url.path.size() > socket_path_bytes_max ||
      url.path.find('\0') != std::string::npos) {
    return refuse("found socket " + quoted(url.path) + ", want an absolute path of at most 107 bytes, such as unix:///run/redis.sock");
  }
  if (query == std::string_view::npos) return url;
  const std::string_view options = rest.substr(query + 1);
  if (!options.starts_with("db=")) return refuse("want nothing but ?db=<number> after the socket's path");
  if (auto read = read_database(options.substr(3), url); !read) return tl::unexpected(read.error());
  return url;
}

Result<void> read_host(std::string_view authority, RedisUrl& url) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return refuse("want ] after the IPv6 address");
    url.host = authority.substr(1, end - 1);
    if (!is_name(url.host, ":.") || url.host.find(':') == std::string::npos) return refuse("want an IPv6 address between the brackets");
    port = authority.substr(end + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    if (!is_name(url.host, "-._")) return refuse("found host " + quoted(url.host) + ", want a name or an address");
    port = authority.substr(colon);
  }
  if (port.empty()) return {};
  if (!port.starts_with(':') || !read_number<std::uint16_t>(port.substr(1), 1, 65'535, url.port)) {
    return refuse("want a port of 1 to 65535 after the host");
  }
  return {};
}

}  // namespace

Result<RedisUrl> parse_redis_url(std::string_view text) {
  if (text.size() > redis_url_bytes_max) return refuse("longer than " + std::to_string(redis_url_bytes_max) + " bytes");
  constexpr std::string_view unix_scheme = "unix://", plain_scheme = "redis://", tls_scheme = "rediss://";
  if (text.starts_with(unix_scheme)) return parse_socket(text.substr(unix_scheme.size()));
  RedisUrl url;
  if (text.starts_with(tls_scheme)) {
    url.tls = true;
  } else if (!text.starts_with(plain_scheme)) {
    return refuse("want redis://host:port, rediss://host:port or unix:///path");  // not shown: it may hold a password
  }
  std::string_view rest = text.substr(url.tls ? tls_scheme.size() : plain_scheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash), path = rest.substr(slash);
  // A password may hold an @ or a slash: whatever stands before the last @ is looked at, and none of it is shown.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = rest.substr(0, at);
    if (user.find(':') != std::string_view::npos) return refuse("holds a password, want it in a file");
    if (!is_name(user, "-._")) return refuse("want a user of letters, digits, `-`, `.` and `_` before the @");
    url.user = user;
    if (at > slash) return refuse("found an @ after the host");
    authority.remove_prefix(at + 1);
  }
  if (auto read = read_host(authority, url); !read) return tl::unexpected(read.error());
  if (path.size() <= 1) return url;
  if (auto read = read_database(path.substr(1), url); !read) return tl::unexpected(read.error());
  return url;
}

std::string peer_text(const RedisUrl& url) {
  if (!url.path.empty()) return url.path;
  const bool v6 = url.host.find(':') != std::string::npos;
  return (v6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

}  // namespace portcullis::guard
