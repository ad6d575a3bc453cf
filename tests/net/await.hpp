// A task run on a Background and waited for by the test's thread.
#pragma once

#include <future>
#include <memory>
#include <utility>

#include "net/background.hpp"

namespace portcullis::test {

// `make` gives the task; what it captured lives until its end.
template <class Make>
auto start_task(net::Background& background, Make make) {
  using Value = typename decltype(make())::value_type;
  auto promise = std::make_shared<std::promise<Value>>();
  auto future = promise->get_future();
  background.spawn("test", [promise, make = std::move(make)]() -> net::Task<void> {
    auto task = make();
    auto value = co_await std::move(task);
    promise->set_value(std::move(value));
  });
  return future;
}

template <class Make>
auto await(net::Background& background, Make make) {
  return start_task(background, std::move(make)).get();
}

}  // namespace portcullis::test
