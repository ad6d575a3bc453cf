// What waits: the clients of the API server, of registries, of Redis. Brings asio/awaitable.hpp and nothing that starts an
// operation, so that including it stays cheap.
//
// g++ 12 miscompiles co_await in a condition: write `const bool slept = co_await sleep_until(d); if (slept)`, and name every
// awaitable and lambda before it is awaited or spawned.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace portcullis::net {

template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace portcullis::net
