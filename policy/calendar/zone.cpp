#include "policy/calendar/zone.hpp"

#include <date/tz.h>

#include <stdexcept>

#include "base/text.hpp"

namespace portcullis::policy {

Result<Zone> Zone::find(std::string_view name) {
  try {
    const date::time_zone* zone = date::locate_zone(name);
    (void)zone->get_info(Instant{});  // reads its file, so that a broken one is found here
    return Zone(zone);
  } catch (const std::runtime_error&) {  // the library's word for an unknown name
    return fail(ErrorKind::not_found, "", "found the time zone " + quoted(name) + ", which this machine's tzdata does not know");
  }
}

Instant Zone::instant_of(LocalSeconds local) const {
  const date::local_info info = zone_->get_info(date::local_seconds(local.time_since_epoch()));
  if (info.result == date::local_info::nonexistent) return std::chrono::time_point_cast<std::chrono::seconds>(info.first.end);
  return Instant(local.time_since_epoch()) - info.first.offset;
}

LocalSeconds Zone::local_of(Instant at) const { return at + zone_->get_info(at).offset; }

}  // namespace portcullis::policy
