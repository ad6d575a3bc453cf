#include "guard/doors.hpp"

namespace portcullis::guard {
namespace {
constexpr std::string_view host_path = "/auth", traefik_path = "/v1/traefik/", nginx_path = "/v1/nginx/", login_end = "/login";
}

std::optional<Door> find_door(std::string_view path) {
  Door door;
  if (path == host_path) return door;
  if (path.starts_with(traefik_path)) {
    std::string_view tenant = path.substr(traefik_path.size());
    door.login = tenant.ends_with(login_end);  // a tenant's name has no slash
    if (door.login) tenant.remove_suffix(login_end.size());
    door.tenant = tenant;
    return door;
  }
  if (path.starts_with(nginx_path)) {
    door.dialect = Dialect::nginx;
    door.tenant = path.substr(nginx_path.size());
    return door;
  }
  return std::nullopt;
}

}  // namespace portcullis::guard
