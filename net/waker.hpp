// How a loop learns, from any thread, that an answer it waits for is ready: tickets in a queue, and an eventfd in the loop's
// epoll set. A waker outlives its loop as long as somebody holds it; what is woken then is nobody's.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "net/descriptor.hpp"

namespace portcullis::net {

class Waker {
 public:
  Waker();  // throws std::bad_alloc when the system has no descriptor left
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // Handler::finish(ticket, ...) is called soon on the loop's thread, if the request still waits. From any thread, also
  // before Handler::answer() has returned; never waits for the loop.
  void wake(std::uint64_t ticket);

  // For the loop.
  [[nodiscard]] int descriptor() const { return event_.get(); }  // readable when there is something to look at
  void ring();                                                   // makes it readable, without a ticket
  // Silences it and takes what was woken since.
  void take(std::vector<std::uint64_t>& tickets);

 private:
  Descriptor event_;
  std::mutex mutex_;
  std::vector<std::uint64_t> tickets_;
};

}  // namespace portcullis::net
