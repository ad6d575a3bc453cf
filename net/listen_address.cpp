#include "net/listen_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "net/client_tls.hpp"

namespace portcullis::net {
namespace {

// The queue of connections not yet accepted; the kernel cuts it to net.core.somaxconn (4096 since Linux 5.4).
constexpr int backlog = 4096;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

bool fill(const ListenAddress& address, SocketAddress& out) {
  if (!address.path.empty()) {
    auto* name = reinterpret_cast<sockaddr_un*>(&out.storage);
    if (address.path.size() >= sizeof name->sun_path) return false;
    name->sun_family = AF_UNIX;
    std::memcpy(name->sun_path, address.path.data(), address.path.size());
    out.size = sizeof *name;
    return true;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.size = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    out.size = sizeof *v6;
    return true;
  }
  return false;
}

auto cannot(const ListenAddress& address, const char* what) {
  return fail(ErrorKind::unavailable, to_text(address), std::string(what) + ": " + std::strerror(errno));
}

void set(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

Peer address_of(const sockaddr_storage& from) {
  Peer peer;
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    peer.address[10] = peer.address[11] = 0xff;
    std::memcpy(peer.address.data() + 12, &v4.sin_addr, 4);
    peer.port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    std::memcpy(peer.address.data(), &v6.sin6_addr, 16);
    peer.port = ntohs(v6.sin6_port);
  }
  return peer;
}

// A socket that somebody left behind makes way; one that somebody listens at, and any other file, does not.
Result<void> clear_name(const ListenAddress& address, const SocketAddress& where) {
  struct stat facts {};
  if (::lstat(address.path.c_str(), &facts) != 0) return {};
  if (!S_ISSOCK(facts.st_mode)) return fail(ErrorKind::invalid, address.path, "there is a file of this name that is no socket");
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool answered = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) == 0;
  if (answered || errno != ECONNREFUSED) return fail(ErrorKind::unavailable, address.path, "somebody listens there already");
  if (::unlink(address.path.c_str()) != 0 && errno != ENOENT) return cannot(address, "cannot take away the socket that was left there");
  return {};
}

Result<Descriptor> bound_to_path(const ListenAddress& address) {
  SocketAddress where;
  if (!fill(address, where)) return fail(ErrorKind::invalid, address.path, "the path of a socket may have 107 bytes");
  if (auto cleared = clear_name(address, where); !cleared) return tl::unexpected(cleared.error());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return cannot(address, "no socket");
  // unix(7) makes the file with the socket's own mode, less the umask: nobody else can come before a chmod.
  ::fchmod(socket.get(), S_IRUSR | S_IWUSR);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&where.storage), where.size) != 0) return cannot(address, "cannot bind");
  return socket;
}

Result<Descriptor> bound(ListenAddress& address, bool share_port) {
  if (!address.path.empty()) return bound_to_path(address);
  SocketAddress where;
  if (!fill(address, where)) {
    return fail(ErrorKind::invalid, to_text(address), "want an IP address to listen on, such as 127.0.0.1 or ::");
  }
  Descriptor socket(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open()) return cannot(address, "no socket");
  set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);  // a restart need not wait for TIME_WAIT
  if (share_port) set(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&where.storage), where.size) != 0) return cannot(address, "cannot bind");
  where.size = sizeof where.storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&where.storage), &where.size) != 0) return cannot(address, "no name");
  address.port = address_of(where.storage).port;
  return socket;
}

}  // namespace

std::string to_text(const ListenAddress& address) {
  if (!address.path.empty()) return address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Peer peer_of(const sockaddr_storage& from, int socket) {
  Peer peer = address_of(from);
  ucred process{};
  socklen_t size = sizeof process;
  if (from.ss_family == AF_UNIX && ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &process, &size) == 0) peer.uid = process.uid;
  return peer;
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat facts {};
  if (::lstat(path_.c_str(), &facts) != 0) path_.clear();
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile::~SocketFile() {
  struct stat facts {};
  if (path_.empty() || ::lstat(path_.c_str(), &facts) != 0) return;
  if (facts.st_dev == device_ && facts.st_ino == inode_) ::unlink(path_.c_str());
}

Result<void> check_free(const ListenAddress& address) {
  if (address.port == 0 || !address.path.empty()) return {};
  ListenAddress probe = address;
  auto socket = bound(probe, false);
  if (!socket) return tl::unexpected(socket.error());
  return {};
}

Result<Descriptor> listen_on(ListenAddress& address, bool share_port) {
  auto socket = bound(address, share_port);
  if (!socket) return socket;
  // Accepted sockets inherit both, which saves two calls a connection.
  set(socket->get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket->get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  if (::listen(socket->get(), backlog) != 0) return cannot(address, "cannot listen");
  return socket;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::invalid, "listen address", "found " + quoted(text) + ", " + std::string(why));
  };
  ListenAddress address;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    if (end == std::string_view::npos) return refuse("want [address]:port");
    address.host = text.substr(1, end - 1);
    port = text.substr(end + 2);
    if (address.host.find(':') == std::string::npos) return refuse("want an IPv6 address between the brackets");
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse("want address:port, such as 127.0.0.1:8443");
    address.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (address.host.find(':') != std::string::npos) return refuse("want an IPv6 address in brackets, such as [::1]:8443");
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size()) return refuse("want a port of 0 to 65535");
  SocketAddress ignored;
  if (!fill(address, ignored)) return refuse("want an IP address, such as 127.0.0.1, 0.0.0.0 or [::1]");
  return address;
}

Result<ListenAddress> parse_local_address(std::string_view text) {
  if (text.starts_with('/')) {
    ListenAddress address;
    address.path = text;
    SocketAddress ignored;
    if (!fill(address, ignored) || text.find('\0') != std::string_view::npos)
      return fail(ErrorKind::invalid, "socket", "found " + quoted(text) + ", want a path of at most 107 bytes");
    return address;
  }
  auto address = parse_listen_address(text);
  if (address && !is_loopback(address->host))
    return fail(ErrorKind::invalid, "local address",
                "found " + quoted(text) + ", want a loopback address, such as 127.0.0.1:9901, or the path of a socket");
  return address;
}

}  // namespace portcullis::net
