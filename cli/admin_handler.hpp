// The guard's admin door: what an operator sees and changes while it runs, in JSON. It knows no password: it listens on
// loopback or at a unix socket of its owner's alone, and whoever reaches it may do all of this.
//
//   GET    /v1/bans[?tenant=&address=]                          bans in force
//   POST   /v1/bans   {address|cidr, tenant?, duration, reason}  one more
//   DELETE /v1/bans/<id>?reason=                                 one less
//   DELETE /v1/bans?address=[&tenant=]&reason=                   all of this address or network
// and what is added by add(). A browser on this machine is no operator: requests that carry Origin or Sec-Fetch-Site are
// refused, and so is a Host that is not this machine's (DNS rebinding). Each change is logged with who made it: the user id at
// a socket, the peer's address otherwise.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "guard/guard.hpp"
#include "net/server.hpp"

namespace portcullis::cli {

inline constexpr std::size_t admin_body_bytes_max = 64 * 1024;
inline constexpr std::size_t admin_bans_listed_max = 10'000;  // the latest; a filter finds the others

struct AdminAnswer {
  int status = 200;
  std::string body;  // JSON
};
// A POST's body, UTF-8 of at most admin_body_bytes_max, to its answer. On the admin door's thread.
using AdminCall = std::function<AdminAnswer(std::string_view body)>;

class AdminHandler final : public net::Handler {
 public:
  explicit AdminHandler(guard::Guard& guard) : guard_(guard) {}
  // `path` such as "/v1/explain". Before the door opens.
  void add(std::string path, AdminCall call) { calls_[std::move(path)] = std::move(call); }
  void answer(const net::Request& request, net::Response& response) override;

 private:
  AdminAnswer route(const net::Request& request);
  AdminAnswer list(const net::Request& request);
  AdminAnswer make(const net::Request& request);
  AdminAnswer remove(const net::Request& request, std::string_view id);

  guard::Guard& guard_;
  std::map<std::string, AdminCall, std::less<>> calls_;
};

}  // namespace portcullis::cli
