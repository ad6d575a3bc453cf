// Asio's errors as values: `const auto [error, bytes] = co_await socket.async_read_some(buffer, as_values);`
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace portcullis::net {

inline constexpr auto as_values = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace portcullis::net
