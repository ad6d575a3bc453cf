#include "net/waker.hpp"

#include <sys/eventfd.h>

#include <new>

namespace portcullis::net {

Waker::Waker() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_.is_open()) throw std::bad_alloc();
}

void Waker::wake(std::uint64_t ticket) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = tickets_.empty();
    tickets_.push_back(ticket);
  }
  if (first) ring();  // the others of a batch are found with it
}

void Waker::ring() { eventfd_write(event_.get(), 1); }

void Waker::take(std::vector<std::uint64_t>& tickets) {
  eventfd_t ignored = 0;
  eventfd_read(event_.get(), &ignored);
  tickets.clear();
  const std::lock_guard lock(mutex_);
  tickets_.swap(tickets);
}

}  // namespace portcullis::net
