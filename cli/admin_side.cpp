#include "cli/admin_side.hpp"

#include <utility>

#include "net/listen_address.hpp"

namespace portcullis::cli {
namespace {

constexpr std::size_t connections_max = 64;  // of people and scripts on this machine

}  // namespace

Result<std::unique_ptr<AdminSide>> AdminSide::start(std::shared_ptr<guard::Guard> guard, const net::ListenAddress& address,
                                                    const std::function<void(AdminHandler&)>& calls) {
  std::unique_ptr<AdminSide> side(new AdminSide);
  side->guard_ = std::move(guard);
  net::ServerOptions options;
  options.door = "admin";
  options.listen = {address};
  options.threads = 1;
  options.limits.connections_max = connections_max;
  options.limits.body_bytes_max = admin_body_bytes_max;
  auto server = net::Server::start(std::move(options), [&](unsigned) {
    auto handler = std::make_unique<AdminHandler>(*side->guard_);
    if (calls) calls(*handler);
    return handler;
  });
  if (!server) return tl::unexpected(std::move(server.error()).within("--admin-listen"));
  side->server_ = *std::move(server);
  return side;
}

std::string AdminSide::ready_line() const {
  const net::ListenAddress& address = server_->addresses().front();
  return "admin " + (address.path.empty() ? "http://" : std::string("unix:")) + net::to_text(address);
}

}  // namespace portcullis::cli
