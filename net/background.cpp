#include "net/background.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/as_values.hpp"
#include "observe/log.hpp"

namespace portcullis::net {
namespace asio = boost::asio;
namespace {

[[noreturn]] void end_with(std::string_view event, std::string_view error) {
  observe::log(observe::Level::error, event, {{"error", printable(error)}});
  std::abort();
}

// SIGPIPE: OpenSSL writes with write(2); a peer that has gone shall be an error like others. The rest: signals are the main
// thread's to take.
void block_signals() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&signals, fault);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

struct Background::Impl {
  struct Running {
    std::string what;
    std::function<Task<void>()> make;
    asio::cancellation_signal cancel;
  };

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::list<Running> running;  // of the thread
  bool stopping = false;       // of the thread
  std::mutex mutex;
  std::condition_variable quiet;
  bool is_quiet = false;  // stopping, and nothing runs
  std::thread thread;

  void run() {
    block_signals();
    try {
      context.run();
    } catch (const std::exception& error) {
      end_with("background_failed", error.what());
    }
  }

  void start(std::string what, std::function<Task<void>()> make) {
    if (stopping) return;
    const auto place = running.emplace(running.end());
    place->what = std::move(what);
    place->make = std::move(make);
    auto task = place->make();
    const auto ended = [this, place](const std::exception_ptr& error) {
      if (error) judge(place->what, error);
      // Not here: the coroutine's last steps still use the signal.
      asio::post(context, [this, place] {
        running.erase(place);
        tell_when_quiet();
      });
    };
    asio::co_spawn(context, std::move(task), asio::bind_cancellation_slot(place->cancel.slot(), ended));
  }

  static void judge(const std::string& what, const std::exception_ptr& escaped) {
    try {
      std::rethrow_exception(escaped);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted) end_with(what, error.what());  // else: cancelled, and so it ended
    } catch (const asio::multiple_exceptions& errors) {                                  // of two that waited together, both cancelled
      judge(what, errors.first_exception());
    } catch (const std::exception& error) {
      end_with(what, error.what());
    }
  }

  void cancel_all() {
    stopping = true;
    for (auto task = running.begin(); task != running.end();) (task++)->cancel.emit(asio::cancellation_type::all);
    tell_when_quiet();
  }

  void tell_when_quiet() {
    if (!stopping || !running.empty()) return;
    const std::lock_guard lock(mutex);
    is_quiet = true;
    quiet.notify_all();
  }
};

Background::Background(std::string_view name) : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  pthread_setname_np(impl_->thread.native_handle(), std::string(name.substr(0, 15)).c_str());
}

Background::~Background() {
  post([impl = impl_.get()] { impl->cancel_all(); });
  {
    std::unique_lock lock(impl_->mutex);
    impl_->quiet.wait(lock, [this] { return impl_->is_quiet; });
  }
  // Behind everything that was posted before. What then still waits is destroyed with the context.
  post([impl = impl_.get()] { impl->context.stop(); });
  impl_->thread.join();
}

void Background::post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }

void Background::spawn(std::string_view what, std::function<Task<void>()> make) {
  post([impl = impl_.get(), what = std::string(what), make = std::move(make)]() mutable { impl->start(std::move(what), std::move(make)); });
}

bool Background::stop(Deadline deadline) {
  post([impl = impl_.get()] { impl->cancel_all(); });
  std::unique_lock lock(impl_->mutex);
  return impl_->quiet.wait_until(lock, deadline, [this] { return impl_->is_quiet; });
}

asio::any_io_executor Background::executor() { return impl_->context.get_executor(); }

Task<bool> sleep_until(Deadline deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  const auto [error] = co_await timer.async_wait(as_values);
  co_return !error;
}

struct Event::Impl {
  struct Waiter {
    asio::steady_timer timer;
    bool notified = false;
  };
  std::list<Waiter> waiters;

  // A coroutine of its own, so that it holds the event's state, which may be moved or destroyed meanwhile.
  static Task<bool> wait(std::shared_ptr<Impl> event, Deadline deadline) {
    const auto executor = co_await asio::this_coro::executor;
    // Leaves the list also when the frame is destroyed in the middle of it.
    struct Place {
      Impl& event;
      std::list<Waiter>::iterator waiter;
      ~Place() { event.waiters.erase(waiter); }
    };
    event->waiters.push_back({.timer = asio::steady_timer(executor, deadline)});
    const Place place{*event, std::prev(event->waiters.end())};
    co_await place.waiter->timer.async_wait(as_values);
    co_return place.waiter->notified;
  }
};

Event::Event() : impl_(std::make_shared<Impl>()) {}
Event::~Event() = default;
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;

void Event::notify() {
  for (Impl::Waiter& waiter : impl_->waiters) {
    waiter.notified = true;
    waiter.timer.cancel();
  }
}

Task<bool> Event::wait(Deadline deadline) { return Impl::wait(impl_, deadline); }

}  // namespace portcullis::net
