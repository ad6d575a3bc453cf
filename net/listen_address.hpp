// Listening sockets: an IP literal and a port become a bound, non-blocking socket that shares its port with its loop's
// siblings (SO_REUSEPORT); a path becomes a unix socket of its owner's.
#pragma once

#include <sys/socket.h>

#include "base/result.hpp"
#include "net/descriptor.hpp"
#include "net/request.hpp"
#include "net/server.hpp"

namespace portcullis::net {

std::string to_text(const ListenAddress& address);  // "127.0.0.1:8443", "[::1]:8443", "/run/portcullis/admin.sock"

// SO_REUSEPORT would let a second instance of this program take half of the connections unnoticed: this says whether
// somebody listens there already.
Result<void> check_free(const ListenAddress& address);

// Binds and listens; `address.port` becomes the real one.
Result<Descriptor> listen_on(ListenAddress& address, bool share_port);

// Who is at the other end of the connection `socket`; `from` is what accept said.
Peer peer_of(const sockaddr_storage& from, int socket);

// The name of a unix socket in the file system, which goes with this object. A name that is another's by then stays.
class SocketFile {
 public:
  explicit SocketFile(std::string path);  // of a socket that is bound
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

 private:
  std::string path_;
  std::uint64_t device_ = 0, inode_ = 0;
};

}  // namespace portcullis::net
