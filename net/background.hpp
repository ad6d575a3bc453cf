// A thread of its own for what waits: one io_context, coroutines that start on it and stay on it. The doors' loops never
// wait; they hand work over with post() and get told through a Waker (net/waker.hpp).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "base/clock.hpp"
#include "net/task.hpp"

namespace portcullis::net {

class Background {
 public:
  // `name`: of the thread, for logs; at most 15 characters.
  explicit Background(std::string_view name);
  ~Background();  // cancels every task, waits for their end, joins

  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Runs `work` on the thread soon. From any thread.
  void post(std::function<void()> work);
  // Starts a task on the thread. From any thread. What `make` captured lives as long as the task. An exception that escapes is our own bug:
  // it is logged as event `what` and the process aborts.
  void spawn(std::string_view what, std::function<Task<void>()> make);
  // Asks all tasks to end (their waits end with operation_aborted) and waits for them until `deadline`.
  bool stop(Deadline deadline);
  // For what makes sockets and timers, in net/ alone.
  [[nodiscard]] boost::asio::any_io_executor executor();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Waits until `deadline`; false when the task was cancelled. In a cancelled task every further co_await throws, which
// unwinds it; what must be undone belongs into destructors. On the thread of the Background that runs the caller.
Task<bool> sleep_until(Deadline deadline);

// Something that happened, for tasks of one Background. Not thread-safe: notify() and wait() on its thread.
class Event {
 public:
  Event();
  ~Event();
  Event(Event&&) noexcept;
  Event& operator=(Event&&) noexcept;
  void notify();  // wakes everyone who waits now
  // True when notified, false at the deadline or when cancelled.
  Task<bool> wait(Deadline deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace portcullis::net
