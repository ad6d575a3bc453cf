// The paths that the guard answers.
#pragma once

#include <optional>
#include <string_view>

#include "guard/denial.hpp"

namespace portcullis::guard {

struct Door {
  std::optional<std::string_view> tenant;  // none: by host
  Dialect dialect = Dialect::traefik;
  bool login = false;  // the request has the body of a login
};

// The door at `path`; none where there is none.
std::optional<Door> find_door(std::string_view path);

}  // namespace portcullis::guard
