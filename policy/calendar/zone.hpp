// An IANA time zone of this machine's tzdata, by the date library.
//
// The library as Debian builds it reads the transitions that tzdata's files list, which end in 2037, and not the rule for the
// years after: from 2038 on a zone stays at its standard time.
#pragma once

#include <chrono>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace date {
class time_zone;
}  // namespace date

namespace portcullis::policy {

using LocalSeconds = std::chrono::sys_seconds;  // local time, written as if it were UTC

class Zone {
 public:
  static Result<Zone> find(std::string_view name);  // or ErrorKind::not_found, without a place

  // A local time that a clock set forward skips is the instant at which it is set; one that a clock set back shows twice is the
  // first of the two. So a later local time is never an earlier instant.
  [[nodiscard]] Instant instant_of(LocalSeconds local) const;
  [[nodiscard]] LocalSeconds local_of(Instant at) const;

 private:
  explicit Zone(const date::time_zone* zone) : zone_(zone) {}

  const date::time_zone* zone_;  // of the library's table, which lives as long as the program
};

}  // namespace portcullis::policy
