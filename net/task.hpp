// What waits: the clients of the API server, of registries, of Redis. Brings asio/awaitable.hpp and nothing that starts an
// operation, so that including it stays cheap.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace portcullis::net {

template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace portcullis::net
