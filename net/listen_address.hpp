// Listening sockets: an IP literal and a port become a bound, non-blocking socket that shares its port with its loop's
// siblings (SO_REUSEPORT).
#pragma once

#include <sys/socket.h>

#include "base/result.hpp"
#include "net/descriptor.hpp"
#include "net/request.hpp"
#include "net/server.hpp"

namespace portcullis::net {

std::string to_text(const ListenAddress& address);  // "127.0.0.1:8443", "[::1]:8443"

// SO_REUSEPORT would let a second instance of this program take half of the connections unnoticed: this says whether
// somebody listens there already.
Result<void> check_free(const ListenAddress& address);

// Binds and listens; `address.port` becomes the real one.
Result<Descriptor> listen_on(ListenAddress& address, bool share_port);

Peer peer_of(const sockaddr_storage& from);

}  // namespace portcullis::net
