#include "guard/siphash.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace portcullis::guard {

SipKey SipKey::random() {
  SipKey key;
  // Up to 256 bytes come whole; only a signal before the pool is ready interrupts (getrandom(2)).
  while (::getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return key;
}

}  // namespace portcullis::guard
