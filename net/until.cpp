#include "net/until.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

namespace portcullis::net {
namespace {

constexpr std::chrono::hours long_time{24 * 365};

Task<void> stopped(Event& stop) {
  for (bool notified = false; !notified;) notified = co_await stop.wait(Clock::now() + long_time);
}

}  // namespace

Task<void> until(Event& stop, Task<void> work) {
  using namespace boost::asio::experimental::awaitable_operators;
  Task<void> signal = stopped(stop);
  auto first = std::move(work) || std::move(signal);
  co_await std::move(first);
}

}  // namespace portcullis::net
