// The admin door of a guard that runs: its server, on one thread, and the handler behind it.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "cli/admin_handler.hpp"
#include "net/server.hpp"

namespace portcullis::cli {

class AdminSide {
 public:
  // `calls` adds what else the door answers. Errors: an address that cannot be bound.
  static Result<std::unique_ptr<AdminSide>> start(std::shared_ptr<guard::Guard> guard, const net::ListenAddress& address,
                                                  const std::function<void(AdminHandler&)>& calls = {});
  [[nodiscard]] const net::Server& server() const { return *server_; }
  // "admin http://127.0.0.1:9901", "admin unix:/run/portcullis/admin.sock"
  [[nodiscard]] std::string ready_line() const;

 private:
  AdminSide() = default;
  std::shared_ptr<guard::Guard> guard_;  // outlives the server
  std::unique_ptr<net::Server> server_;
};

}  // namespace portcullis::cli
